"""The meaning of the hub: pure functions from what centres say to what collections show."""
