"""Reads and writes the registry's tables: principals, groups, collections. The rules are in ``hub/registry``.

The classes work on a connection with an open transaction, which does not leave ``hub/store``. The statements are the
same for both dialects.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.breaker import Trip
from hub.model.forgotten import Forgotten, ForgottenDigest
from hub.model.held import HeldChoice, HeldObject, HeldState
from hub.model.policy import Audience, Collection, Group, Policy, Source, Widths, rejections_log, terms_of
from hub.model.policy_changes import PolicyChange
from hub.model.principals import (
    SOURCE_KINDS,
    Attribute,
    GroupRule,
    GroupRules,
    KnownSecret,
    Principal,
    PrincipalKind,
    RegistrySnapshot,
    source_of_member,
)
from hub.model.tokens import StoredToken, TokenDigest, TokenUse
from hub.model.words import BUILT_IN_GROUPS, CollectionName, GroupName, Level, Naming, SourceName, StixId
from hub.store import breakers
from hub.store import forgotten_tables as ft
from hub.store import tables as t
from hub.store import tokens as kept_tokens
from hub.store.collection_writer import SqlCollectionWriter
from hub.store.dialect import Dialect
from hub.store.journal import forget_reader
from hub.store.policy_changes import insert_row, lock, policy_number, record
from hub.store.waiting import read_held, settle_held
from hub.store.webhooks import remove_webhooks


class SqlRegistry:
    """See ``hub/registry/port.RegistryStore``."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqlDirectory]:
        """See the port."""
        async with self._database.reading() as conn:
            yield SqlDirectory(conn)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[SqlDirectoryWriter]:
        """See the port."""
        async with self._database.begin() as conn:
            await lock(conn)
            yield SqlDirectoryWriter(conn)

    async def note_uses(self, uses: Mapping[int, TokenUse]) -> None:
        """See the port."""
        async with self._database.begin() as conn:
            await kept_tokens.note_uses(conn, uses)


