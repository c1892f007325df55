"""The worker: takes a batch, runs a step of the core on it, writes everything in one transaction.

After a crash either all of a batch is written or nothing, and a replay changes nothing. The guarantee needs no other
mechanism.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog

from hub import worker_metrics
from hub.clock import IN_DOUBT
from hub.core.step import Step, StepSettings
from hub.core.walk import Walk
from hub.log.port import Batch, Consumer
from hub.model.claims import claim_key
from hub.model.errors import HubError, TryAgain
from hub.model.policy import NOBODY, Policy
from hub.model.problems import Code, Problem
from hub.model.reads import ClaimsPage
from hub.model.tasks import (
    DropVersions,
    DueTask,
    PublishLate,
    Recompute,
    RecomputeDue,
    RecomputeId,
    SetDate,
    TakeReleased,
    TakeTurns,
    Task,
)
from hub.model.words import type_of_id
from hub.model.writes import Writes
from hub.store.port import Store, Transaction

_log = structlog.get_logger()
_LAG_EVERY_S = 5.0
_UNFORESEEN_MOST = 20
"""Tolerated unexpected failures per batch; above that, assume a bug in the hub."""
_DOUBT_S = 0.5
"""How often a worker checks whether its clock is right again."""
_NONE_LEFT = b"none left"
"""The cursor of a task that has found no more work, and looks once more while no other step works."""
_BACKOFF_S = (0.05, 0.2, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class WorkerSettings(StepSettings):
    """The settings of a worker; the sizes of one step limit its memory and how long it holds locks."""

    batch_records: int = 1_000
    batch_bytes: int = 4 << 20
    wait_s: float = 0.25


class Worker:
    """Processes batches of the log, and tasks that are due, until it is stopped."""

    def __init__(self, consumer: Consumer, store: Store, settings: WorkerSettings, now_us: Callable[[], int]) -> None:
        self._consumer = consumer
        self._store = store
        self._settings = settings
        self._now_us = now_us
        self.halved = 0
        """Number of batches that raised an unexpected error."""
        self._unforeseen = 0
        """Number of records that did so in the last such batch."""
        self.steps = 0
        """Number of steps begun; a health check watches whether it grows."""
        self._lag_due_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set and the current step is finished. Waits while the store or the log does not
        answer.
        """
        failed = 0
        while not stop.is_set():
            try:
                self._now_us()  # raises while the clock is in doubt, before a batch is taken
                await self.step()
                await self._note_lag()
                failed = 0
            except TryAgain as error:
                if error.code == IN_DOUBT:  # whoever judges the clock has logged it
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
        """Process one batch and part of the tasks that are due. Returns the number of records, contributions and
        objects.
        """
        self.steps += 1
        done = await self.do_tasks()
        settings = self._settings
        batch = await self._consumer.take(
            limit=settings.batch_records, limit_bytes=settings.batch_bytes, wait_s=0 if done else settings.wait_s
        )
        if batch.records:
            await self.process(batch)
        return done + len(batch.records)

    async def process(self, batch: Batch) -> None:
        """Write the results of a batch to the store, completely or not at all.

        An unexpected error must not block its partition: the batch is halved until the record that causes it is alone,
        and that record is rejected. If too many records fail, the error is raised.
        """
        error = await self._attempt(batch)
        if error is None:
            return
        self.halved += 1
        self._unforeseen = 0
        worker_metrics.HALVED.inc()
        # in a thread, because formatting a traceback reads the source files
        await asyncio.to_thread(_log.error, "batch.halved", records=len(batch.records), exc_info=error)
        await self._process_in_parts(batch, error)

    async def _attempt(self, batch: Batch) -> Exception | None:
        """Process a batch; returns an unexpected error instead of raising it."""
        try:
            await self._process(batch)
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001 - told by the caller, and raised again when there are many
            return error
        return None

    async def _process_in_parts(self, batch: Batch, error: Exception) -> None:
        if len(batch.records) == 1:
            self._unforeseen += 1
            if self._unforeseen > _UNFORESEEN_MOST:
                raise error
            topic, way_out = batch.records[0].topic, "Report the error below."
            await asyncio.to_thread(_log.error, "record.not_processed", topic=topic, way_out=way_out, exc_info=error)
            says = f"The hub failed with an unexpected {type(error).__name__}; its operator has been informed."
            await self._process(batch, Problem(Code.RECORD_NOT_PROCESSED, "", says))
            return
        for half in batch.halves():
            if (inner := await self._attempt(half)) is not None:
                await self._process_in_parts(half, inner)

    async def _process(self, batch: Batch, refused: Problem | None = None) -> None:
        began = time.perf_counter()
        policy = await self._store.policy()
        step = Step.of_records(policy, self._settings, self._now_us(), batch.records, refused)
        async with self._store.transaction() as tx:
            now = await tx.policy()
            now_us = self._now_us()
            if now is not policy:  # the policy has changed since: judge again by the current one
                step = Step.of_records(now, self._settings, now_us, batch.records, refused)
            await tx.advance(batch.start, batch.end, now_us)
            running = time.perf_counter()
            writes = await run_step(tx, step)
            ran = time.perf_counter()
        worker_metrics.note_batch(len(batch.records), time.perf_counter() - began, ran - running)
        for source in writes.tripped:
            name = now.sources[source].name
            _log.error(
                "breaker.tripped", centre=name, way_out=f"Ask a person there, then ctihub breaker confirm {name}."
            )
        worker_metrics.note_objects([(now.sources.get(no, NOBODY), counts) for no, counts in writes.counts.items()])

    async def _note_lag(self) -> None:
        """Update the lag metric now and then. If the log does not answer, the next step reports it."""
        if time.monotonic() >= self._lag_due_s:
            self._lag_due_s = time.monotonic() + _LAG_EVERY_S
            with contextlib.suppress(TryAgain):
                worker_metrics.note_lag(await self._consumer.lag())

    async def do_tasks(self) -> int:
        """Process a limited part of the tasks that are due. Returns the number of contributions and objects."""
        due = await self._store.due(self._now_us())
        if not due:
            return 0
        policy = await self._store.policy()
        return sum([await self._do(task) for task in _next_of_each(due, policy)])

    async def _do(self, due: DueTask) -> int:
        async with self._store.transaction() as tx:
            if _is_alone(due):
                await tx.alone()
            policy = await tx.policy()
            if not await tx.take(due):
                return 0
            if _collection_of(due.task) not in (None, *policy.collections):
                await tx.move(due, None)
                return 1
            return await self._do_next(tx, due, policy)

    async def _do_next(self, tx: Transaction, due: DueTask, policy: Policy) -> int:
        match due.task:
            case Recompute() as task:
                return await self._recompute(tx, due, task, policy)
            case RecomputeId() as task:
                return await self._recompute_id(tx, due, task, policy)
            case RecomputeDue() as task:
                return await self._recompute_due(tx, due, task, policy)
            case PublishLate() as task:
                return await self._publish_late(tx, due, task, policy)
            case DropVersions() as task:
                return await self._drop_versions(tx, due, task, policy)
            case TakeTurns() as task:
                return await self._take_turns(tx, due, task, policy)
            case TakeReleased():
                return await self._take_released(tx, due, policy)
            case SetDate():
                await tx.set_date(due, self._now_us())
                return 1
            case _ as never:
                assert_never(never)

    async def _recompute(self, tx: Transaction, due: DueTask, task: Recompute, policy: Policy) -> int:
        now_us = max(due.time_us, self._now_us())
        if due.until is None:
            due = await tx.start(due, now_us)
        walk, limit = Walk.at(due.cursor), self._settings.task_claims
        page = ClaimsPage((), walk.after)
        if walk.after is not None and walk.ready(limit) is None:
            page = await tx.page(due, walk.after, limit)
        await self._walk_on(tx, due, Step.of_claims(policy, self._settings, now_us, task, walk, page))
        await tx.note(due, len(page.keys), self._now_us())
        return max(len(page.keys), 1)

    async def _walk_on(self, tx: Transaction, due: DueTask, step: Step) -> None:
        await _answer(tx, step)
        await tx.move(due, step.walk.cursor)
        await _write(tx, step)

    async def _recompute_id(self, tx: Transaction, due: DueTask, task: RecomputeId, policy: Policy) -> int:
        """Compute again what the next sources claim under an id, in the order of their numbers."""
        walk, limit = Walk.at(due.cursor), self._settings.task_claims
        page = ClaimsPage((), walk.after)
        if walk.after is not None and walk.ready(limit) is None:
            after = int.from_bytes(walk.after)
            sources = [no for no in sorted(policy.claimants(type_of_id(task.name))) if no > after][:limit]
            keys = [claim_key(no, task.name) for no in sources]
            page = ClaimsPage(keys, sources[-1].to_bytes(8) if len(sources) == limit else None)
        now_us = max(due.time_us, self._now_us())
        await self._walk_on(tx, due, Step.of_claims(policy, self._settings, now_us, task, walk, page))
        return max(len(page.keys), 1)

    async def _recompute_due(self, tx: Transaction, due: DueTask, task: RecomputeDue, policy: Policy) -> int:
        """Compute the next views of a collection whose date has come; each gets a later date, or none."""
        if task.collection is None:
            return await self._for_each(tx, due, [RecomputeDue(no) for no in sorted(policy.collections)])
        now_us = max(due.time_us, self._now_us())
        step = Step.of_due(policy, self._settings, now_us, task.collection, self._settings.task_claims)
        await _answer(tx, step)
        if not step.more:
            await tx.move(due, None)
        await _write(tx, step)
        return 1

    async def _publish_late(self, tx: Transaction, due: DueTask, task: PublishLate, policy: Policy) -> int:
        step = Step.of_late(policy, self._settings, self._now_us(), task.collection, self._settings.task_claims)
        await _answer(tx, step)
        await _write(tx, step)
        if step.next_us is not None:
            await tx.move(due, b"", None if step.more else step.next_us)
        elif not step.more:
            await tx.move(due, None if due.cursor else _NONE_LEFT)
        return 1

    async def _drop_versions(self, tx: Transaction, due: DueTask, task: DropVersions, policy: Policy) -> int:
        kept = policy.retention.versions(policy.today_us)
        if kept is None:
            await tx.move(due, None)
            return 1
        if task.collection is None:
            return await self._for_each(tx, due, [DropVersions(no) for no in sorted(policy.collections)])
        if not await tx.drop_versions(task.collection, kept, self._settings.task_claims):
            await tx.move(due, None)
        return 1

    async def _for_each(self, tx: Transaction, due: DueTask, tasks: Sequence[Task]) -> int:
        """Replace a task by these."""
        await tx.move(due, None)
        await tx.write(Writes(tasks=list(tasks), time_us=due.time_us))
        return 1

    async def _take_turns(self, tx: Transaction, due: DueTask, task: TakeTurns, policy: Policy) -> int:
        """Compute the next deferred referrers of an id in a collection; their rows carry the time of the batch that
        caused it.
        """
        settings = self._settings
        step = Step.of_referrers(policy, settings, due.time_us, task.collection, task.name, due.cursor)
        await _answer(tx, step)
        await tx.move(due, step.reached)
        await _write(tx, step)
        return 1

    async def _take_released(self, tx: Transaction, due: DueTask, policy: Policy) -> int:
        waiting = await tx.released(self._settings.task_claims)
        if waiting:
            await run_step(tx, Step.of_released(policy, self._settings, self._now_us(), waiting))
        else:
            await tx.move(due, None)
        return len(waiting)


