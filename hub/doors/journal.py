"""The journal of reads in this process: answers are collected in memory and written about once a second.

Reading never waits for it. What is not yet written is lost when the process is killed. While the store is not available
the entries wait: those of the batch that it did not take, and of later ones ``MOST_WAITING`` that are complete and as
many that advance. Beyond that, the oldest are dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import blake2b

import structlog

from hub.doors import metrics
from hub.doors.connections import network
from hub.doors.journal_batch import BatchBuilder
from hub.doors.reads import KeptRequest, ReadRequest, SentAnswer, door_of, request_of
from hub.model.errors import HubError
from hub.model.journal import ANONYMOUS, JournalBatch
from hub.model.policy import Policy
from hub.store.port import Store

WRITE_EVERY_S = 1.0
PRUNE_EVERY_S = 3_600.0
STOP_WITHIN_S = 3.0
MOST_WAITING = 20_000
CROWDED_AFTER = 500
"""After so many new entries of a reader, its oldest are deleted: not at each write, since that reads its entries."""
_AT_ONCE = 500
"""After so many entries other requests have their turn."""
_log = structlog.get_logger()


class Journal:
    """See the head of this module. Belongs to one event loop; ``run`` writes."""

    def __init__(
        self,
        store: Store,
        now_us: Callable[[], int],
        now_s: Callable[[], float],
        *,
        behind_proxy: bool = False,
    ) -> None:
        """``now_us``: the date, in microseconds since 1970; ``now_s``: the clock of answers, in seconds."""
        self._store = store
        self._now_us = now_us
        self._now_s = now_s
        self._behind_proxy = behind_proxy
        self._complete: deque[tuple[KeptRequest, SentAnswer]] = deque()
        self._advancing: dict[str, tuple[ReadRequest, SentAnswer]] = {}
        self._batch: JournalBatch | None = None
        """What is being written, or was not acknowledged. It is written again as it is: the store may have it, and
        would not know the same entries in another batch.
        """
        self._new: Counter[int] = Counter()
        """New entries of each reader since its oldest were last deleted."""
        self._woken = asyncio.Event()
        self._stop = asyncio.Event()
        self._writing = asyncio.Lock()
        self._pruned_s = float("-inf")

    def enter(self, kept: KeptRequest, answer: SentAnswer) -> None:
        """Take an answer. All reads of one address without credentials, by door and collection, are one entry: so
        nobody can fill the journal.
        """
        if kept[0] == ANONYMOUS or answer.facts.key:
            self._interpret_and_enter(kept, answer)
            return
        if kept[2] != "GET" and not door_of(kept[2], kept[3].path):  # a push must not displace a read
            return
        self._complete.append((kept, answer))
        if len(self._complete) == 1:
            self._woken.set()
        elif len(self._complete) > MOST_WAITING:
            self._complete.popleft()
            metrics.JOURNAL_DROPPED.inc()

    def _interpret_and_enter(self, kept: KeptRequest, answer: SentAnswer) -> None:
        request = request_of(kept, behind_proxy=self._behind_proxy)
        if request is None:
            return
        if request.reader != ANONYMOUS:
            self.enter_advancing(request, answer, answer.facts.key)
        elif answer.is_success:  # else nothing was read
            near = request._replace(address=network(request.address))
            self.enter_advancing(near, answer, _key_of(near.address, near.door, near.name))

    def enter_advancing(self, request: ReadRequest, answer: SentAnswer, key: str) -> None:
        """Take an answer whose entry advances, when it has advanced. ``key`` is that of the entry."""
        self._advancing.pop(key, None)
        self._advancing[key] = request, answer._replace(facts=answer.facts._replace(key=key))
        if len(self._advancing) > MOST_WAITING:
            del self._advancing[next(iter(self._advancing))]
            metrics.JOURNAL_DROPPED.inc()
        self._woken.set()

    def stop(self) -> None:
        """Make ``run`` write what there is, and end."""
        self._stop.set()
        self._woken.set()

    async def run(self) -> None:
        """Write until ``stop``; continues when the store was not available."""
        while not self._stop.is_set():
            await self._wait()
            if not self._stop.is_set():
                await self._try(self._write_and_prune)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(contextlib.suppress(TimeoutError))
            await stack.enter_async_context(asyncio.timeout(STOP_WITHIN_S))
            await self._try(self.write)

    async def _wait(self) -> None:
        """Wait until there is something to write, and then a little for more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PRUNE_EVERY_S):
                await self._woken.wait()
            async with asyncio.timeout(WRITE_EVERY_S):
                await self._stop.wait()

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except HubError as error:
            _log.info("journal.store_away", code=error.code)
            self._woken.set()

    async def _write_and_prune(self) -> None:
        await self.write()
        now_s = asyncio.get_running_loop().time()
        if now_s - self._pruned_s >= PRUNE_EVERY_S:
            await self._store.journal.prune(self._now_us())
            self._pruned_s = now_s

    async def write(self) -> None:
        """Write what there is. Raises HubError; then it waits for the next time."""
        async with self._writing:
            self._woken.clear()
            await self._write_batch()
            if self._complete or self._advancing:
                policy = await self._store.policy()
                complete, self._complete = self._complete, deque()
                advancing, self._advancing = self._advancing, {}
                # not in a thread: it would compete with the event loop for longer than the work takes
                self._batch = await self._batch_of(complete, advancing.values(), policy)
                await self._write_batch()

    async def _write_batch(self) -> None:
        if self._batch is not None:
            await self._store.journal.write(self._batch)
            for reader in self._batch.crowded:
                self._new[reader] = 0
            self._batch = None

    # ------------------------------------------------------------ what is written

    async def _batch_of(
        self,
        complete: Sequence[tuple[KeptRequest, SentAnswer]],
        advancing: Iterable[tuple[ReadRequest, SentAnswer]],
        policy: Policy,
    ) -> JournalBatch:
        zero_us = self._now_us() - self._now_s() * 1e6
        builder = BatchBuilder(policy.collections.values(), zero_us=zero_us, behind_proxy=self._behind_proxy)
        for request, answer in advancing:
            builder.add(request, answer)
        for no, (kept, answer) in enumerate(reversed(complete), 1):
            builder.add_sent(kept, answer)
            if not no % _AT_ONCE:
                await asyncio.sleep(0)
        self._new.update(builder.count)
        crowded = frozenset(reader for reader, new in self._new.items() if new >= CROWDED_AFTER)
        return builder.batch(crowded)


def _key_of(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
