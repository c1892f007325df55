"""Keeps the feed of each collection, so that a MISP that pulls many events costs one pass over the collection.

Unlike a list, a feed is used for a while although the collection changes: its files must fit together, and writing
it takes a pass over the whole collection.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from hub.doors.context import Doors
from hub.doors.export.log_pages import pages_of
from hub.doors.export.misp.attributes import MispRules
from hub.doors.export.misp.events import MispAbout
from hub.doors.export.misp.feed import MispFeed, MispFeedWriter
from hub.doors.export.spool import MOST_FILES
from hub.doors.export.value_checks import ValueChecks
from hub.doors.kept import KeptValues
from hub.model.policy import Collection, Policy
from hub.model.words import Seq
from hub.model.writes import Head
from hub.store.port import Filter, LogEnd

_MARGIN_US = 60_000_000
"""How far the clocks of workers and doors may differ."""
MOST_REST_S = 300.0
"""See ``rest_of``."""
_INDICATORS = Filter(types=frozenset({"indicator"}))


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest feed of a collection."""

    basis: tuple[object, ...]
    """See ``_basis``. A feed with another basis is not used."""
    head: Head
    is_settled: bool
    rests_until_s: float
    """Until when it is used although it is not up to date."""

    def serves(self, basis: tuple[object, ...], head: Head, now_s: float) -> bool:
        """Returns whether the feed may still be used."""
        is_current = self.head == head and self.is_settled
        return self.basis == basis and (is_current or now_s < self.rests_until_s)


class KeptMispFeeds:
    """The newest feed of each collection, up to the size of ``lists_bytes``. Lists have other room: anybody may ask for
    ever new ones of ``public``.
    """

    def __init__(self, doors: Doors, checks: ValueChecks) -> None:
        self._doors = doors
        self._checks = checks
        self._kept: KeptValues[MispFeed] = KeptValues(doors.settings.lists_bytes, most_values=MOST_FILES // 2)
        self._newest: dict[int, _Newest] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        doors.log_watch.tell(self._changed)

    def has(self, collection: Collection) -> bool:
        """Returns whether some feed of the collection is kept."""
        newest = self._newest.get(collection.no)
        return newest is not None and self._kept.find(_key(collection, newest)) is not None

    async def of(self, collection: Collection) -> MispFeed:
        """Returns the feed of a collection. Raises TryAgain, or Broken when the disk is full."""
        doors, loop = self._doors, asyncio.get_running_loop()
        async with self._locks[collection.no]:
            policy = await doors.store.policy()
            head = await doors.store.logs.head(collection.no)
            lists, released = await self._checks.lists(), await self._checks.released()
            basis = _basis(collection, policy, (lists.version, self._checks.releases), head.edits)
            newest = self._newest.get(collection.no)
            if newest is not None and newest.serves(basis, head, loop.time()):
                kept = self._kept.find(_key(collection, newest))
                if kept is not None:
                    return kept
            begun_s = loop.time()
            rules = MispRules(policy.today_us, lists, released, doors.now_us() - _MARGIN_US)
            feed = await self._written(collection, policy, rules, head.seq)
            rest_s = rest_of(loop.time() - begun_s, doors.settings.misp_feed_rest)
            newest = _Newest(basis, head, feed.is_settled, loop.time() + rest_s)
            return await self._keep(collection, newest, feed)

    async def _keep(self, collection: Collection, newest: _Newest, feed: MispFeed) -> MispFeed:
        async def made() -> MispFeed:
            return feed

        log = _log_of(collection.no)
        self._kept.drop(log)
        self._newest[collection.no] = newest
        return await self._kept.get(_key(collection, newest), log, made)

    async def _written(self, collection: Collection, policy: Policy, rules: MispRules, seq: Seq) -> MispFeed:
        hub_id = UUID(policy.hub_identity.removeprefix("identity--"))
        about = MispAbout(collection.name, UUID(collection.id), collection.audience.level.label, hub_id)
        with closing(MispFeedWriter(about, rules, self._doors.settings.lists_folder)) as writer:
            async for page in pages_of(self._doors.store.logs, collection.no, _INDICATORS):
                await asyncio.to_thread(writer.add, page)
            return await asyncio.to_thread(writer.finish, seq)

    def _changed(self, log: int, before: LogEnd | None, end: LogEnd) -> None:
        """Free a feed that may have what was erased, or whose collection was removed."""
        if before is not None and (before.edits, before.name) != (end.edits, end.name):
            self._kept.drop(_log_of(log))


def rest_of(took_s: float, times: float) -> float:
    """Returns for how long a feed is used at least that took so long to write: so many times as long, but not longer
    than ``MOST_REST_S`` unless writing takes longer. So a hub writes half of the time at most.

    >>> rest_of(2.0, 10), rest_of(60.0, 10), rest_of(900.0, 10)
    (20.0, 300.0, 900.0)
    """
    return min(times * took_s, max(MOST_REST_S, took_s))


def _basis(collection: Collection, policy: Policy, checks: tuple[str, int], edits: int) -> tuple[object, ...]:
    """Returns what a feed depends on besides new rows of its collection. ``checks``: the version of the warning lists,
    and how many objects operators have released.
    """
    return (
        collection.id, collection.name, collection.audience, policy.today, policy.hub_identity, checks, edits,
    )  # fmt: skip


def _key(collection: Collection, newest: _Newest) -> tuple[object, ...]:
    head = newest.head
    return ("misp", collection.id, head.seq, head.edits, newest.rests_until_s)


def _log_of(no: int) -> int:
    """Returns the number under which feeds are kept: a new row of the collection does not drop them."""
    return ~no
