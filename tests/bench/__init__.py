"""Measurements, never tests: ``make bench`` prints each figure with the command that made it."""
