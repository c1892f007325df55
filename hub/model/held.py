"""Objects held for the operator, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from hub.model.problems import Code
from hub.model.words import CanonicalKey, StixId, Withdrawal


class HeldState(StrEnum):
    """The state of a held object."""

    WAITING = "waiting"
    RELEASED = "released"
    """Released; a worker will process it soon."""
    TAKEN = "taken"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """Its source has since sent a newer version, or a withdrawal, under the same id."""


class HeldAs(IntEnum):
    """Why something is held; ordered by how much supersedes it."""

    FOR_CONTENT = 0
    """An object, for a list or a rule: an operator must look at it."""
    BY_BREAKER = 1
    """An object or a withdrawal, because its source takes back too much."""
    NOT_LISTED = 2
    """A soft withdrawal, by the breaker: superseded as soon as the source lists the object again."""


def held_as(code: str, withdrawal: Withdrawal | None) -> HeldAs:
    """Why something is held that waits with this code."""
    if code != Code.BREAKER_MASS_WITHDRAWAL:
        return HeldAs.FOR_CONTENT
    return HeldAs.NOT_LISTED if withdrawal is Withdrawal.SOFT else HeldAs.BY_BREAKER


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
    """The object as received; empty in listings, and for a withdrawal."""
    withdrawal: Withdrawal | None = None
    """What it does if it is a withdrawal."""


class HeldAbout(NamedTuple):
    """An object about a thing that is held, or was refused."""

    thing: CanonicalKey | None
    """None: it is not known what it is about, beside its id."""
    source: int
    stix_id: StixId
    code: str
    state: HeldState


@dataclass(frozen=True, slots=True)
class HeldChoice:
    """A selection of held objects; if empty, all of them."""

    numbers: Collection[int] = ()
    list_name: str | None = None
    source: int | None = None
    by_breaker: bool | None = None
    """Whether the breaker holds them; None: whether or not."""
