"""The journal of reads in this process: entries are collected in memory and written about once a second.

Reading never waits for it. What is not yet written is lost when the process is killed. While the store is not available
the entries wait: those of the batch that it did not take, and ``MOST_WAITING`` later ones. Of more the oldest are
dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import unquote_plus

import structlog

from hub.doors import metrics
from hub.doors.answer_progress import AnswerProgress
from hub.doors.connections import network
from hub.model.errors import HubError
from hub.model.journal import ANONYMOUS, KEPT_ENTRIES, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.policy import Collection as CollectionOfViews
from hub.model.words import Seq
from hub.store.port import Store

WRITE_EVERY_S = 1.0
PRUNE_EVERY_S = 3_600.0
STOP_WITHIN_S = 3.0
MOST_WAITING = 20_000
CROWDED_AFTER = 500
"""After so many new entries of a reader, its oldest are deleted: not at each write, since that reads its entries."""
_AT_ONCE = 500
"""After so many entries other requests have their turn."""
_ASKED_CHARS = 200
_ELLIPSIS = "…"
_FORMAT = "{format}"
_PLAIN = frozenset(
    {
        "added_after", "collapse", "defang", "from", "limit", "match[spec_version]", "match[type]", "match[version]",
        "min_confidence", "since", "type",
    }
)  # fmt: skip
"""Parameters whose values are no more than numbers, times and names of types."""
_NAMED = frozenset({"action", "as", "at", "collection", "match[id]", "next", "value", "zone"})
"""Other parameters that are named, without their values."""
_log = structlog.get_logger()


class Journal:
    """See the head of this module. Belongs to one event loop; ``run`` writes."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us
        self._waiting: dict[object, AnswerProgress] = {}
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

    def enter(self, progress: AnswerProgress) -> None:
        """Take what is to be written; again when it has changed. All reads of one address without credentials, by door
        and collection, are one entry: so nobody can fill the journal.
        """
        key: object = progress.key or progress
        if progress.reader == ANONYMOUS:
            key = _anonymous_key(progress)
            self._waiting.pop(key, None)
        self._waiting[key] = progress
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
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
            if self._waiting:
                collections = (await self._store.policy()).collections.values()
                taken, self._waiting = self._waiting, {}
                # not in a thread: it would compete with the event loop for longer than the work takes
                self._batch = await self._batch_of(taken.values(), collections)
                await self._write_batch()

    async def _write_batch(self) -> None:
        if self._batch is not None:
            await self._store.journal.write(self._batch)
            for reader in self._batch.crowded:
                self._new[reader] = 0
            self._batch = None

    # ------------------------------------------------------------ what is written

    async def _batch_of(
        self, taken: Collection[AnswerProgress], collections: Iterable[CollectionOfViews]
    ) -> JournalBatch:
        """Returns what to write; of each reader at most as many entries as are kept."""
        made = _Making({name: one for one in collections for name in (one.name, one.id)})
        for no, one in enumerate(reversed(list(taken)), 1):
            made.take(one)
            if not no % _AT_ONCE:
                await asyncio.sleep(0)
        self._new.update(made.count)
        crowded = frozenset(reader for reader, new in self._new.items() if new >= CROWDED_AFTER)
        return JournalBatch(tuple(made.entries), tuple(made.fetched.values()), crowded)


class _Making:
    """A batch that is being made, the newest entry first. It takes most of the time of the journal."""

    def __init__(self, collections: Mapping[str, CollectionOfViews]) -> None:
        """``collections``: by name and by id."""
        self.entries: list[JournalEntry] = []
        self.fetched: dict[tuple[int, str, int, str], FetchedUpTo] = {}
        self.count: Counter[int] = Counter()
        self._collections = collections
        self._asked: dict[tuple[str, str, bytes, bool], str] = {}

    def take(self, one: AnswerProgress) -> None:
        """Add an answer."""
        is_read = 0 < one.status < 400
        read = self._collections.get(one.name) if is_read else None  # else it may not be readable
        reached = one.reached if is_read and one.is_sent else None
        if read is not None:
            self._advance((one.reader, one.token, read.no, one.door), reached or Seq(0), one.ended_us)
        self.count[one.reader] += 1
        if self.count[one.reader] > KEPT_ENTRIES:
            return
        key, address = one.key, one.address
        if one.reader == ANONYMOUS:
            key, address = _key_of(_anonymous_key(one)), network(address)
        self.entries.append(
            JournalEntry(
                key, one.reader, one.ended_us, one.began_us, one.door, None if read is None else read.name,
                self._asked_by(one, is_read=is_read), one.after, reached, one.objects, one.size_bytes, one.status,
                str(one.client, "latin-1"), address, one.token,
            )
        )  # fmt: skip

    def _advance(self, key: tuple[int, str, int, str], reached: Seq, at_us: int) -> None:
        there = self.fetched.get(key)
        if there is None or reached > there.reached or at_us > there.at_us:
            if there is not None:
                reached, at_us = max(reached, there.reached), max(at_us, there.at_us)
            self.fetched[key] = FetchedUpTo(*key, reached, at_us)

    def _asked_by(self, one: AnswerProgress, *, is_read: bool) -> str:
        """Returns what was asked. Of a request that was refused it names only parameters, since anything may be in it.
        Most requests of a second are the same.
        """
        key = (one.template, one.format, one.query, is_read)
        if (found := self._asked.get(key)) is None:
            format = one.format if is_read else _ELLIPSIS
            found = self._asked[key] = asked_of(one.template, format, one.query, shows_values=is_read)
        return found


def _anonymous_key(one: AnswerProgress) -> tuple[str, str, str]:
    return network(one.address), one.door, one.name


def _key_of(said: tuple[str, ...]) -> str:
    return blake2b("\0".join(said).encode(), digest_size=16).hexdigest()


def asked_of(template: str, format: str, query: bytes, *, shows_values: bool = True) -> str:
    """Returns the path below the collection and the parameters, without what may be a value.

    >>> asked_of("/v1/collections/{name}/export.{format}", "txt", b"type=ipv4-addr&zone=x.example")
    'export.txt?type=ipv4-addr&zone=…'
    """
    path = _path_of(template).replace(_FORMAT, format)
    if not query:
        return path
    said = [_parameter(*pair.partition("=")[::2], shows_values) for pair in query.decode("latin-1").split("&")]
    return f"{path}?{'&'.join(said)}"[:_ASKED_CHARS]


def _parameter(name: str, value: str, shows_value: bool) -> str:
    if "%" in name:
        name = unquote_plus(name)
    if shows_value and name in _PLAIN:
        return f"{name}={unquote_plus(value) if '%' in value else value}"
    return f"{name if name in _PLAIN or name in _NAMED else _ELLIPSIS}={_ELLIPSIS}"


@lru_cache(maxsize=1024)
def _path_of(template: str) -> str:
    """Returns the path of a route below the collection, with an ellipsis for all parameters but the format."""
    below = template.partition("/{name}/")[2] or template.partition("/{collection_id}/")[2] or template
    return "/".join(_ELLIPSIS if "{" in word.replace(_FORMAT, "") else word for word in below.split("/"))
