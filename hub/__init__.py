"""The hub: what centres say comes in through the event log, is merged in the store, and leaves through the doors."""
