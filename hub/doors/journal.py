"""The journal of reads in this process: answers are collected in memory and written about once a second.

Reading never waits for it. What is not yet written is lost when the process is killed. While the store is not available
the entries wait: those of the batch that it did not take, and of later ones at most ``MOST_WAITING`` that are complete
and as many that advance. Beyond that, the oldest are dropped and counted; those that differ in their times only are
dropped together.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from operator import itemgetter

import structlog
from starlette.types import Scope

from hub.doors import metrics
from hub.doors.auth import PRINCIPAL
from hub.doors.connections import network
from hub.doors.journal_batch import BatchBuilder
from hub.doors.reads import SameReads, SentAnswer, is_success, read_request
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
"""After so many reads other requests have their turn."""
_MOST_COMPARED = 4_096
"""Requests with more characters are not compared, since what is compared stays in memory: each is kept separately."""
_texts_in = itemgetter("method", "path", "query_string")
_Key = tuple[int, str, str | None, tuple[str | bytes, ...], int, SentAnswer]
"""Reads with equal keys differ in their times only: the number of the principal, the name of its token, the host that
the connection comes from, what is compared of the request, the second, the answer.
"""
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
        self._complete: dict[object, SameReads] = {}
        self._complete_count = 0
        """The number of answers in it."""
        self._advancing: dict[str, SameReads] = {}
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

    def enter(self, scope: Scope, began_s: float, ended_s: float, answer: SentAnswer) -> None:
        """Take an answer to a request that has a route and a principal, who may be None."""
        principal, live_key = scope[PRINCIPAL], answer[-1].key
        if principal is None or live_key:
            if request := read_request(scope, behind_proxy=self._behind_proxy):
                self._enter_advancing_read(SameReads(request, answer, [(ended_s, began_s)]), live_key)
            return
        client, fields = scope["client"], dict(scope["headers"])
        texts = *_texts_in(scope), fields.get(b"user-agent", b""), fields.get(b"x-forwarded-for", b"")
        key = principal.no, principal.token, client and client[0], texts, int(ended_s), answer
        reads = self._complete.get(key) or self._new_reads(key, scope, answer)
        if reads is None:
            return
        reads.times_s.append((ended_s, began_s))
        self._complete_count += 1
        if self._complete_count > MOST_WAITING:
            dropped = len(self._complete.pop(next(iter(self._complete))).times_s)
            self._complete_count -= dropped
            metrics.JOURNAL_DROPPED.inc(dropped)

    def _new_reads(self, key: _Key, scope: Scope, answer: SentAnswer) -> SameReads | None:
        """Returns a place for reads with this key; None for a request that does not read, such as a push."""
        request = read_request(scope, behind_proxy=self._behind_proxy)
        if request is None:
            return None
        is_short = sum(map(len, key[3])) <= _MOST_COMPARED
        reads = self._complete[key if is_short else object()] = SameReads(request, answer, [])
        self._woken.set()
        return reads

    def _enter_advancing_read(self, reads: SameReads, live_key: str) -> None:
        """All reads without credentials from one address, by door and collection, are one entry: so nobody can fill
        the journal.
        """
        request = reads.request
        if request.reader != ANONYMOUS:
            self.enter_advancing(reads, live_key)
        elif is_success(reads.answer[0]):  # else nothing was read
            near = request._replace(address=network(request.address))
            self.enter_advancing(replace(reads, request=near), _key_of(near.address, near.door, near.name))

    def enter_advancing(self, reads: SameReads, key: str) -> None:
        """Take an answer whose entry advances, when it has advanced. ``key`` is that of the entry."""
        *_, facts = reads.answer
        self._advancing.pop(key, None)
        self._advancing[key] = replace(reads, answer=(*reads.answer[:-1], facts._replace(key=key)))
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
                reads = [*self._advancing.values(), *self._complete.values()][::-1]  # of one time the newest first
                self._advancing, self._complete, self._complete_count = {}, {}, 0
                # not in a thread: it would compete with the event loop for longer than the work takes
                self._batch = await self._batch_of(reads, policy)
                await self._write_batch()

    async def _write_batch(self) -> None:
        if self._batch is not None:
            await self._store.journal.write(self._batch)
            for reader in self._batch.crowded:
                self._new[reader] = 0
            self._batch = None

    # ------------------------------------------------------------ what is written

    async def _batch_of(self, reads: Sequence[SameReads], policy: Policy) -> JournalBatch:
        zero_us = self._now_us() - self._now_s() * 1e6
        builder = BatchBuilder(policy.collections.values(), reads, zero_us=zero_us)
        count = 0
        for some in reads:
            builder.add(some)
            count += len(some.times_s)
            if count >= _AT_ONCE:
                count = 0
                await asyncio.sleep(0)
        self._new.update(builder.count)
        crowded = frozenset(reader for reader, new in self._new.items() if new >= CROWDED_AFTER)
        return builder.batch(crowded)


def _key_of(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
