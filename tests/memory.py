"""The worker's half of the store over dictionaries, so that whole hubs run without a database.

It keeps what a step writes as values and answers a step's reads from them. Nothing is ever lost or repeated here:
what a real store promises beyond that is tested on the real ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from hub.model.breaker import BreakerRecord, BreakerState
from hub.model.claims import Change, Claim, ClaimKey, View, claim_key
from hub.model.held import HeldAs, HeldState
from hub.model.lifecycle import KeptVersions
from hub.model.policy import LOG_OF_NOBODY, NOBODY, Policy, rejections_log
from hub.model.policy_changes import DateSet, HeldSettled, PolicyChange, affected
from hub.model.reads import (
    BODY,
    BREAKER,
    CLAIM,
    DUE,
    HELD,
    ISSUED,
    LATE,
    PAGE,
    PAST,
    PLACED,
    PLACEMENT,
    REFERRERS,
    REFERRING,
    REJECTIONS_LOG,
    REPLACED,
    THING,
    TURNS,
    UNDER_ID,
    USES,
    Answers,
    ClaimsPage,
    DueViews,
    HeldRecord,
    LateThings,
    LateViews,
    Read,
    Reads,
    ThingRecord,
    WaitingVersion,
)
from hub.model.stix_types import fill_part
from hub.model.tasks import DueTask, PublishLate, Recompute, TakeTurns, Task
from hub.model.times import from_us, midnight_after
from hub.model.words import CanonicalKey, Positions, Seq, StixId, TopicPartition
from hub.model.writes import Head, Held, ReceiptCounts, ReceiptPart, Writes
from hub.store.transaction import Stale


@dataclass
class Tables:
    """All that a hub remembers."""

    claims: dict[ClaimKey, Claim] = field(default_factory=dict)
    references: dict[ClaimKey, frozenset[StixId]] = field(default_factory=dict)
    placements: dict[ClaimKey, dict[int, CanonicalKey]] = field(default_factory=dict)
    views: dict[tuple[int, CanonicalKey], View] = field(default_factory=dict)
    past_ids: dict[tuple[int, StixId], View] = field(default_factory=dict)
    uses: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    changes: dict[int, list[Change]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[int, Head] = field(default_factory=dict)
    receipts: list[ReceiptPart] = field(default_factory=list)
    counts: dict[int, ReceiptCounts] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    released: dict[int, Held] = field(default_factory=dict)
    """What was held, is released, and is not processed yet."""
    live: Counter[int] = field(default_factory=Counter)
    breakers: dict[int, BreakerState] = field(default_factory=dict)
    last_held: int = 0
    tasks: dict[int, DueTask] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    due_us: dict[int, int] = field(default_factory=dict)
    """When tasks are to be done, by their numbers."""


class MemoryStore:
    """See the head of this module."""

    def __init__(self, policy: Policy, logs: Mapping[str, int]) -> None:
        """``logs``: the numbers of the logs, by name."""
        self.tables = Tables()
        self.logs = dict(logs)
        self.most_rounds = 0
        """The number of rounds of reads in the step that had most."""
        self._policy = policy
        self._about: dict[CanonicalKey, dict[ClaimKey, None]] = defaultdict(dict)
        self._referring: dict[StixId, set[ClaimKey]] = defaultdict(set)
        self._placed: dict[CanonicalKey, set[ClaimKey]] = defaultdict(set)
        self._things_of: dict[StixId, CanonicalKey] = {}
        self._last_task = 0
        self._answers = self._answer_by()

    # ------------------------------------------------------------ the port

    async def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    async def due(self, now_us: int) -> list[DueTask]:
        """See the port."""
        return [due for no, due in self.tables.tasks.items() if self.tables.due_us[no] <= now_us]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        """One step."""
        yield MemoryTransaction(self)

    @asynccontextmanager
    async def snapshot(self, shared: str | None = None) -> AsyncIterator[Any]:
        """See the port."""
        from tests.memory_snapshot import MemorySnapshot

        yield MemorySnapshot(self, self._policy)

    # ------------------------------------------------------------ changes

    def change(self, change: PolicyChange, now_us: int, **fields: Any) -> None:
        """Let another policy hold, and leave what it affects."""
        self._policy = replace(self._policy, number=self._policy.number + 1, **fields)
        self.leave(affected(change), now_us)

    def leave(self, tasks: Collection[Task], time_us: int, *, due_us: int = 0) -> None:
        """Leave tasks, each from its beginning, to be done at a time or at once."""
        self.cancel(tasks)
        for task in tasks:
            self._last_task += 1
            self.tables.tasks[self._last_task] = DueTask(self._last_task, task, b"", time_us)
            self.tables.due_us[self._last_task] = due_us

    def _publish_late(self, task: Task, due_us: int) -> None:
        same = [no for no, due in self.tables.tasks.items() if due.task == task]
        if not same:
            self.leave([task], due_us, due_us=due_us)
        for no in same:
            self.tables.due_us[no] = min(due_us, self.tables.due_us[no])

    def cancel(self, tasks: Collection[Task]) -> None:
        """Let these be done no more."""
        kept = {no: due for no, due in self.tables.tasks.items() if due.task not in tasks}
        self.tables.tasks = kept

    def trips(self) -> dict[int, int]:
        """How much is held by each source's breaker that has tripped."""
        by_breaker = [one.source for one in self.tables.held.values() if one.held_as >= HeldAs.BY_BREAKER]
        tripped = [no for no, state in self.tables.breakers.items() if state.tripped_us is not None]
        return {no: by_breaker.count(no) for no in tripped}

    def settle(self, source: int, now_us: int, *, confirm: bool) -> None:
        """Decide about what a source's breaker holds."""
        tables = self.tables
        held = {no: one for no, one in tables.held.items() if one.source == source and one.held_as >= HeldAs.BY_BREAKER}
        tables.held = {no: one for no, one in tables.held.items() if no not in held}
        state = HeldState.RELEASED if confirm else HeldState.REFUSED
        if confirm:
            tables.released |= held
        tables.breakers[source] = BreakerState(() if confirm else tables.breakers[source].minutes)
        self.change(HeldSettled(state, len(held), {}), now_us)

    def set_date(self, task: DueTask, now_us: int) -> None:
        """Set the date to that of now, and have the task done again at midnight."""
        day = from_us(now_us).date()
        if self._policy.today is None or self._policy.today < day:
            self.change(DateSet(day.isoformat()), now_us, today=date.fromordinal(day.toordinal()))
        self.tables.due_us[task.no] = midnight_after(now_us)

    # ------------------------------------------------------------ answers

    def answer(self, reads: Reads) -> Answers:
        """All answers."""
        answers = Answers()
        for kind, answer in self._answers.items():
            if keys := reads.about(kind):
                answers.put(kind, {key: answer(key, reads.referrer_limit) for key in keys})
        return answers

    def _answer_by(self) -> dict[Read[Any, Any], Callable[[Any, int], Any]]:
        """What answers each kind of read, of a key and the limit of referrers."""
        tables = self.tables
        return {
            CLAIM: lambda key, _: tables.claims.get(key),
            REPLACED: lambda key, _: tables.claims.get(key),
            THING: lambda thing, _: self._record(thing),
            UNDER_ID: lambda stix_id, _: self._under(stix_id),
            REFERRERS: self._referrers,
            PAGE: lambda at, limit: self._page(at[0], at[1], limit),
            PLACEMENT: lambda key, _: dict(tables.placements.get(key, {})),
            PLACED: lambda thing, _: self._standing(thing),
            BODY: lambda at, _: tables.changes[at[0]][at[1] - 1].body,
            USES: lambda at, _: tables.uses.get(at, 0),
            ISSUED: lambda stix_id, _: self._things_of.get(stix_id),
            PAST: lambda at, _: self._past(at),
            HELD: lambda at, _: self._held(at),
            DUE: lambda at, _: self._due(at),
            LATE: lambda at, _: self._late(at),
            REJECTIONS_LOG: lambda no, _: self._rejections(no),
            TURNS: lambda _, __: self._turns(),
            BREAKER: lambda no, _: BreakerRecord(tables.breakers.get(no, BreakerState()), tables.live[no]),
            REFERRING: lambda name, _: len(self._referring.get(name, ())),
        }

    def _due(self, at: DueViews) -> list[CanonicalKey]:
        views = self.tables.views.values()
        due = [(v.due_day, v.thing) for v in views if v.collection == at.collection and v.due_day is not None]
        return [thing for day, thing in sorted(due) if day <= at.day][: at.limit]

    def _late(self, at: LateViews) -> LateThings:
        views = self.tables.views.values()
        late = sorted((v.late_us, v.thing) for v in views if v.collection == at.collection and v.late_us is not None)
        due = [thing for us, thing in late if us <= at.until_us]
        return LateThings(due[: at.limit], min((us for us, _ in late if us > at.until_us), default=None))

    def _rejections(self, source: int) -> int:
        sender = self._policy.sources.get(source, NOBODY)
        name = LOG_OF_NOBODY if sender is NOBODY else rejections_log(sender.kind, sender.name)
        return self.logs.setdefault(name, len(self.logs) + 1)

    def _record(self, thing: CanonicalKey) -> ThingRecord:
        views = {no: view for no in self._policy.collections if (view := self.tables.views.get((no, thing)))}
        return ThingRecord([self.tables.claims[key] for key in self._about.get(thing, ())], views)

    def _under(self, stix_id: StixId) -> list[Claim]:
        keys = [claim_key(no, stix_id) for no in self._policy.sources]
        return [claim for key in keys if (claim := self.tables.claims.get(key)) is not None]

    def _referrers(self, name: StixId, referrer_limit: int) -> list[Claim] | None:
        keys = sorted(self._referring.get(name, ()))
        many = len(keys) > referrer_limit and not name.startswith("feedback-on:")
        return None if many else [self.tables.claims[key] for key in keys]

    def _page(self, name: StixId, after: bytes, referrer_limit: int) -> list[Claim]:
        keys = sorted(key for key in self._referring.get(name, ()) if key > after)
        return [self.tables.claims[key] for key in keys[:referrer_limit]]

    def _standing(self, thing: CanonicalKey) -> dict[int, list[Claim]]:
        found: dict[int, list[Claim]] = defaultdict(list)
        for key in sorted(self._placed.get(thing, ())):
            for no, placed in self.tables.placements[key].items():
                if placed == thing:
                    found[no].append(self.tables.claims[key])
        return found

    def _past(self, at: tuple[int, StixId]) -> Change | None:
        view = self.tables.past_ids.get(at)
        if view is None:
            return None
        rows = self.tables.changes[at[0]]
        last = rows[view.seq - 1]
        return last if last.body or last.before is None else rows[last.before - 1]

    def _held(self, at: tuple[int, StixId]) -> HeldRecord:
        every = [*self.tables.held.values(), *self.tables.released.values()]
        held = [one for one in every if (one.source, one.stix_id) == at]
        return HeldRecord(
            tuple(WaitingVersion(one.stamp, one.modified_us, one.digest, one.held_as, one.withdrawal) for one in held),
            frozenset(),
        )  # no story refuses an object for its content

    def _turns(self) -> dict[tuple[int, StixId], bytes]:
        tasks = [(due.task, due.cursor) for due in self.tables.tasks.values()]
        return {(task.collection, task.name): cursor for task, cursor in tasks if isinstance(task, TakeTurns)}

    # ------------------------------------------------------------ writing

    def write(self, writes: Writes) -> None:
        """All that a step writes."""
        for claim in sorted(writes.claims, key=lambda one: (one.stamp, one.key)):  # they are numbered in this order
            self._write_claim(claim)
        for key, names in writes.references.items():
            for name in self.tables.references.get(key, ()):
                self._referring[name].discard(key)
            self.tables.references[key] = frozenset(names)
            for name in names:
                self._referring[name].add(key)
        for key, where in writes.placements.items():
            for thing in self.tables.placements.get(key, {}).values():
                self._placed[thing].discard(key)
            self.tables.placements[key] = where
            for thing in where.values():
                self._placed[thing].add(key)
        self._write_views(writes)
        self._write_receipts(writes)
        self.cancel(writes.cancelled)
        self.leave(writes.tasks, writes.time_us)

    def _write_claim(self, claim: Claim) -> None:
        old = self.tables.claims.get(claim.key)
        if old is not None and old.thing is not None:
            self._about[old.thing].pop(claim.key, None)
        # decoded again when it is read, as from a real store
        kept = replace(claim, parsed=None, _marks=None, _beside_author=None)
        self.tables.claims[claim.key] = kept
        if claim.thing is not None:
            self._about[claim.thing][claim.key] = None

    def _write_views(self, writes: Writes) -> None:
        tables = self.tables
        for place, day in writes.due_days.items():
            tables.views[place] = replace(tables.views[place], due_day=day)
        for place, late_us in writes.late.items():
            tables.views[place] = replace(tables.views[place], late_us=late_us)
            if late_us is not None:
                self._publish_late(PublishLate(place[0]), late_us)
        for view in writes.views:
            tables.views[view.collection, view.thing] = view
            self._things_of[view.object_id] = view.thing
        tables.past_ids.update({(view.collection, view.object_id): view for view in writes.past_ids})
        for change in sorted(writes.changes, key=lambda change: (change.log, change.seq)):
            rows = tables.changes[change.log]
            assert change.seq == len(rows) + 1, "a log has no gap"
            rows.append(change)
        tables.heads.update(writes.heads)
        for at, delta in writes.uses.items():
            tables.uses[at] += delta

    def _write_receipts(self, writes: Writes) -> None:
        tables = self.tables
        tables.receipts.extend(writes.receipts)
        for no, more in writes.counts.items():
            tables.counts[no] = _sum(tables.counts.get(no, ReceiptCounts()), more)
        for at, some in writes.superseding.items():
            for waiting in (tables.held, tables.released):
                for no, held in list(waiting.items()):
                    if (held.source, held.stix_id) == at and any(
                        one.supersedes(held.stamp, held.modified_us, held.held_as) for one in some
                    ):
                        del waiting[no]
        for held in writes.held:
            tables.last_held += 1
            tables.held[tables.last_held] = held
        for no in writes.released:
            tables.released.pop(no, None)
        for source, change in writes.live.items():
            tables.live[source] += change
        tables.breakers.update(writes.breakers)


