"""The hub: centres' claims arrive through the event log, are merged in the store, and leave through the doors."""
