"""The worker: take a batch, run the pure core over it, write everything in one transaction.

A crash anywhere leaves either all of a batch or nothing of it, and a replay changes nothing. That is the whole
guarantee; no second mechanism stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import structlog

from hub import worker_metrics
from hub.clock import IN_DOUBT
from hub.core import journey
from hub.core.journey import Admitted, Arrival, Claimed, Outcome
from hub.core.merge.known import known_objects
from hub.core.merge.scene import indexed_references
from hub.core.merge.stamp import stamp as stamped
from hub.core.merge.weave import Weave
from hub.log.port import INTAKE_PREFIX, Batch, Consumer, StoredRecord
from hub.model.claims import Change, Claim
from hub.model.clock import JUMP_US
from hub.model.errors import HubError, TryAgain
from hub.model.policy import Policy
from hub.model.problems import Code, Problem
from hub.model.record_headers import RecordHeaders, read_headers
from hub.model.step import (
    CROWD,
    REFERRERS,
    Head,
    Held,
    ReceiptCounts,
    ReceiptPart,
    Wanted,
    Word,
    Writes,
    is_overtaken,
    last_words,
)
from hub.model.times import stix_time, to_us
from hub.model.words import Limits, Seq, Stamp, State, StixId, stamp
from hub.patterns import values_in
from hub.store.port import Store, Sweep, Transaction

_log = structlog.get_logger()
_EXCERPT_BYTES = 512
_LONGEST_ID = 255
_LAG_EVERY_S = 5.0
_UNFORESEEN_MOST = 20
"""So many records of a batch that nobody foresaw are refused; with more it is rather the hub that is broken."""
_DOUBT_S = 0.5
"""So often a worker asks whether its clock is right again."""
_BACKOFF_S = (0.05, 0.2, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is told; sizes of one step bound its memory and its hold on locks."""

    limits: Limits = field(default_factory=Limits)
    batch_records: int = 1_000
    batch_bytes: int = 4 << 20
    sweep_claims: int = 500
    crowd: int = CROWD
    """More referrers of one late id than this have their turn in steps after the batch that brought it."""
    wait_s: float = 0.25
    rules_url: str = "/rules/"
    hold: journey.Hold = journey.no_hold


