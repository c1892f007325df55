"""Which claims one step of a task over claims computes together, for each audience.

The rows that a step makes in a collection are ordered and dated together, so a step must not depend on claims that the
audience of the collection never saw. Therefore the claims are read in an order that depends on nothing but themselves,
and for each audience only those are counted that it sees, or saw before the change that caused the task. Collections
of one audience are computed together. Source: docs/semantics.md, section 7.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from hub.core.merge.facts import AskedTogether, Facts, Missing
from hub.core.merge.known import goes_along
from hub.core.merge.project import deciding_by
from hub.core.merge.reach import Reach, reach
from hub.model.claims import Claim, ClaimKey
from hub.model.policy import Audience, Policy
from hub.model.reads import Answers, Reads
from hub.model.words import GroupName, Level


class _Waiting(msgspec.Struct, array_like=True):
    level: Level
    group: GroupName
    keys: tuple[ClaimKey, ...]


class _Stored(msgspec.Struct, array_like=True):
    after: bytes | None
    waiting: list[_Waiting]


class ClaimGroup(NamedTuple):
    """Claims to compute in one step, for these audiences."""

    keys: tuple[ClaimKey, ...]
    audiences: frozenset[Audience]


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a task is: where to read on, and what has been read but not computed."""

    after: bytes | None = b""
    """Where the store continues; None: all claims have been read."""
    waiting: Mapping[Audience, tuple[ClaimKey, ...]] = field(default_factory=dict)
    """For each audience the claims that count and are not computed yet, in the order in which they were read."""

    @classmethod
    def at(cls, cursor: bytes) -> Walk:
        """The walk of a stored cursor; an empty one is its start."""
        if not cursor:
            return cls()
        stored = msgspec.msgpack.decode(cursor, type=_Stored)
        waiting = {Audience(one.level, one.group): one.keys for one in stored.waiting}
        return cls(stored.after, waiting)

    @property
    def cursor(self) -> bytes | None:
        """To be stored; None: the task is done."""
        if self.after is None and not self.waiting:
            return None
        waiting = [_Waiting(at.level, at.group, keys) for at, keys in self.waiting.items()]
        return msgspec.msgpack.encode(_Stored(self.after, waiting))

    def ready(self, limit: int) -> ClaimGroup | None:
        """The next claims to compute: ``limit`` of one audience, or the rest; None if more must be read first."""
        for _, keys in sorted(self.waiting.items()):
            if len(keys) >= limit or self.after is None:
                first = keys[:limit]
                same = [at for at, others in self.waiting.items() if others[:limit] == first]
                return ClaimGroup(first, frozenset(same))
        return None

    def read(self, seen: Mapping[Audience, Sequence[ClaimKey]], after: bytes | None) -> Walk:
        """The walk after more claims have been read, of which these count."""
        more = {at: (*self.waiting.get(at, ()), *keys) for at, keys in seen.items() if keys}
        return Walk(after, {**self.waiting, **more})

    def computed(self, group: ClaimGroup) -> Walk:
        """The walk after a group was computed."""
        done = len(group.keys)
        left = {at: keys[done:] if at in group.audiences else keys for at, keys in self.waiting.items()}
        return Walk(self.after, {at: keys for at, keys in left.items() if keys})

    def among(self, audiences: Collection[Audience]) -> Walk:
        """The walk for these audiences only."""
        return Walk(self.after, {at: keys for at, keys in self.waiting.items() if at in audiences})


def counted_for(
    claims: Iterable[Claim], audiences: Collection[Audience], policies: Sequence[Policy]
) -> Generator[Reads, Answers, Mapping[Audience, Sequence[ClaimKey]]]:
    """The claims that each audience sees by one of the policies, without those whose objects only go along with others.
    Yields the reads for what the claims' own markings decide.
    """
    facts = Facts(policies[0], {})
    counted = [claim for claim in claims if not claim.state.is_withdrawn and not goes_along(claim, policies[0])]
    decide = deciding_by(facts.claim)
    while True:
        seen: dict[Audience, list[ClaimKey]] = {audience: [] for audience in audiences}
        together = AskedTogether()
        for claim in counted:
            with together:
                found = [one for policy in policies if isinstance(one := reach(claim, policy, decide), Reach)]
                for audience in audiences:
                    if any(one.recipients.include(audience) for one in found):
                        seen[audience].append(claim.key)
        try:
            together.end()
        except Missing:
            facts.tell((yield facts.asked()))
        else:
            return seen