def _is_alone(due: DueTask) -> bool:
    """Whether every step that began before this one must end before this one reads."""
    match due.task:
        case Recompute():  # or the claims of a step under the previous policy would be missed when all are counted
            return due.until is None
        case RecomputeId():  # or claims would be read that a step under the previous policy still replaces
            return not due.cursor
        case RecomputeDue(collection):  # or views would be missed that a step under the previous date still writes
            return collection is None
        case PublishLate():  # or a version would be missed that a step still puts off
            return bool(due.cursor)
        case _:
            return False


def _collection_of(task: Task) -> int | None:
    """The only collection that a task is about; None: it is about all of them."""
    return None if isinstance(task, TakeReleased | SetDate) else task.collection


def _next_of_each(due: Iterable[DueTask], policy: Policy) -> list[DueTask]:
    """The oldest task of each kind; for turns and due views the oldest of each collection, so that collections do not
    affect each other. Of tasks over claims it is the one with the highest ``precedence``.

    Turns only add, so they wait for tasks over claims of their collection: how many steps these take depends on claims
    that its audience does not see, and so would the order of the rows.
    """
    found: dict[object, DueTask] = {}
    over_claims = {one.task.collection for one in due if isinstance(one.task, Recompute | RecomputeId)}
    for one in sorted(due, key=lambda one: _precedence(one.task, policy)):
        task = one.task
        if isinstance(task, TakeTurns) and over_claims & {None, task.collection}:
            continue
        at = task.collection if isinstance(task, TakeTurns | RecomputeDue | PublishLate | DropVersions) else None
        found.setdefault((type(task), at), one)
    return list(found.values())


def _precedence(task: Task, policy: Policy) -> tuple[bool, bool]:
    return task.precedence(policy) if isinstance(task, Recompute) else (False, False)


async def run_step(tx: Transaction, step: Step) -> Writes:
    """Perform the reads of a step, then write its results."""
    await _answer(tx, step)
    return await _write(tx, step)


async def _answer(tx: Transaction, step: Step) -> None:
    while reads := step.ask():
        step.tell(await tx.load(reads, step.policy))


async def _write(tx: Transaction, step: Step) -> Writes:
    await tx.prepare(step.writes)
    writes = step.finish(await tx.heads(step.logs))
    await tx.write(writes)
    return writes


async def _sleep(stop: asyncio.Event, pause_s: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), pause_s)
    except TimeoutError:
        return
