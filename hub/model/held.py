"""Objects that wait for the operator, and what became of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class HeldState(StrEnum):
    """Where a held object stands."""

    WAITING = "waiting"
    RELEASED = "released"
    """A worker takes it up soon."""
    TAKEN = "taken"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """Its source has said something newer under the same id."""


@dataclass(frozen=True, slots=True)
class HeldObject:
    """An object that is or was held."""

    no: int
    source: str
    stix_id: str
    code: str
    list_name: str
    says: str
    at_us: int
    state: HeldState
    receipt: str | None
    value: bytes
    """The object as it came; empty in listings."""


@dataclass(frozen=True, slots=True)
class HeldChoice:
    """Which held objects are meant; empty means all."""

    numbers: Collection[int] = ()
    list_name: str | None = None
    source: int | None = None