class Worker:
    """Carries batches from the log into the store until it is stopped."""

    def __init__(self, consumer: Consumer, store: Store, settings: WorkerSettings, now_us: Callable[[], int]) -> None:
        self._consumer = consumer
        self._store = store
        self._settings = settings
        self._now_us = now_us
        self.halved = 0
        """How many batches raised what nobody foresaw."""
        self._unforeseen = 0
        """Records that did so, of the last such batch."""
        self.steps = 0
        """How many steps were carried out; a health check looks whether it still moves."""
        self._lag_due_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; what is in hand is finished. A store or log that is away is waited for."""
        failed = 0
        while not stop.is_set():
            try:
                self._now_us()  # raises while the clock is in doubt, before anything is taken
                await self.step()
                await self._note_lag()
                failed = 0
            except TryAgain as error:
                if error.code == IN_DOUBT:  # whoever judges the clock has told
                    await self._consumer.rewind()
                    await _sleep(stop, _DOUBT_S)
                    continue
                _log.warning("batch.again", code=error.code, says=error.says, way_out=error.way_out)
                worker_metrics.RETRIES.labels(error.code).inc()
                await self._consumer.rewind()
                pause = _BACKOFF_S[min(failed, len(_BACKOFF_S) - 1)]
                failed += 1
                await _sleep(stop, pause if error.code != "worker.stale" else 0)

    async def step(self) -> int:
        """Carry one batch and one part of a sweep; returns how many records, contributions and releases it did."""
        self.steps += 1
        swept = await self.sweep() if await self._store.has_chores() else 0
        settings = self._settings
        batch = await self._consumer.take(
            limit=settings.batch_records, limit_bytes=settings.batch_bytes, wait_s=0 if swept else settings.wait_s
        )
        if batch.records:
            await self.carry(batch)
        return swept + len(batch.records)

    async def carry(self, batch: Batch) -> None:
        """Carry a batch from the log into the store, whole or not at all.

        What nobody foresaw must not stall its partition: the batch is halved until the record that it comes from stands
        alone, and that one is refused. When many are like that, it is not the records.
        """
        error = await self._attempt(batch)
        if error is None:
            return
        self.halved += 1
        self._unforeseen = 0
        worker_metrics.HALVED.inc()
        # in a thread: what is written of an error is read from the source files
        await asyncio.to_thread(_log.error, "batch.halved", records=len(batch.records), exc_info=error)
        await self._carry_in_parts(batch, error)

    async def _attempt(self, batch: Batch) -> Exception | None:
        """Carry a batch; gives what nobody foresaw."""
        try:
            await self._carry(batch)
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001 - told by the caller, and raised again when there are many
            return error
        return None

    async def _carry_in_parts(self, batch: Batch, error: Exception) -> None:
        if len(batch.records) == 1:
            self._unforeseen += 1
            if self._unforeseen > _UNFORESEEN_MOST:
                raise error
            topic, way_out = batch.records[0].topic, "Report what stands below."
            await asyncio.to_thread(_log.error, "record.not_processed", topic=topic, way_out=way_out, exc_info=error)
            says = f"The hub met a {type(error).__name__} that nobody foresaw; its operator has been told."
            await self._carry(batch, Problem(Code.RECORD_NOT_PROCESSED, "", says))
            return
        for half in batch.halves():
            if (inner := await self._attempt(half)) is not None:
                await self._carry_in_parts(half, inner)

    async def _carry(self, batch: Batch, refused: Problem | None = None) -> None:
        began = time.perf_counter()
        settings = self._settings
        policy = await self._store.policy()
        arrivals = self._arrivals(batch.records, policy, refused)
        ready = list(journey.admitted(arrivals, policy, settings.limits, settings.hold))
        async with self._store.transaction() as tx:
            now = await tx.policy()
            if now is not policy:  # the operator was faster: judge again by the policy in force
                arrivals = self._arrivals(batch.records, now, refused)
                ready = list(journey.admitted(arrivals, now, settings.limits, settings.hold))
            now_us = self._now_us()
            await tx.advance(batch.start, batch.end, now_us)
            settling = time.perf_counter()
            counts = await self._settle(tx, now, ready, now_us)
            settled = time.perf_counter()
        worker_metrics.note_batch(len(batch.records), time.perf_counter() - began, settled - settling)
        worker_metrics.note_objects({now.centres[no].name: of_centre for no, of_centre in counts.items()})

    async def _note_lag(self) -> None:
        """Say how far behind we are, now and then; a log that is away just then says so in the next step."""
        if time.monotonic() >= self._lag_due_s:
            self._lag_due_s = time.monotonic() + _LAG_EVERY_S
            with contextlib.suppress(TryAgain):
                worker_metrics.note_lag(await self._consumer.lag())

    async def sweep(self) -> int:
        """Carry out a bounded part of the oldest change of policy and of what earlier steps have left, and take up what
        the operator released.
        """
        done = await self._release() + await self._sweep_policy()
        async with self._store.transaction() as tx:
            left = await tx.left()
        oldest = {task.scope.split(":")[1]: task for task in reversed(left)}
        for task in oldest.values():  # one step for each collection: none learns how much the others have to do
            done += await self._step_left(task)
        return done

    async def _sweep_policy(self) -> int:
        async with self._store.transaction() as tx:
            found = await tx.sweep(self._settings.sweep_claims)
            if found is None:
                return 0
            task, keys = found
            policy = await tx.policy()
            claims = (await tx.load(Wanted(claims=set(keys)), policy)).claims
            writes = Writes()
            again = [claims[key] for key in keys if key in claims]
            weave = Weave(policy, {}, again, crowd=self._settings.crowd, pending=await _pending(tx))
            await _merge(tx, policy, weave, writes, max(task.time_us, self._now_us()), {})
            await tx.write(writes)
            return max(len(keys), 1)

    async def _step_left(self, task: Sweep) -> int:
        """The next of those that wait for an id in a collection; their rows carry the time of the batch it came in."""
        _, no, name = task.scope.split(":", 2)
        async with self._store.transaction() as tx:
            policy = await tx.policy()
            if int(no) not in policy.collections:
                await tx.move_left(task, None)
                return 1
            weave = Weave(policy, {}, only=int(no), crowd=self._settings.crowd, pending=await _pending(tx))
            weave.resume(int(no), StixId(name), task.cursor)
            writes = Writes()
            await _merge(tx, policy, weave, writes, task.time_us, {})
            await tx.move_left(task, weave.reached)
            await tx.write(writes)
        return 1

    async def _release(self) -> int:
        async with self._store.transaction() as tx:
            waiting = await tx.released(self._settings.sweep_claims)
            if not waiting:
                return 0
            policy = await tx.policy()
            arrivals = [
                Arrival(
                    policy.centres[held.centre], held.value, held.stix_id, Stamp(held.stamp), held.at_us, "", 0, 0,
                    held.index, None, released=True,
                )
                for held in waiting
                if held.centre in policy.centres
            ]  # fmt: skip
            ready = list(journey.admitted(arrivals, policy, self._settings.limits, self._settings.hold))
            await self._settle(tx, policy, ready, self._now_us(), [held.no for held in waiting])
            return len(waiting)

    # ------------------------------------------------------------ records to arrivals

    def _arrivals(
        self, records: Sequence[StoredRecord], policy: Policy, unforeseen: Problem | None = None
    ) -> list[Arrival]:
        by_topic = {INTAKE_PREFIX + centre.name: centre for centre in policy.centres.values()}
        found: list[Arrival] = []
        now_us = self._now_us()
        misdated: dict[tuple[str, int], int] = {}
        for record in records:
            centre = by_topic.get(record.topic)
            if centre is None:
                _log.warning("record.of_nobody", topic=record.topic)
                continue
            headers = read_headers(record.headers)
            at_us = to_us(record.time)
            if at_us == 0 or at_us > now_us + JUMP_US:  # dated by a wrong clock, or not at all: it came by now at last
                at_us = misdated[record.topic, record.partition] = now_us
            elif misdated:  # what follows it is later
                at_us = max(at_us, misdated.get((record.topic, record.partition), 0))
            refused, values = (unforeseen, [record.value]) if unforeseen else self._values(record, headers)
            stix_id = _id_in(record.key) if record.key else None
            for i, value in enumerate(values):
                found.append(
                    Arrival(
                        centre, value, stix_id, stamp(at_us, record.partition, record.offset, i), at_us, record.topic,
                        record.partition, record.offset, headers.index + i, headers.receipt, refused,
                        size_bytes=headers.size_bytes or 0,
                    )
                )  # fmt: skip
        return found

    def _values(self, record: StoredRecord, headers: RecordHeaders) -> tuple[Problem | None, Sequence[bytes | None]]:
        """The objects of a record, or why it holds none. What was pushed is split already."""
        if headers.size_bytes is not None:
            size, limit = headers.size_bytes, self._settings.limits.object_bytes
            over = f"the limit is {limit}" if size > limit else "the event log's topic takes no record of this size"
            return Problem(Code.OBJECT_TOO_LARGE, "", f"The object has {size} bytes; {over}."), [record.value]
        if record.value is None:
            if record.key is None:
                return Problem(
                    Code.RECORD_EMPTY, "", "A record without key and value says nothing; key a withdrawal."
                ), [None]
            return None, [None]
        if headers.receipt is not None:
            return None, [record.value]
        objects = journey.objects_in(record.value, self._settings.limits)
        return (objects, [record.value]) if isinstance(objects, Problem) else (None, objects)

    # ------------------------------------------------------------ the one transaction

    async def _settle(
        self, tx: Transaction, policy: Policy, ready: Sequence[Admitted], now_us: int, released: Sequence[int] = ()
    ) -> Mapping[int, ReceiptCounts]:
        """Merge and write; gives per centre what its objects came to."""
        wanted = Wanted(
            claims=journey.keys_of(ready, policy), issued=journey.issued_ids(ready), held=journey.held_ids(ready)
        )
        loaded = await tx.load(wanted, policy)
        if parts := journey.parts_behind(loaded.claims.values()) - wanted.claims:
            loaded.claims.update((await tx.load(Wanted(claims=parts), policy)).claims)
        done = journey.claimed(ready, loaded, policy)
        writes = Writes(claims=[new for _, new in done.changed.values()], released=list(released))
        for key, (old, new) in done.changed.items():
            refs = indexed_references(new, policy)
            if refs or (old is not None and indexed_references(old, policy)):
                writes.references[key] = refs
            if new.thing is not None and (old is None or old.thing != new.thing) and (values := _values(new)):
                writes.values[new.thing] = values
        self._account(writes, done, now_us)
        refusals = [outcome for outcome in done.outcomes if outcome.state is State.REJECTED]
        weave = Weave(policy, done.changed, crowd=self._settings.crowd, pending=await _pending(tx))
        await _merge(tx, policy, weave, writes, now_us, await self._refusals(tx, refusals))
        await tx.write(writes)
        return writes.counts

    def _account(self, writes: Writes, done: Claimed, now_us: int) -> None:
        """The receipts' counts and problems, the centres' counts, and what waits for the operator."""
        parts: dict[tuple[str, int], tuple[dict[State, int], list[dict[str, object]]]] = {}
        totals: dict[int, dict[State, int]] = {}
        for outcome in done.outcomes:
            arrival = outcome.admitted.arrival
            if not arrival.released:
                _count(totals.setdefault(arrival.centre.no, {}), outcome.state)
            if arrival.receipt is not None:
                # By centre as well: what a centre writes into its records' headers concerns its own receipts only.
                by_state, said = parts.setdefault((arrival.receipt, arrival.centre.no), ({}, []))
                _count(by_state, outcome.state)
                said.extend(_said(outcome, problem) for problem in outcome.problems)
            if outcome.state is State.HELD and not outcome.admitted.claims:
                writes.held.append(_held(outcome, now_us))
            if outcome.overtakes:
                at = (arrival.centre.no, StixId(outcome.admitted.stix_id or ""))
                writes.overtaking.setdefault(at, []).append(_word(outcome.admitted))
        writes.overtaking = {at: last_words(said) for at, said in writes.overtaking.items()}
        writes.held = [
            held
            for held in writes.held
            if not is_overtaken(writes.overtaking[held.centre, StixId(held.stix_id)], held.stamp, held.modified_us)
        ]
        for (receipt, centre), (by_state, said) in parts.items():
            writes.receipts.append(ReceiptPart(receipt, centre, _counts(by_state), tuple(said)))
        writes.counts = {centre: _counts(by_state) for centre, by_state in totals.items()}

    async def _refusals(self, tx: Transaction, outcomes: Sequence[Outcome]) -> dict[int, list[dict[str, object]]]:
        """The entries of the centres' logs of rejections, by log, without number and time."""
        found: dict[int, list[dict[str, object]]] = {}
        logs: dict[int, int] = {}
        for outcome in outcomes:
            arrival, problem = outcome.admitted.arrival, outcome.problems[0]
            if arrival.centre.no not in logs:
                logs[arrival.centre.no] = await tx.rejections_log(arrival.centre.no)
            found.setdefault(logs[arrival.centre.no], []).append(
                {
                    "centre": arrival.centre.name,
                    "receipt": arrival.receipt,
                    "topic": arrival.topic,
                    "partition": arrival.partition,
                    "offset": arrival.offset,
                    "index": arrival.index,
                    "id": outcome.admitted.stix_id,
                    "code": problem.code.value,
                    "pointer": problem.at,
                    "message": problem.says,
                    "rule_url": self._settings.rules_url + problem.code.value,
                    "excerpt": (arrival.value or b"")[:_EXCERPT_BYTES].decode("utf-8", "replace"),
                }
            )
        return found


