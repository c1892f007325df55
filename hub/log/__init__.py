"""The event log: the only way into the hub for what centres say. One port, one adapter a deployment."""
