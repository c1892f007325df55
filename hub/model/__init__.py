"""The domain model as frozen values: no I/O, no clock, no imports from other packages of the hub."""