async def _pending(tx: Transaction) -> dict[tuple[int, StixId], bytes]:
    """What earlier steps have left, by collection and name: how far it is done."""
    found = {}
    for task in await tx.left():
        _, no, name = task.scope.split(":", 2)
        found[int(no), StixId(name)] = task.cursor
    return found


async def _merge(
    tx: Transaction,
    policy: Policy,
    weave: Weave,
    writes: Writes,
    now_us: int,
    refusals: dict[int, list[dict[str, object]]],
) -> None:
    """Weave to a fixed point, then number and date what changed."""
    while wanted := weave.wanted():
        weave.give(await tx.load(wanted, policy))
    writes.placements = weave.placements
    writes.sweeps = [(f"{REFERRERS}{no}:{name}", now_us) for no, name in weave.left]
    writes.cancelled = [f"{REFERRERS}{no}:{name}" for no, name in weave.cancelled]
    writes.carried = {at: delta for at, delta in weave.carried.items() if delta}
    drafts = weave.drafts()
    await tx.prepare(writes)
    logs = {draft.collection.no for draft in drafts} | refusals.keys()
    heads = await tx.heads(logs) if logs else {}
    vouched = frozenset(name for name in known_objects(policy) if name.startswith("identity--"))
    out = stamped(drafts, heads, now_us, vouched, weave.body)
    writes.changes, writes.views, writes.past_ids = out.changes, out.views, out.past_ids
    writes.hidden, writes.heads = out.hidden, out.heads
    for log, entries in refusals.items():
        writes.heads[log] = _append_refusals(writes, log, heads[log], entries, now_us)