class SqlDirectory:
    """See ``hub/registry/port.Directory``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def snapshot(self, known: RegistrySnapshot | None = None) -> RegistrySnapshot:
        """See the port."""
        number = await policy_number(self._conn)
        return known if known is not None and known.number == number else await _read_snapshot(self._conn, number)

    async def held(
        self, choice: HeldChoice, *, state: HeldState | None, limit: int, with_value: bool = False
    ) -> Sequence[HeldObject]:
        """See the port."""
        return await read_held(self._conn, choice, state=state, limit=limit, with_value=with_value)

    async def trips(self) -> Sequence[Trip]:
        """See the port."""
        return await breakers.trips(self._conn)

    async def token_uses(self) -> Mapping[int, TokenUse]:
        """See the port."""
        return await kept_tokens.read_uses(self._conn)


class SqlDirectoryWriter(SqlDirectory, SqlCollectionWriter):
    """See ``hub/registry/port.DirectoryWriter``."""

    def __init__(self, conn: AsyncConnection) -> None:
        super().__init__(conn)
        self.tokens = kept_tokens.SqlTokens(conn)

    # ------------------------------------------------------------ principals

    async def add_principal(self, principal: Principal, first: TokenDigest, terms: Source | None = None) -> Principal:
        """See the port."""
        row = {
            "name": principal.name,
            "kind": principal.kind,
            "identity": principal.identity,
            "country": principal.country,
            "sector": principal.sector,
            "accredited_by": principal.accredited_by,
            "suspended": principal.suspended,
            "created_us": principal.created_us,
            "settings": "{}" if terms is None else json.dumps(terms_of(terms), sort_keys=True),
        }
        no = await insert_row(self._conn, t.principals, row)
        if principal.kind is PrincipalKind.CENTRE:
            name = rejections_log(SOURCE_KINDS[principal.kind], principal.name)
            await insert_row(self._conn, t.logs, {"name": name})
        own = StoredToken(0, principal.name, created_us=principal.created_us, digests=(first,))
        await self.tokens.add(no, own)
        return replace(principal, no=no)

    async def update_principal(self, principal: Principal, terms: Source | None = None) -> None:
        """See the port."""
        row = {
            "country": principal.country,
            "sector": principal.sector,
            "accredited_by": principal.accredited_by,
            "suspended": principal.suspended,
        }
        if terms is not None:
            row["settings"] = json.dumps(terms_of(terms), sort_keys=True)
        await self._conn.execute(update(t.principals).where(t.principals.c.no == principal.no).values(row))

    async def remove_operator(self, principal: int) -> None:
        """See the port."""
        await kept_tokens.remove_all(self._conn, principal)
        p = t.principals.c
        await self._conn.execute(delete(t.principals).where(p.no == principal, p.kind == PrincipalKind.OPERATOR))
        await forget_reader(self._conn, principal)
        await remove_webhooks(self._conn, principal)  # its number may be given again

    # ------------------------------------------------------------ groups

    async def add_group(self, group: Group, rules: tuple[GroupRule, ...]) -> GroupRules:
        """See the port."""
        said = json.dumps([[rule.attribute, rule.value] for rule in rules])
        row = {"name": group.name, "marking": group.marking, "rules": said, "created_us": group.created_us}
        return GroupRules(group, rules, await insert_row(self._conn, t.groups, row))

    async def remove_group(self, group: int) -> None:
        """See the port."""
        await self._conn.execute(delete(t.group_members).where(t.group_members.c.group == group))
        await self._conn.execute(delete(t.groups).where(t.groups.c.no == group))

    async def join(self, group: int, principal: int) -> None:
        """See the port."""
        await self._conn.execute(insert(t.group_members).values({"group": group, "principal": principal}))

    async def leave(self, group: int, principal: int) -> None:
        """See the port."""
        m = t.group_members.c
        await self._conn.execute(delete(t.group_members).where(m.group == group, m.principal == principal))

    # ------------------------------------------------------------ held objects, settings, changes

    async def set_setting(self, key: str, value: str | None) -> None:
        """See the port."""
        await self._conn.execute(delete(t.settings).where(t.settings.c.key == key))
        if value is not None:
            await self._conn.execute(insert(t.settings).values({"key": key, "value": value}))

    async def settle_held(self, choice: HeldChoice, state: HeldState) -> int:
        """See the port."""
        return await settle_held(self._conn, choice, state)

    async def pin(self, name: StixId, author: StixId | None) -> None:
        """See the port."""
        await self._conn.execute(delete(t.pins).where(t.pins.c.id == name))
        if author is not None:
            await self._conn.execute(insert(t.pins).values({"id": name, "author": author}))

    async def settle_breaker(self, source: int, state: HeldState) -> Trip | None:
        """See the port."""
        return await breakers.settle(self._conn, source, state)

    async def record(self, change: PolicyChange, now_us: int) -> int:
        """See the port."""
        return await record(self._conn, change, now_us)


# ---------------------------------------------------------------- reading, inside hub/store


async def read_policy(conn: AsyncConnection) -> Policy:
    """Returns the current policy."""
    hub = (await conn.execute(select(t.hub))).one()
    number = await policy_number(conn)
    rows = (await conn.execute(select(t.principals).where(t.principals.c.kind.in_(SOURCE_KINDS)))).all()
    centres = _centres(rows)
    sources = [*centres.values(), *_members(rows, centres)]
    day = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    return Policy(
        number=number,
        namespace=UUID(hub.namespace),
        hub_identity=StixId(hub.identity),
        hub_created_us=hub.created_us,
        sources={source.no: source for source in sources},
        groups={name: group.group for name, group in (await _read_groups(conn)).items()},
        collections={collection.no: collection for collection in (await read_collections(conn)).values()},
        today=date.fromisoformat(day) if day else None,
        settings=await _read_settings(conn),
        pins=await _read_pins(conn),
        forgotten=await _read_forgotten(conn, UUID(hub.namespace)),
    )


async def read_collections(conn: AsyncConnection) -> dict[CollectionName, Collection]:
    """Returns all collections by name, oldest first."""
    rows = await conn.execute(select(t.collections).order_by(t.collections.c.no))
    return {CollectionName(row.name): _collection(row) for row in rows}


async def _read_snapshot(conn: AsyncConnection, number: int) -> RegistrySnapshot:
    hub_identity = (await conn.execute(select(t.hub.c.identity))).scalar_one()
    joined = await _joined(conn)
    rows = (await conn.execute(select(t.principals).order_by(t.principals.c.name))).all()
    principals = {row.name: _principal(row, joined.get(row.no, frozenset())) for row in rows}
    centres = _centres(rows)
    tokens = await kept_tokens.read_tokens(conn)
    return RegistrySnapshot(
        number=number,
        hub_identity=StixId(hub_identity),
        principals=principals,
        by_digest=_by_digest(tokens.values(), principals),
        tokens=tokens,
        centres={centre.name: centre for centre in centres.values()},
        members={member.name: member for member in _members(rows, centres)},
        groups=await _read_groups(conn),
        collections=await read_collections(conn),
        settings=await _read_settings(conn),
        pins=await _read_pins(conn),
    )


def _by_digest(tokens: Iterable[StoredToken], principals: Mapping[str, Principal]) -> dict[bytes, KnownSecret]:
    return {
        digest.sha256: KnownSecret(
            digest, token, replace(principals[token.principal], scope=token.scope, token=token.name)
        )
        for token in tokens
        for digest in token.digests
    }


async def _read_pins(conn: AsyncConnection) -> dict[StixId, StixId]:
    return {StixId(row.id): StixId(row.author) for row in await conn.execute(select(t.pins).order_by(t.pins.c.id))}


async def _read_forgotten(conn: AsyncConnection, namespace: UUID) -> Forgotten:
    f = ft.forgotten.c
    rows = await conn.execute(select(f.digest, f.words, f.chars))
    return Forgotten.of(namespace.bytes, [ForgottenDigest(bytes(row.digest), row.words, row.chars) for row in rows])


async def _read_settings(conn: AsyncConnection) -> dict[str, str]:
    return {row.key: row.value for row in await conn.execute(select(t.settings).order_by(t.settings.c.key))}


async def _read_groups(conn: AsyncConnection) -> dict[GroupName, GroupRules]:
    """Returns all groups by name, the built-in ones first."""
    rows = (await conn.execute(select(t.groups).order_by(t.groups.c.name))).all()
    groups = {GroupName(row.name): _group(row) for row in rows}
    return {name: groups[name] for name in (*BUILT_IN_GROUPS, *groups) if name in groups}


async def _joined(conn: AsyncConnection) -> dict[int, frozenset[GroupName]]:
    """Returns the groups that list a principal, by the principal's number."""
    found: dict[int, set[GroupName]] = defaultdict(set)
    m, g = t.group_members.c, t.groups.c
    rows = await conn.execute(select(m.principal, g.name).join(t.groups, g.no == m.group))
    for row in rows:
        found[row.principal].add(GroupName(row.name))
    return {no: frozenset(names) for no, names in found.items()}


