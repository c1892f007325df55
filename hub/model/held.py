"""Objects held for the operator, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class HeldState(StrEnum):
    """The state of a held object."""

    WAITING = "waiting"
    RELEASED = "released"
    """Released; a worker will process it soon."""
    TAKEN = "taken"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """Its source has since sent a newer version, or a withdrawal, under the same id."""


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
    """The object as received; empty in listings."""


@dataclass(frozen=True, slots=True)
class HeldChoice:
    """A selection of held objects; if empty, all of them."""

    numbers: Collection[int] = ()
    list_name: str | None = None
    source: int | None = None
