"""Enters in the journal how far members have come over Kafka: by the offsets that their consumer groups have committed.

A group belongs to the principal whose name it begins with, as the grants require. Brokers are asked at intervals: they
tell nobody when an offset changes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient

from hub.doors.kafka_back import GROUP
from hub.doors.kafka_tail import tail_record
from hub.log.kafka_connection import KafkaConnection, told_plainly
from hub.log.kafka_topics import COLLECTION_PREFIX
from hub.model.errors import HubError
from hub.model.journal import FetchedUpTo, JournalBatch, JournalEntry
from hub.model.principals import RegistrySnapshot
from hub.model.words import Seq
from hub.registry.access import Access
from hub.store.port import Store

LOOK_EVERY_S = 30.0
LOOK_WITHIN_S = 60.0
MOST_GROUPS = 50
"""How many groups of one principal are looked at, by name: each costs two questions to the brokers."""
_MOST_KNOWN = 100_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GroupOffset:
    """What a consumer group has committed for a collection."""

    group: str
    reader: int
    collection: str
    offset: int

    @property
    def key(self) -> str:
        """The key of its entry in the journal: there is one, which advances."""
        return blake2b(f"{self.group}\0{self.collection}".encode(), digest_size=16).hexdigest()


class GroupWatch:
    """See the head of this module."""

    def __init__(
        self, kafka: KafkaConnection, admin: KafkaConnection, store: Store, access: Access, now_us: Callable[[], int]
    ) -> None:
        """``admin`` may describe all groups; ``kafka`` reads the topics of collections."""
        self._kafka = kafka
        self._admin = admin
        self._store = store
        self._access = access
        self._now_us = now_us
        self._known: dict[str, JournalEntry] | None = None
        """The entries, by key; None: not read yet."""
        self._offsets: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look at intervals until ``stop`` is set; continues when the store or a broker was not available."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(LOOK_WITHIN_S):
                    await self.look()
            except HubError as error:
                _log.info("journal.kafka_away", code=error.code, says=error.says)
            except TimeoutError:
                _log.info("journal.kafka_away", code="log.away")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()

    async def look(self) -> None:
        """Enter all that has changed since the last time. Raises HubError."""
        if self._known is None:
            found = await self._store.journal.entries(None, limit=_MOST_KNOWN, advancing_through="kafka")
            self._known = {one.key: one for one in found}
        snapshot = await self._access.snapshot()
        with told_plainly():
            async with self._admin.admin() as admin:
                relayed = {at.topic: offset.offset for at, offset in (await _offsets(admin, GROUP)).items()}
                offsets = [one for group in await _groups(admin, snapshot) for one in await self._of(admin, *group)]
            changed = [one for one in offsets if self._offsets.get(one.key) != one.offset]
            reached = await self._reached(changed, relayed) if changed else {}
        await self._enter(changed, reached, snapshot)
        self._offsets.update({one.key: one.offset for one in changed})

    async def _of(self, admin: AIOKafkaAdminClient, group: str, reader: int) -> list[GroupOffset]:
        return [
            GroupOffset(group, reader, at.topic.removeprefix(COLLECTION_PREFIX), committed.offset)
            for at, committed in (await _offsets(admin, group)).items()
            if at.topic.startswith(COLLECTION_PREFIX) and at.partition == 0 and committed.offset > 0
        ]

    async def _reached(self, changed: Iterable[GroupOffset], relayed: Mapping[str, int]) -> dict[str, Seq]:
        """Returns the last change that each group has got, by the key of its entry, as far as it is known."""
        found = {}
        async with self._kafka.reader(enable_auto_commit=False, isolation_level="read_committed") as reader:
            topics = await reader.topics()
            for one in changed:
                at = KafkaPartition(COLLECTION_PREFIX + one.collection, 0)
                seq = await _before(reader, at, one.offset) if at.topic in topics else None
                if seq == _END:
                    seq = relayed.get(at.topic)
                if seq is not None:
                    found[one.key] = Seq(seq)
        return found

    async def _enter(
        self, changed: Iterable[GroupOffset], reached: Mapping[str, Seq], snapshot: RegistrySnapshot
    ) -> None:
        assert self._known is not None  # noqa: S101 - ``look`` has read them
        numbers = {str(name): one.no for name, one in snapshot.collections.items()}
        entries, fetched, now_us = [], [], self._now_us()
        for one in changed:
            seq, before = reached.get(one.key), self._known.get(one.key)
            if seq is None or one.collection not in numbers or (before is not None and before.reached == seq):
                continue
            fetched.append(FetchedUpTo(one.reader, "", numbers[one.collection], "kafka", seq, now_us))
            entries.append(
                JournalEntry(
                    one.key, one.reader, now_us, before.began_us if before else now_us, "kafka", one.collection,
                    COLLECTION_PREFIX + one.collection, before.reached if before else None, seq, client=one.group,
                )
            )  # fmt: skip
        if entries:
            await self._store.journal.write(JournalBatch(tuple(entries), tuple(_furthest(fetched))))
            self._known.update({entry.key: entry for entry in entries})


_END = -1


async def group_watch_of(
    bootstrap: str,
    credentials: Mapping[str, str | None],
    admin: Mapping[str, str | None],
    store: Store,
    *,
    access: Access,
    now_us: Callable[[], int],
) -> GroupWatch:
    """Returns a watch on these brokers; both credentials are for ``KafkaConnection.of``."""
    kafka = await KafkaConnection.of(bootstrap, **credentials)
    return GroupWatch(kafka, await KafkaConnection.of(bootstrap, **admin), store, access, now_us)


async def _groups(admin: AIOKafkaAdminClient, snapshot: RegistrySnapshot) -> list[tuple[str, int]]:
    """Returns the consumer groups of principals, each with the principal's number."""
    count: Counter[str] = Counter()
    found = []
    for group in sorted({str(one[0]) for one in await admin.list_consumer_groups()}):
        name, dot, _ = group.partition(".")
        principal = snapshot.principals.get(name) if dot else None
        if principal is not None:
            count[name] += 1
            if count[name] <= MOST_GROUPS:
                found.append((group, principal.no))
    return found


async def _offsets(admin: AIOKafkaAdminClient, group: str) -> Mapping[KafkaPartition, Any]:
    found: Mapping[KafkaPartition, Any] = await admin.list_consumer_group_offsets(group)
    return found


async def _before(reader: AIOKafkaConsumer, at: KafkaPartition, offset: int) -> int | None:
    """Returns the number of the change before the first record at or after ``offset``; ``_END`` if there is no record.

    Compaction deletes records on both sides: the next one that is left tells that all changes before it were read, or
    have been superseded. None: the offset is beyond the end, since the topic was made again.
    """
    end = (await reader.end_offsets([at]))[at]
    begin = (await reader.beginning_offsets([at]))[at]
    if offset > end:
        return None
    reader.assign([at])
    reader.seek(at, max(offset, begin))
    while await reader.position(at) < end:
        for records in (await reader.getmany(at, timeout_ms=200, max_records=1)).values():
            for record in records:
                return max(0, tail_record(record.key, None, record.headers).seq - 1)
    return _END


def _furthest(fetched: Iterable[FetchedUpTo]) -> list[FetchedUpTo]:
    """Returns one for each reader and collection: the group that has come furthest."""
    found: dict[tuple[int, int], FetchedUpTo] = {}
    for one in sorted(fetched, key=lambda each: each.reached):
        found[one.reader, one.collection] = one
    return list(found.values())