# ---------------------------------------------------------------- rows to values


def _principal(row: Row[Any], joined: frozenset[GroupName] = frozenset()) -> Principal:
    return Principal(
        no=row.no,
        name=row.name,
        kind=PrincipalKind(row.kind),
        identity=StixId(row.identity) if row.identity else None,
        country=row.country,
        sector=row.sector,
        accredited_by=row.accredited_by,
        suspended=row.suspended,
        created_us=row.created_us,
        joined=joined,
    )


def _centres(rows: Sequence[Row[Any]]) -> dict[int, Source]:
    return {row.no: _centre(row) for row in rows if row.kind == PrincipalKind.CENTRE}


def _members(rows: Sequence[Row[Any]], centres: Mapping[int, Source]) -> Iterator[Source]:
    for row in rows:
        if row.kind == PrincipalKind.MEMBER:
            naming = Naming(json.loads(row.settings)["naming"])
            yield source_of_member(_principal(row), naming, centres[row.accredited_by])


def _centre(row: Row[Any]) -> Source:
    said = json.loads(row.settings)
    return Source(
        no=row.no,
        name=SourceName(row.name),
        identity=StixId(row.identity),
        country=row.country,
        created_us=row.created_us,
        ceiling=Level.of(said["ceiling"]),
        default_level=Level.of(said["default_level"]),
        amber_to=tuple(GroupName(name) for name in said["amber_to"]),
        trust=said["trust"],
        naming=Naming(said["naming"]),
        alias=said["alias"],
        former_aliases=frozenset(said.get("former_aliases", ())),
        speaks_for=frozenset(StixId(identity) for identity in said["speaks_for"]),
        widest_shown=Widths(*said["widest_shown"]),
        widest_blocked=Widths(*said["widest_blocked"]),
        suspended=row.suspended,
    )


def _group(row: Row[Any]) -> GroupRules:
    rules = tuple(GroupRule(Attribute(attribute), value) for attribute, value in json.loads(row.rules))
    return GroupRules(Group(GroupName(row.name), StixId(row.marking), row.created_us), rules, row.no)


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        no=row.no,
        name=CollectionName(row.name),
        id=row.id,
        audience=Audience(Level.of(row.level), GroupName(row.group)),
        types=frozenset(json.loads(row.types)),
        kinds=frozenset(json.loads(row.kinds)),
        min_confidence=row.min_confidence,
        first_generation=row.first_generation,
        alert=bool(row.alert),
    )
