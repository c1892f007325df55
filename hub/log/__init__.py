"""The event log: all that sources send enters the hub through it. One port; each deployment uses one adapter."""