def _append_refusals(writes: Writes, log: int, head: Head, entries: Sequence[dict[str, object]], now_us: int) -> Head:
    for entry in entries:
        head = Head(Seq(head.seq + 1), max(now_us, head.date_us + 20))
        body = orjson.dumps({"seq": head.seq, "at": stix_time(head.date_us), **entry})
        stix_id = StixId(str(entry["id"] or ""))
        writes.changes.append(Change(log, head.seq, stix_id, "rejection", False, head.date_us, head.date_us, body))
    return head


def _said(outcome: Outcome, problem: Problem) -> dict[str, object]:
    return {
        "index": outcome.admitted.arrival.index,
        "id": outcome.admitted.stix_id,
        "state": outcome.state.value,
        "code": problem.code.value,
        "message": problem.says,
    }


def _values(claim: Claim) -> Mapping[bytes, bool]:
    """What the pattern of an indicator names, for those who look a value up."""
    obj = claim.obj
    return values_in(obj["pattern"]) if claim.type == "indicator" and obj.get("pattern_type") == "stix" else {}


def _word(admitted: Admitted) -> Word:
    said = (*admitted.claims, *admitted.would_claim)
    return Word(admitted.arrival.stamp, said[0].modified_us if said else None)


def _held(outcome: Outcome, now_us: int) -> Held:
    admitted, problem = outcome.admitted, outcome.problems[0]
    arrival = admitted.arrival
    return Held(
        0, arrival.centre.no, admitted.stix_id or "", problem.code.value, admitted.held_on, problem.says,
        arrival.value or b"", arrival.stamp, arrival.receipt, arrival.index, arrival.at_us or now_us,
        admitted.would_claim[0].modified_us, admitted.would_claim[0].digest,
    )  # fmt: skip


def _count(by_state: dict[State, int], state: State) -> None:
    by_state[state] = by_state.get(state, 0) + 1


def _counts(by_state: dict[State, int]) -> ReceiptCounts:
    return ReceiptCounts(
        *(by_state.get(state, 0) for state in (State.ACCEPTED, State.UNCHANGED, State.HELD, State.REJECTED))
    )


def _id_in(key: bytes) -> str:
    """The id that a record's key is. Any other key is nobody's id: it is quoted, cut to what may be stored."""
    text = key.decode("utf-8", "replace")
    return text if len(text) <= _LONGEST_ID and text.strip().isprintable() else ascii(text)[:_LONGEST_ID]


async def _sleep(stop: asyncio.Event, pause_s: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), pause_s)
    except TimeoutError:
        return
