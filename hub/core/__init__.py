"""The meaning of the hub: pure functions from what sources say to what collections show."""
