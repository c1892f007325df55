"""A hub driven batch by batch with given times: worker and core, in memory or on a real store, without log and doors.

Stories are how the promises are tested: the same history can be told twice, and every byte compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import orjson
from sqlalchemy import select, update

from hub.log.port import Batch, Record, StoredRecord, TopicPartition
from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.policy import (
    LOG_OF_NOBODY,
    Audience,
    Collection,
    Group,
    Policy,
    Source,
    SourceKind,
    intake_topic,
    rejections_log,
)
from hub.model.policy_changes import (
    CollectionAdded,
    GroupAdded,
    GroupRemoved,
    IdPinned,
    SettingChanged,
    SourceAdded,
    SourceChanged,
    TimesPutBack,
    previous_of,
)
from hub.model.principals import Principal, PrincipalKind, source_of_member
from hub.model.tasks import SetDate
from hub.model.times import DAY_US, from_us, midnight_after, stix_time, to_us
from hub.model.tokens import TokenDigest
from hub.model.words import (
    BUILT_IN_GROUPS,
    CanonicalKey,
    CollectionName,
    GroupName,
    Level,
    Naming,
    SourceName,
    StixId,
    Withdrawal,
)
from hub.model.writes import ReceiptCounts
from hub.registry.service import Registry
from hub.store import policy_changes
from hub.store import tables as t
from hub.store.bootstrap import DEFAULT_COLLECTIONS
from hub.store.port import WHOLE_LOG, Filter
from hub.store.rows import claim_of, view_of
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings
from tests.memory import MemoryStore
from tests.stores import a_store, rows_of_log

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
SECOND_US = 1_000_000
END_OF_TIME_US = 2**62
NAMESPACE = UUID("5f0c6c55-6d3f-4d3c-9a53-0c1e3f1f6a11")


def uid(*words: object) -> str:
    """A UUIDv4 that always is the same for the same words."""
    raw = hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}"


TLP = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def moment(second: float = 0) -> str:
    """A STIX timestamp some seconds after the start of the story."""
    return stix_time(START_US + int(second * SECOND_US))


def an_object(kind: str, name: str, /, *, tlp: str | None = "green", at: float = -3600, **more: Any) -> dict[str, Any]:
    """An object of a type with an id of its name; a property given as None is left out."""
    obj: dict[str, Any] = {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{uid(kind, name)}",
        "created": moment(-7200),
        "modified": moment(at),
    }
    if tlp is not None:
        obj["object_marking_refs"] = [TLP.get(tlp, tlp)]
    obj.update(more)
    return {name: value for name, value in obj.items() if value is not None}


def an_indicator(value: str = "198.51.100.7", name: str = "", /, **more: Any) -> dict[str, Any]:
    """An indicator for an IPv4 address, or for a whole pattern when ``value`` begins with a bracket."""
    pattern = value if value.startswith("[") else f"[ipv4-addr:value = '{value}']"
    more = {"pattern": pattern, "pattern_type": "stix", "valid_from": moment(-7200), **more}
    return an_object("indicator", name or value, **more)


def malware(name: str = "m", /, **more: Any) -> dict[str, Any]:
    """A malware, which is shown under its own id."""
    return an_object("malware", name, **{"name": name, "is_family": False, **more})


@dataclass(frozen=True)
class TakesBack:
    """A centre withdraws what it claims under an id, or takes such a withdrawal back."""

    stix_id: str
    how: Withdrawal = Withdrawal.STANDS


async def open_store(path: Path) -> SqlStore:
    """Where stories take place; ``tests/on_postgres.py`` moves them to the other adapter."""
    return await a_store(path / "hub.db", now_us=START_US)


@dataclass
class Stored:
    """All that a hub remembers of what was said, as values that can be compared between stores of all kinds."""

    changes: dict[int, list[Change]]
    """The rows of every log, by its number."""
    claims: list[Claim]
    references: set[tuple[StixId, ClaimKey]]
    views: list[View]
    past_ids: list[tuple[StixId, int, CanonicalKey, str, int, int]]
    """Id, collection, thing, type, generation and row."""
    uses: dict[tuple[int, str], int]
    placements: dict[tuple[ClaimKey, int], CanonicalKey]
    receipts: list[tuple[str, int, ReceiptCounts, bytes]]
    """Name, source, counts and problems, of each batch."""
    tasks: list[tuple[str, bytes, int]]
    """What is left to be done, its cursor, and when it was caused."""


class Place(Protocol):
    """Where a story takes place: a store, and what operators do there."""

    @property
    def store(self) -> Any:
        """The store that the worker works on."""
        ...

    async def add_source(self, source: Source) -> int:
        """A new centre or member; its number."""
        ...

    async def set_centre(self, centre: Source, fields: Sequence[str], now_us: int) -> None:
        """Other terms for a centre."""
        ...

    async def add_collection(self, collection: Collection, now_us: int) -> None:
        """A new collection."""
        ...

    async def add_group(self, group: Group) -> None:
        """A new group."""
        ...

    async def remove_group(self, name: GroupName, now_us: int) -> None:
        """Forget a group."""
        ...

    async def set_value(self, key: str, value: str, now_us: int) -> None:
        """Another value of the policy."""
        ...

    async def settle(self, centre: Source, now_us: int, *, confirm: bool) -> None:
        """Decide about what the breaker of a centre holds."""
        ...

    async def trips(self) -> dict[int, int]:
        """How much is held by each source's breaker that has tripped."""
        ...

    async def pin(self, name: StixId, author: StixId | None, now_us: int) -> None:
        """Let an author come first under an id; None: the usual rule."""
        ...

    async def rows(self, log: str, by: Filter) -> list[Change]:
        """The rows of a log."""
        ...

    async def counts(self, centre: int) -> ReceiptCounts:
        """How many of a centre's objects ended how."""
        ...

    async def stored(self) -> Stored:
        """All that is remembered."""
        ...

    async def close(self) -> None:
        """Leave it."""
        ...


