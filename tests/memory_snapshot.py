"""What a verification reads, from a store in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.model.policy import Policy
from hub.model.reads import TURNS, Answers, Reads
from hub.model.tasks import Recompute, RecomputeDue
from hub.model.verification import Difference, StoredSlice
from hub.model.words import CanonicalKey, StixId
from tests.memory import MemoryStore


class MemorySnapshot:
    """See the port. A story verifies between two steps, so nothing changes meanwhile."""

    def __init__(self, store: MemoryStore, policy: Policy) -> None:
        self.policy = policy
        self._store = store
        self.deferred: Mapping[tuple[int, StixId], bytes] = store.answer(Reads().update(TURNS, (None,))).of(TURNS)[None]

    async def unfinished(self) -> list[Recompute | RecomputeDue]:
        return [due.task for due in self._store.tables.tasks.values() if isinstance(due.task, Recompute | RecomputeDue)]

    async def load(self, reads: Reads) -> Answers:
        return self._store.answer(reads)

    async def last_claim(self) -> int:
        return len(self._store.tables.claims)

    async def slice(self, after: int, until: int, limit: int) -> StoredSlice:
        tables = self._store.tables
        claims = list(tables.claims.values())
        found = StoredSlice(None if after + limit >= until else after + limit)
        here = claims[after : min(after + limit, until)]
        earlier = {claim.thing for claim in claims[:after]}
        for claim in here:
            found.references[claim.key] = set(tables.references.get(claim.key, ()))
            if claim.thing is None:
                found.placeable[claim.key] = claim
                found.placements[claim.key] = dict(tables.placements.get(claim.key, {}))
            elif claim.thing not in earlier:
                found.things[claim.thing] = [one for one in claims if one.thing == claim.thing]
        placed: dict[CanonicalKey, dict[int, list[Any]]] = {}
        first: dict[CanonicalKey, int] = {}
        for number, claim in enumerate(claims, 1):
            for no, thing in tables.placements.get(claim.key, {}).items():
                placed.setdefault(thing, {}).setdefault(no, []).append(claim)
                first.setdefault(thing, number)
        for thing, number in first.items():
            if after < number <= after + len(here):
                found.things[thing], found.placed[thing] = [], placed[thing]
        return self._with_views(found)

    def _with_views(self, found: StoredSlice) -> StoredSlice:
        tables = self._store.tables
        for (no, thing), view in tables.views.items():
            if thing in found.things:
                found.views.setdefault(thing, {})[no] = view
                found.rows[no, thing] = tables.changes[no][view.seq - 1]
        return found

    async def without_claims(self, after: bytes, limit: int) -> StoredSlice:
        tables = self._store.tables
        known = {claim.thing for claim in tables.claims.values()}
        known |= {thing for where in tables.placements.values() for thing in where.values()}
        lonely = sorted({thing for _, thing in tables.views if thing not in known and thing > after})
        return self._with_views(StoredSlice(things={thing: [] for thing in lonely[:limit]}))

    async def misplaced(self, limit: int) -> list[Difference]:
        return []

    async def uses(self) -> dict[tuple[int, str], int]:
        return {at: number for at, number in self._store.tables.uses.items() if number}

    async def log_differences(self, log: int, limit: int) -> list[Difference]:
        return []

    async def receipt_differences(self) -> list[Difference]:
        return []
