"""A hub driven batch by batch with given times: the real store, worker and core, without log and doors.

Stories are how the promises are tested: the same history can be told twice, and every byte compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import update

from hub.log.port import INTAKE_PREFIX, Batch, Record, StoredRecord, Topic, TopicPartition
from hub.model.claims import Change
from hub.model.policy import Audience, Centre, Collection, Group
from hub.model.principals import Kind, Principal
from hub.model.times import from_us, stix_time, to_us
from hub.model.words import CollectionName, GroupName, Level, Seq, StixId
from hub.store import policy_changes
from hub.store import tables as t
from hub.store.port import Filter
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings
from tests.stores import a_store

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
SECOND_US = 1_000_000
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


async def open_store(path: Path) -> SqlStore:
    """Where stories take place; ``tests/on_postgres.py`` moves them to the other adapter."""
    return await a_store(path / "hub.db", now_us=START_US)


@dataclass
class Story:
    """One hub and what is told to it."""

    store: SqlStore
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    now_us: int = START_US
    offsets: dict[str, int] = field(default_factory=dict)
    may_stumble: bool = False
    """The test is about records that nobody foresaw."""
    reached: dict[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.worker = Worker(None, self.store, self.settings, lambda: self.now_us)  # type: ignore[arg-type]

    @classmethod
    async def begin(cls, path: Path, **settings: Any) -> Story:
        """A new hub whose secrets and ids are always the same, so that two can be compared byte for byte."""
        store = await open_store(path)
        story = cls(store, WorkerSettings(**settings))
        await story.settle_identity()
        return story

    async def settle_identity(self) -> None:
        """Replace all that is drawn at random when a hub is made."""
        async with self.store.begin() as conn:
            await conn.execute(update(t.hub).values(namespace=str(NAMESPACE), identity=f"identity--{uid('hub')}"))
            for table, column, kind in ((t.groups, "marking", "marking-definition--"), (t.collections, "id", "")):
                for row in (await conn.execute(table.select())).all():
                    new = {column: kind + uid(table.name, row.name)}
                    await conn.execute(update(table).where(table.c.name == row.name).values(new))
            await policy_changes.record_change(conn, "test", {}, None, START_US)

    async def centre(self, name: str, **more: Any) -> Centre:
        """Register a centre; ``more`` are fields of ``policy.Centre``."""
        identity = StixId(f"identity--{uid('centre', name)}")
        principal = Principal(0, name, Kind.CENTRE, identity, more.pop("country", "RO"), created_us=START_US)
        centre = Centre(0, name, identity, "RO", START_US, **more)  # type: ignore[arg-type]
        async with self.store.registry.change() as directory:
            row = await directory.add_principal(principal, hashlib.sha256(name.encode()).digest(), centre)
            await directory.record("centre.add", {"name": name}, None, START_US)
        return replace(centre, no=row.no)

    async def change_centre(self, centre: Centre, **fields: Any) -> Centre:
        """Let the operator change a centre, and carry it out."""
        new = replace(centre, **fields)
        async with self.store.registry.change() as directory:
            principal = (await directory.snapshot()).principals[centre.name]
            await directory.update_principal(replace(principal, suspended=new.suspended), new)
            seen_by_others = {"naming", "alias", "speaks_for"} & fields.keys()
            scope = policy_changes.SCOPE_ALL if seen_by_others else policy_changes.scope_of_centre(centre.no)
            await directory.record("centre.set", {}, scope, self.now_us)
        await self.sweep()
        return new

    async def collection(self, name: str, level: Level, group: str, **filters: Any) -> None:
        """Make a collection, and fill it."""
        audience = Audience(level, GroupName(group))
        new = Collection(0, CollectionName(name), uid("collections", name), audience, **filters)
        async with self.store.registry.change() as directory:
            made = await directory.add_collection(new, self.now_us)
            await directory.record("collection.add", {}, f"collection:{made.no}", self.now_us)
        await self.sweep()

    async def group(self, name: str) -> None:
        """Make a group whose marking is always the same."""
        marking = StixId(f"marking-definition--{uid('groups', name)}")
        async with self.store.registry.change() as directory:
            await directory.add_group(Group(GroupName(name), marking, START_US), ())
            await directory.record("group.add", {"name": name}, None, START_US)

    async def remove_group(self, name: str) -> None:
        """Forget a group, and carry it out."""
        async with self.store.registry.change() as directory:
            await directory.remove_group((await directory.snapshot()).groups[GroupName(name)].no)
            await directory.record("group.remove", {"name": name}, policy_changes.SCOPE_ALL, self.now_us)
        await self.sweep()

    async def sweep(self) -> None:
        """Carry out what the operator changed, to its end."""
        while await self.worker.sweep():
            pass

    def record(
        self, centre: Centre, said: Any, *, at_us: int | None = None, offset: int | None = None, **headers: str
    ) -> StoredRecord:
        """A record of the event log: an object, bytes as they are, or an id to withdraw."""
        topic = Topic(INTAKE_PREFIX + centre.name)
        if offset is None:
            offset = self.offsets.get(topic, 0)
        self.offsets[topic] = offset + 1
        key = said.encode() if isinstance(said, str) else None
        value = None if isinstance(said, str) else said if isinstance(said, bytes) else orjson.dumps(said)
        made = Record(key, value, tuple((name, text.encode()) for name, text in headers.items()))
        time = from_us((self.now_us if at_us is None else at_us) // 1000 * 1000)
        return StoredRecord(topic, 0, offset, time, made.key, made.value, made.headers)

    async def batch(self, *said: tuple[Centre, Any], seconds: float = 1) -> None:
        """One batch of (centre, object | bytes | id to withdraw), some seconds after the one before."""
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
        await self.worker.carry(batch)
        assert self.may_stumble or self.worker.halved == 0, "the core or the store raised; the worker went on in parts"
        self.reached |= ends
        return batch

    async def log(self, name: str, **by: Any) -> list[Change]:
        """All rows of a collection's change log, or what TAXII shows of it by a filter."""
        policy = await self.store.policy()
        no = next(c.no for c in policy.collections.values() if c.name == name)
        return await self.store.read(
            no, Seq(0), limit=1_000_000, limit_bytes=1 << 40, by=Filter(**(by or {"log": True}))
        )

    async def shown(self, name: str, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """What a collection holds now, by id: the fold of its log."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self.log(name):
            if row.withdrawn:
                found.pop(row.object_id, None)
            else:
                found[row.object_id] = json.loads(row.body)
        return {name: obj for name, obj in found.items() if kind is None or obj["type"] == kind}

    async def only(self, name: str, kind: str = "indicator") -> dict[str, Any]:
        """The one object of a type that a collection holds."""
        found = list((await self.shown(name, kind)).values())
        assert len(found) == 1, found
        return found[0]

    async def rejections(self, centre: Centre) -> list[dict[str, Any]]:
        """The centre's log of rejections."""
        async with self.store.begin() as conn:
            row = (await conn.execute(t.logs.select().where(t.logs.c.name == f"rejected.{centre.name}"))).one()
        rows = await self.store.read(row.no, Seq(0), limit=1_000_000, limit_bytes=1 << 40, by=Filter(log=True))
        return [json.loads(row.body) for row in rows]

    async def counts(self, centre: Centre) -> dict[str, int]:
        """How many of its objects ended how."""
        async with self.store.look() as conn:
            row = (await conn.execute(t.counts.select().where(t.counts.c.centre == centre.no))).first()
        names = ("accepted", "unchanged", "held", "rejected")
        return dict.fromkeys(names, 0) if row is None else {name: row._mapping[name] for name in names}

    async def close(self) -> None:
        """Close the store."""
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
    "an_indicator",
    "an_object",
    "bytes_of",
    "moment",
    "said_of",
    "to_us",
    "uid",
]
