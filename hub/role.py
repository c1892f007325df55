"""The roles of a process of the hub."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WORKER = "worker"
    DOORS = "doors"
    RELAY = "relay"
