"""The worker: take a batch, run a step of the core over it, write everything in one transaction.

A crash anywhere leaves either all of a batch or nothing of it, and a replay changes nothing. That is the whole
guarantee; no second mechanism stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hub import worker_metrics
from hub.clock import IN_DOUBT
from hub.core.step import Step, StepSettings
from hub.log.port import Batch, Consumer
from hub.model.errors import HubError, TryAgain
from hub.model.problems import Code, Problem
from hub.model.words import StixId
from hub.model.writes import Writes
from hub.store.port import Store, Sweep, Transaction

_log = structlog.get_logger()
_LAG_EVERY_S = 5.0
_UNFORESEEN_MOST = 20
"""More unexpected failures of a batch than this are a fault of the hub rather than of the records."""
_DOUBT_S = 0.5
"""So often a worker asks whether its clock is right again."""
_BACKOFF_S = (0.05, 0.2, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class WorkerSettings(StepSettings):
    """What a worker is told; sizes of one step bound its memory and its hold on locks."""

    batch_records: int = 1_000
    batch_bytes: int = 4 << 20
    sweep_claims: int = 500
    wait_s: float = 0.25


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
        policy = await self._store.policy()
        step = Step.of_records(policy, self._settings, self._now_us(), batch.records, refused)
        async with self._store.transaction() as tx:
            now = await tx.policy()
            now_us = self._now_us()
            if now is not policy:  # the operator was faster: judge again by the policy in force
                step = Step.of_records(now, self._settings, now_us, batch.records, refused)
            await tx.advance(batch.start, batch.end, now_us)
            running = time.perf_counter()
            writes = await _run(tx, step)
            ran = time.perf_counter()
        worker_metrics.note_batch(len(batch.records), time.perf_counter() - began, ran - running)
        worker_metrics.note_objects({now.centres[no].name: of_centre for no, of_centre in writes.counts.items()})

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
            now_us = max(task.time_us, self._now_us())
            await _run(tx, Step.of_claims(await tx.policy(), self._settings, now_us, keys))
            return max(len(keys), 1)

    async def _step_left(self, task: Sweep) -> int:
        """The next of those that wait for an id in a collection; their rows carry the time of the batch it came in."""
        _, no, name = task.scope.split(":", 2)
        async with self._store.transaction() as tx:
            policy = await tx.policy()
            if int(no) not in policy.collections:
                await tx.move_left(task, None)
                return 1
            step = Step.of_referrers(policy, self._settings, task.time_us, int(no), StixId(name), task.cursor)
            await _answer(tx, step)
            await tx.move_left(task, step.reached)
            await _write(tx, step)
        return 1

    async def _release(self) -> int:
        async with self._store.transaction() as tx:
            waiting = await tx.released(self._settings.sweep_claims)
            if waiting:
                await _run(tx, Step.of_released(await tx.policy(), self._settings, self._now_us(), waiting))
            return len(waiting)


async def _run(tx: Transaction, step: Step) -> Writes:
    """Answer a step's questions to their end, and write what it gives."""
    await _answer(tx, step)
    return await _write(tx, step)


async def _answer(tx: Transaction, step: Step) -> None:
    while questions := step.ask():
        step.tell(await tx.load(questions, step.policy))


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