def _sum(one: ReceiptCounts, other: ReceiptCounts) -> ReceiptCounts:
    return ReceiptCounts(
        one.accepted + other.accepted,
        one.unchanged + other.unchanged,
        one.held + other.held,
        one.rejected + other.rejected,
    )


class MemoryTransaction:
    """One step; what it is given is written at once, since a step writes when it can fail no more."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._rounds = 0

    async def policy(self) -> Policy:
        """See the port."""
        return await self._store.policy()

    async def load(self, reads: Reads, policy: Policy) -> Answers:
        """See the port."""
        self._rounds += 1
        self._store.most_rounds = max(self._store.most_rounds, self._rounds)
        return self._store.answer(reads)

    async def heads(self, logs: Collection[int]) -> dict[int, Head]:
        """See the port."""
        return {no: self._store.tables.heads.get(no, Head(Seq(0), 0)) for no in logs}

    async def prepare(self, writes: Writes) -> None:
        """See the port."""

    async def write(self, writes: Writes) -> None:
        """See the port."""
        self._store.write(writes)

    async def advance(self, start: Positions, end: Positions, now_us: int) -> None:
        """See the port."""
        positions = self._store.tables.positions
        if any(positions.get(at, start[at]) != start[at] for at in end):
            raise Stale
        positions.update(end)

    async def take(self, task: DueTask) -> bool:
        """See the port."""
        return self._store.tables.tasks.get(task.no) == task

    async def move(self, task: DueTask, cursor: bytes | None, due_us: int | None = None) -> None:
        """See the port."""
        tasks = self._store.tables.tasks
        if due_us is not None:
            self._store.tables.due_us[task.no] = due_us
        if cursor is None:
            tasks.pop(task.no, None)
        elif task.no in tasks:
            tasks[task.no] = replace(task, cursor=cursor)

    async def alone(self) -> None:
        """See the port."""

    async def start(self, task: DueTask, now_us: int) -> DueTask:
        """See the port. The numbers of claims are their places in the dictionary, from 1."""
        tables = self._store.tables
        started = tables.tasks[task.no] = replace(task, until=len(tables.claims))
        return started

    async def page(self, task: DueTask, after: bytes, limit: int) -> ClaimsPage:
        """See the port."""
        claims = self._store.tables.claims
        of = await self._covered(task.task)
        kind = task.task.type if isinstance(task.task, Recompute) else None
        is_fill = isinstance(task.task, Recompute) and task.task.collection is not None
        covered = sorted(
            bytes([fill_part(claims[key].type)]) + key
            for no, key in enumerate(claims, 1)
            if (no <= (task.until or 0) or is_fill)
            and (of is None or claims[key].source in of)
            and kind in (None, claims[key].type)
        )
        found = [place for place in covered if place > after][:limit]
        return ClaimsPage([ClaimKey(place[1:]) for place in found], found[-1] if len(found) == limit else None)

    async def _covered(self, task: Task) -> set[int] | None:
        if not isinstance(task, Recompute) or task.source is None:
            return None
        sources = (await self._store.policy()).sources
        members = (one.no for one in sources.values() if one.accredited_by == task.source)
        return {task.source, *(members if task.with_members else ())}

    async def note(self, task: DueTask, done: int, now_us: int) -> None:
        """See the port. Nobody asks."""

    async def drop_versions(self, collection: int, kept: KeptVersions, limit: int) -> bool:
        """See the port; deleting is tested on real stores."""
        return False

    async def set_date(self, task: DueTask, now_us: int) -> None:
        """See the port."""
        self._store.set_date(task, now_us)

    async def released(self, limit: int) -> list[Held]:
        """See the port."""
        return [replace(one, no=no) for no, one in sorted(self._store.tables.released.items())][:limit]
