"""Repairs what a verification has found, through new versions: each view is computed again in a step of its own.

First what is stored is made to fit the logs, which members have read; then a step computes what differs from the
claims, and appends rows for it. A repair that is cut short is rolled back, and the next verification finds it again, so
nothing has to be remembered. What fits by now is left as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hub.core.merge.facts import indexed_references
from hub.core.step import Step, StepSettings
from hub.core.verify.checks import is_beside
from hub.core.verify.stored import mended
from hub.model.claims import ClaimKey
from hub.model.policy import Policy
from hub.model.verification import Difference, Doubted, StorePart
from hub.model.words import CanonicalKey
from hub.model.writes import ReceiptCounts, Writes
from hub.store.verification_port import RepairTransaction, VerifiableStore
from hub.worker import run_step

_AT_ONCE = 200
"""Differences of one step: other writers wait for one step at most."""


class Repairs:
    """Repairs differences, and counts those that cannot be repaired."""

    def __init__(self, store: VerifiableStore, settings: StepSettings, now_us: Callable[[], int]) -> None:
        self._store = store
        self._settings = settings
        self._now_us = now_us
        self.beyond: list[Difference] = []
        """What cannot be repaired: claims whose content is damaged. Their sources must send them again."""

    async def repair(self, differences: Sequence[Difference]) -> None:
        """Repair these, in steps."""
        for start in range(0, len(differences), _AT_ONCE):
            async with self._store.repairing() as tx:
                await self._repair(tx, differences[start : start + _AT_ONCE])

    async def _repair(self, tx: RepairTransaction, differences: Sequence[Difference]) -> None:
        policy = await tx.policy()
        some = _Some(policy)
        for one in differences:
            some.add(one)
        doubted = some.doubted
        await self._mend_claims(tx, policy, some)
        await tx.forget_placements(some.misplaced)
        for log, seqs in sorted(some.rows.items()):
            await tx.repair_log(policy, log, seqs)
        things = await tx.things_of(some.objects)
        for at, thing in things.items():
            some.places[at[0], thing] = at[1]
            some.doubtful.add((at[0], thing))
            some.doubt(at[1], thing)
        for log, object_id in sorted(some.objects):
            await tx.mark_newest(log, object_id)
        types = await tx.types_of({thing for _, thing in some.places} | doubted.things)
        await tx.restore_views(policy, some.places, some.doubtful, types)
        await tx.put(Writes(uses=some.uses, counts=some.counts, live=some.live))
        doubted.relationships |= {thing for thing in doubted.things if thing not in types}
        if doubted.used:
            doubted.used |= await tx.used()
            doubted.used = {name.partition("@")[0] for name in doubted.used}
        await run_step(tx, Step.of_doubted(policy, self._settings, self._now_us(), doubted))

    async def _mend_claims(self, tx: RepairTransaction, policy: Policy, some: _Some) -> None:
        writes = Writes()
        for claim in await tx.claims(some.claims.keys()):
            new = mended(claim, policy)
            if new is None:
                self.beyond.append(some.claims[claim.key])
                some.doubted.claims.discard(claim.key)
                continue
            some.doubted.things |= {thing for thing in (claim.thing, new.thing) if thing is not None}
            if new != claim:
                writes.claims.append(new)
            writes.references[claim.key] = indexed_references(new, policy)
        await tx.put(writes)


@dataclass
class _Some:
    """What some differences say, by how it is repaired."""

    policy: Policy
    doubted: Doubted = field(default_factory=Doubted)
    claims: dict[ClaimKey, Difference] = field(default_factory=dict)
    """Contributions that are damaged, or wrongly indexed."""
    misplaced: set[ClaimKey] = field(default_factory=set)
    places: dict[tuple[int, CanonicalKey], str] = field(default_factory=dict)
    doubtful: set[tuple[int, CanonicalKey]] = field(default_factory=set)
    objects: set[tuple[int, str]] = field(default_factory=set)
    """Objects whose newest row is not marked so, or is not that of a view."""
    rows: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    uses: dict[tuple[int, str], int] = field(default_factory=dict)
    counts: dict[int, ReceiptCounts] = field(default_factory=dict)
    live: dict[int, int] = field(default_factory=dict)

    def doubt(self, object_id: str, thing: CanonicalKey) -> None:
        """Have a view computed again."""
        if is_beside(self.policy, object_id):
            self.doubted.used.add(object_id)
        else:
            self.doubted.things.add(thing)

    def add(self, one: Difference) -> None:
        """One difference."""
        log = one.collection
        if one.part in (StorePart.CLAIM, StorePart.INDEX) and one.key is not None:
            self.claims[one.key] = one
            self.doubted.claims.add(one.key)
        elif one.part is StorePart.PLACEMENT and one.key is not None:
            if one.source is None:
                self.misplaced.add(one.key)
            self.doubted.claims.add(one.key)
            self.doubted.things |= {thing for thing in (one.thing,) if thing is not None}
        elif one.part is StorePart.RECEIPT and one.source is not None:
            said = self.counts.get(one.source, ReceiptCounts())
            self.counts[one.source] = replace(said, **{one.object_id: one.by})
        elif one.part is StorePart.LIVE and one.source is not None:
            self.live[one.source] = one.by
        elif one.part is StorePart.USES and log is not None:
            self.uses[log, one.object_id] = one.by
            self.doubted.used.add(one.object_id)
        elif log is not None and one.thing is not None:
            self.places[log, one.thing] = one.object_id
            self.doubt(one.object_id, one.thing)
        elif log is not None and one.object_id:
            self.objects.add((log, one.object_id))
        elif log is not None and one.seq is not None:
            self.rows[log].add(one.seq)