@dataclass
class Story:
    """One hub and what is told to it."""

    place: Place
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    now_us: int = START_US
    offsets: dict[str, int] = field(default_factory=dict)
    may_stumble: bool = False
    """The test is about records that nobody foresaw."""
    reached: dict[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.worker = Worker(None, self.place.store, self.settings, lambda: self.now_us)  # type: ignore[arg-type]

    @property
    def store(self) -> SqlStore:
        """The real store that the story takes place on."""
        store = self.place.store
        assert isinstance(store, SqlStore)
        return store

    @classmethod
    async def begin(cls, path: Path | None = None, **settings: Any) -> Story:
        """A new hub whose secrets and ids are always the same, so that two can be compared byte for byte: on a real
        store in a folder, or in memory.
        """
        place = InMemory() if path is None else await InStore.new(await open_store(path))
        return cls(place, WorkerSettings(**settings))

    async def centre(self, name: str, **more: Any) -> Source:
        """Register a centre; ``more`` are fields of ``policy.Source``."""
        identity = StixId(f"identity--{uid('centre', name)}")
        centre = Source(0, SourceName(name), identity, more.pop("country", "RO"), START_US, **more)
        return replace(centre, no=await self.place.add_source(centre))

    async def member(self, name: str, accredited_by: Source, naming: Naming = Naming.ANONYMOUS) -> Source:
        """Register a member."""
        identity = StixId(f"identity--{uid('centre', name)}")
        principal = Principal(
            0, name, PrincipalKind.MEMBER, identity, "RO", accredited_by=accredited_by.no, created_us=START_US
        )
        member = source_of_member(principal, naming, accredited_by)
        return replace(member, no=await self.place.add_source(member))

    async def change_centre(self, centre: Source, **fields: Any) -> Source:
        """Let the operator change a centre, and carry it out."""
        new = replace(centre, **fields)
        await self.place.set_centre(new, list(fields), self.now_us)
        await self.sweep()
        return new

    async def collection(self, name: str, level: Level, group: str, **filters: Any) -> None:
        """Make a collection, and fill it."""
        audience = Audience(level, GroupName(group))
        new = Collection(0, CollectionName(name), uid("collections", name), audience, **filters)
        await self.place.add_collection(new, self.now_us)
        await self.sweep()

    async def group(self, name: str) -> None:
        """Make a group whose marking is always the same."""
        await self.place.add_group(Group(GroupName(name), marking_of(name), START_US))

    async def remove_group(self, name: str) -> None:
        """Forget a group, and carry it out."""
        await self.place.remove_group(GroupName(name), self.now_us)
        await self.sweep()

    async def set(self, key: str, value: str) -> None:
        """Set a value of the policy, and carry it out."""
        await self.place.set_value(key, value, self.now_us)
        await self.sweep()

    async def settle(self, centre: Source, *, confirm: bool) -> None:
        """Decide about what the breaker of a centre holds, and carry it out."""
        await self.place.settle(centre, self.now_us, confirm=confirm)
        await self.sweep()

    async def pin(self, name: str, author: str | None) -> None:
        """Let an author come first under an id (None: the usual rule), and carry it out."""
        await self.place.pin(StixId(name), None if author is None else StixId(author), self.now_us)
        await self.sweep()

    async def policy(self) -> Policy:
        """The policy in force."""
        policy: Policy = await self.place.store.policy()
        return policy

    async def stored(self) -> Stored:
        """All that the hub remembers."""
        return await self.place.stored()

    async def sweep(self) -> None:
        """Carry out what the operator changed, to its end."""
        while await self.worker.do_tasks():
            pass

    async def days(self, number: int) -> None:
        """Let days pass, and carry out what the new date brings."""
        self.now_us += number * DAY_US
        await self.sweep()

    def record(
        self, centre: Source, said: Any, *, at_us: int | None = None, offset: int | None = None, **headers: str
    ) -> StoredRecord:
        """A record of the event log: an object, bytes as they are, an id to withdraw softly, or what is taken back."""
        if isinstance(said, TakesBack):
            said, headers = said.stix_id, {**headers, "withdrawal": said.how}
        topic = intake_topic(centre.kind, centre.name)
        if centre.kind is SourceKind.MEMBER:
            headers = {**headers, "source": centre.name}
        if offset is None:
            offset = self.offsets.get(topic, 0)
        self.offsets[topic] = offset + 1
        key = said.encode() if isinstance(said, str) else None
        value = None if isinstance(said, str) else said if isinstance(said, bytes) else orjson.dumps(said)
        made = Record(key, value, tuple((name, text.encode()) for name, text in headers.items()))
        time = from_us((self.now_us if at_us is None else at_us) // 1000 * 1000)
        return StoredRecord(topic, 0, offset, time, made.key, made.value, made.headers)

    async def batch(self, *said: tuple[Source, Any], seconds: float = 1) -> None:
        """One batch, some seconds after the one before, of what centres say: see ``record``."""
        self.now_us += int(seconds * SECOND_US)
        await self.carry([self.record(centre, one) for centre, one in said])

    async def carry(self, records: Sequence[StoredRecord]) -> Batch:
        """One batch of records as they are; returns it."""
        ends: dict[TopicPartition, int] = {}
        starts: dict[TopicPartition, int] = {}
        for record in records:
            at = TopicPartition(record.topic, record.partition)
            starts.setdefault(at, self.reached.get(at, record.offset))  # offsets may have gaps, as Kafka's do
            ends[at] = record.offset + 1
        batch = Batch(tuple(records), starts, ends)
        await self.worker.process(batch)
        assert self.may_stumble or self.worker.halved == 0, "the core or the store raised; the worker went on in parts"
        self.reached |= ends
        return batch

    async def log(self, name: str, **by: Any) -> list[Change]:
        """All rows of a collection's change log, or what TAXII shows of it by a filter."""
        return await self.place.rows(f"collection.{name}", Filter(**by) if by else WHOLE_LOG)

    async def shown(self, name: str, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """What a collection holds now, by id: the fold of its log."""
        found: dict[str, Change] = {}
        for row in await self.log(name):
            if row.withdrawn:
                found.pop(row.object_id, None)
            else:
                found[row.object_id] = row
        return {name: orjson.loads(row.body) for name, row in found.items() if kind in (None, row.type)}

    async def only(self, name: str, kind: str = "indicator") -> dict[str, Any]:
        """The one object of a type that a collection holds."""
        found = list((await self.shown(name, kind)).values())
        assert len(found) == 1, found
        return found[0]

    async def rejections(self, centre: Source) -> list[dict[str, Any]]:
        """The centre's log of rejections."""
        return [
            json.loads(row.body) for row in await self.place.rows(rejections_log(centre.kind, centre.name), WHOLE_LOG)
        ]

    async def counts(self, centre: Source) -> dict[str, int]:
        """How many of its objects ended how."""
        return asdict(await self.place.counts(centre.no))

    async def close(self) -> None:
        """Close the store."""
        await self.place.close()


# ---------------------------------------------------------------- places


def marking_of(group: str) -> StixId:
    """The marking that a group has in every story."""
    return StixId(f"marking-definition--{uid('groups', group)}")


class InMemory:
    """A hub over dictionaries."""

    def __init__(self) -> None:
        collections = {
            no: Collection(no, name, uid("collections", name), audience)
            for no, (name, audience) in enumerate(DEFAULT_COLLECTIONS, 1)
        }
        groups = {name: Group(name, marking_of(name), START_US) for name in BUILT_IN_GROUPS}
        hub = StixId(f"identity--{uid('hub')}")
        policy = Policy(1, NAMESPACE, hub, START_US, {}, groups, collections)
        logs = [*(f"collection.{one.name}" for one in collections.values()), LOG_OF_NOBODY]
        self.store = MemoryStore(policy, {name: no for no, name in enumerate(logs, 1)})
        self.store.leave([SetDate()], START_US, due_us=midnight_after(START_US))

    def _new_log(self, name: str) -> int:
        return self.store.logs.setdefault(name, len(self.store.logs) + 1)

    async def add_source(self, source: Source) -> int:
        """See ``Place``."""
        policy = await self.store.policy()
        no = len(policy.sources) + 1
        if source.is_centre:  # that of a member begins with its first rejection
            self._new_log(rejections_log(source.kind, source.name))
        change = SourceAdded(source.name, no, was_named=False, said={})
        self.store.change(change, START_US, sources={**policy.sources, no: replace(source, no=no)})
        return no

    async def set_centre(self, centre: Source, fields: Sequence[str], now_us: int) -> None:
        """See ``Place``."""
        policy = await self.store.policy()
        if centre.accredited_by is not None:
            centre = replace(centre, amber_to=policy.sources[centre.accredited_by].amber_to)
        previous = previous_of(policy.sources[centre.no], centre)
        change = SourceChanged(centre.name, centre.no, list(fields), {}, previous)
        accredited = {
            no: replace(source, amber_to=centre.amber_to)
            for no, source in policy.sources.items()
            if source.accredited_by == centre.no
        }
        self.store.change(change, now_us, sources={**policy.sources, **accredited, centre.no: centre})

    async def add_collection(self, collection: Collection, now_us: int) -> None:
        """See ``Place``."""
        policy = await self.store.policy()
        no = self._new_log(f"collection.{collection.name}")
        change = CollectionAdded(collection.name, no, {})
        self.store.change(change, now_us, collections={**policy.collections, no: replace(collection, no=no)})

    async def add_group(self, group: Group) -> None:
        """See ``Place``."""
        policy = await self.store.policy()
        self.store.change(GroupAdded(group.name, {}), START_US, groups={**policy.groups, group.name: group})

    async def remove_group(self, name: GroupName, now_us: int) -> None:
        """See ``Place``."""
        policy = await self.store.policy()
        groups = {other: group for other, group in policy.groups.items() if other != name}
        self.store.change(GroupRemoved(name, policy.groups[name]), now_us, groups=groups)

    async def set_value(self, key: str, value: str, now_us: int) -> None:
        """See ``Place``."""
        settings = {**(await self.store.policy()).settings, key: value}
        self.store.change(SettingChanged(key, value), now_us, settings=settings)

    async def settle(self, centre: Source, now_us: int, *, confirm: bool) -> None:
        """See ``Place``."""
        self.store.settle(centre.no, now_us, confirm=confirm)

    async def trips(self) -> dict[int, int]:
        """See ``Place``."""
        return self.store.trips()

    async def pin(self, name: StixId, author: StixId | None, now_us: int) -> None:
        """See ``Place``."""
        pins = {at: by for at, by in (await self.store.policy()).pins.items() if at != name}
        self.store.change(IdPinned(name, author), now_us, pins=pins | ({name: author} if author else {}))

    async def rows(self, log: str, by: Filter) -> list[Change]:
        """See ``Place``."""
        assert by == WHOLE_LOG, "the doors' filters are the real stores'"
        return list(self.store.tables.changes[self.store.logs[log]]) if log in self.store.logs else []

    async def counts(self, centre: int) -> ReceiptCounts:
        """See ``Place``."""
        return self.store.tables.counts.get(centre, ReceiptCounts())

    async def stored(self) -> Stored:
        """See ``Place``."""
        tables = self.store.tables
        return Stored(
            changes={no: list(rows) for no, rows in tables.changes.items() if rows},
            claims=sorted(tables.claims.values(), key=lambda claim: claim.key),
            references={(name, key) for key, names in tables.references.items() for name in names},
            views=sorted(tables.views.values(), key=lambda view: (view.collection, view.thing)),
            past_ids=sorted(
                (v.object_id, v.collection, v.thing, v.type, v.generation, v.seq) for v in tables.past_ids.values()
            ),
            uses={at: count for at, count in tables.uses.items() if count},
            placements={(key, no): thing for key, where in tables.placements.items() for no, thing in where.items()},
            receipts=sorted((p.receipt, p.source, p.counts, orjson.dumps(p.problems)) for p in tables.receipts),
            tasks=sorted((repr(due.task), due.cursor, due.time_us) for due in tables.tasks.values()),
        )

    async def close(self) -> None:
        """See ``Place``."""


class InStore:
    """A hub on a real store."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store

    @classmethod
    async def new(cls, store: SqlStore) -> InStore:
        """Replace all that is drawn at random when a hub is made."""
        async with store.begin() as conn:
            await conn.execute(update(t.hub).values(namespace=str(NAMESPACE), identity=f"identity--{uid('hub')}"))
            for table, column, kind in ((t.groups, "marking", "marking-definition--"), (t.collections, "id", "")):
                for row in (await conn.execute(table.select())).all():
                    new = {column: kind + uid(table.name, row.name)}
                    await conn.execute(update(table).where(table.c.name == row.name).values(new))
            await policy_changes.record(conn, TimesPutBack({}), START_US)
        return cls(store)

    async def add_source(self, source: Source) -> int:
        """See ``Place``."""
        principal = Principal(
            0, source.name, PrincipalKind(source.kind), source.identity, source.country, created_us=START_US,
            accredited_by=source.accredited_by,
        )  # fmt: skip
        async with self.store.registry.change() as directory:
            row = await directory.add_principal(
                principal, TokenDigest(0, hashlib.sha256(source.name.encode()).digest(), "", 0), source
            )
            await directory.record(SourceAdded(source.name, row.no, was_named=False, said={}), START_US)
        return row.no

    async def set_centre(self, centre: Source, fields: Sequence[str], now_us: int) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            principal = (await directory.snapshot()).principals[centre.name]
            before = await directory.snapshot()
            old = before.centres.get(centre.name) or before.members[centre.name]
            await directory.update_principal(replace(principal, suspended=centre.suspended), centre)
            await directory.record(
                SourceChanged(centre.name, centre.no, list(fields), {}, previous_of(old, centre)), now_us
            )

    async def add_collection(self, collection: Collection, now_us: int) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            made = await directory.add_collection(collection, now_us)
            await directory.record(CollectionAdded(made.name, made.no, {}), now_us)

    async def add_group(self, group: Group) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            await directory.add_group(group, ())
            await directory.record(GroupAdded(group.name, {}), START_US)

    async def remove_group(self, name: GroupName, now_us: int) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            removed = (await directory.snapshot()).groups[name]
            await directory.remove_group(removed.no)
            await directory.record(GroupRemoved(name, removed.group), now_us)

    async def set_value(self, key: str, value: str, now_us: int) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            await directory.set_setting(key, value)
            await directory.record(SettingChanged(key, value), now_us)

    async def settle(self, centre: Source, now_us: int, *, confirm: bool) -> None:
        """See ``Place``."""
        breakers = Registry(self.store.registry, now_us=lambda: now_us).breakers
        await (breakers.confirm(centre.name) if confirm else breakers.refuse(centre.name))

    async def trips(self) -> dict[int, int]:
        """See ``Place``."""
        return {trip.source: trip.waiting for trip in await self.store.intake.trips()}

    async def pin(self, name: StixId, author: StixId | None, now_us: int) -> None:
        """See ``Place``."""
        async with self.store.registry.change() as directory:
            await directory.pin(name, author)
            await directory.record(IdPinned(name, author), now_us)

    async def rows(self, log: str, by: Filter) -> list[Change]:
        """See ``Place``."""
        no = await self.store.logs.number(log)
        assert no is not None
        return await rows_of_log(self.store, no, by=by)

    async def counts(self, centre: int) -> ReceiptCounts:
        """See ``Place``."""
        async with self.store.reading() as conn:
            row = (await conn.execute(t.counts.select().where(t.counts.c.source == centre))).first()
        return ReceiptCounts() if row is None else ReceiptCounts(*tuple(row)[1:])

    async def stored(self) -> Stored:
        """See ``Place``."""
        async with self.store.reading() as conn:
            claims = [claim_of(row) for row in await conn.execute(t.contributions.select())]
            views = [view_of(row) for row in await conn.execute(t.views.select())]
            uses = [tuple(row) for row in await conn.execute(t.uses.select())]
            placed = [tuple(row) for row in await conn.execute(t.placements.select())]
            parts = [tuple(row) for row in await conn.execute(t.receipt_parts.select())]
            referring = [tuple(row) for row in await conn.execute(t.referring.select())]
            past = [tuple(row) for row in await conn.execute(t.past_ids.select())]
            logs = (await conn.execute(select(t.changes.c.log).distinct())).scalars().all()
        left = await self.store.due(END_OF_TIME_US)
        return Stored(
            changes={no: await rows_of_log(self.store, no) for no in logs},
            claims=sorted(claims, key=lambda claim: claim.key),
            references=set(referring),
            views=sorted(views, key=lambda view: (view.collection, view.thing)),
            past_ids=sorted(past),
            uses={(no, used): count for no, used, count in uses if count},
            placements={(key, no): thing for key, no, thing in placed},
            receipts=sorted((part[0], part[1], ReceiptCounts(*part[2:6]), part[7]) for part in parts),
            tasks=sorted((repr(due.task), due.cursor, due.time_us) for due in left),
        )

    async def close(self) -> None:
        """See ``Place``."""
        await self.store.close()


EXTENSION = "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3"


def said_of(obj: dict[str, Any]) -> dict[str, Any]:
    """What the hub says of a merged object."""
    found = obj["extensions"][EXTENSION]
    assert isinstance(found, dict)
    return found


def bytes_of(rows: Iterable[Change]) -> list[tuple[Any, ...]]:
    """All that a door can show of rows."""
    return [(r.seq, r.object_id, r.type, r.withdrawn, r.date_added_us, r.version_us, r.body) for r in rows]


__all__ = [
    "EXTENSION",
    "START_US",
    "Story",
    "TakesBack",
    "an_indicator",
    "an_object",
    "bytes_of",
    "moment",
    "said_of",
    "to_us",
    "uid",
]
