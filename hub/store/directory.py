"""Statements on the registry's tables: who exists, which groups and collections there are, and the numbered changes.

Functions over a connection that is inside a transaction already; neutral to the dialect. Rules are the registry's.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.policy import Audience, Centre, Collection, Group, Policy
from hub.model.principals import Attribute, GroupRules, Kind, Principal, Roll, Rule
from hub.model.words import (
    BUILT_IN_GROUPS,
    COMMUNITY,
    NETWORK,
    PUBLIC,
    CentreName,
    CollectionName,
    GroupName,
    Level,
    Naming,
    StixId,
)
from hub.store import tables as t

DEFAULT_COLLECTIONS: tuple[tuple[CollectionName, Audience], ...] = (
    (CollectionName("public"), Audience(Level.CLEAR, PUBLIC)),
    (CollectionName("community"), Audience(Level.GREEN, COMMUNITY)),
    (CollectionName("network"), Audience(Level.AMBER_STRICT, NETWORK)),
)
"""Source: docs/semantics.md, section 1, "collection"."""

_CURSOR_KEY_BYTES = 32

SCOPE_ALL = "all"


def scope_of_centre(no: int) -> str:
    """The scope of a change that concerns one centre's contributions."""
    return f"centre:{no}"


def scope_of_collection(no: int) -> str:
    """The scope of a change that concerns one collection's views."""
    return f"collection:{no}"


# ---------------------------------------------------------------- the hub itself


async def bootstrap(conn: AsyncConnection, now_us: int) -> None:
    """Make the hub's own row, the built-in groups and the default collections, unless somebody has.

    Two processes may do it at once: the hub's row comes first, and its key lets only one of them go on.
    """
    if (await conn.execute(select(t.hub.c.one))).first() is not None:
        return
    try:
        async with conn.begin_nested():
            await conn.execute(insert(t.hub).values(_new_hub(now_us)))
    except IntegrityError:
        return
    for group in BUILT_IN_GROUPS:
        await add_group(conn, group, (), now_us)
    for name, audience in DEFAULT_COLLECTIONS:
        await add_collection(conn, new_collection(name, audience), now_us)


def _new_hub(now_us: int) -> Mapping[str, Any]:
    return {
        "one": 1,
        "namespace": str(uuid4()),
        "identity": f"identity--{uuid4()}",
        "cursor_key": secrets.token_bytes(_CURSOR_KEY_BYTES),
        "created_us": now_us,
    }


async def cursor_key(conn: AsyncConnection) -> bytes:
    """The secret with which doors sign what they hand out to come back with; all processes share it."""
    return bytes((await conn.execute(select(t.hub.c.cursor_key))).scalar_one())


async def lock(conn: AsyncConnection) -> None:
    """Make other operators wait until this transaction ends. Begin with it: what is read after it is the newest.

    Numbers of changes are then given in the order of the commits: who has seen one has seen all below it.
    SQLite serialises its writers anyway and ignores FOR UPDATE.
    """
    await conn.execute(select(t.hub.c.one).with_for_update())


async def record_change(
    conn: AsyncConnection, kind: str, body: Mapping[str, Any], scope: str | None, now_us: int
) -> int:
    """Append a numbered change of policy, and what is to be looked at anew because of it; returns the number.

    ``scope`` is ``all``, ``centre:NUMBER``, ``collection:NUMBER``, or None where no view can change.
    """
    await lock(conn)
    row = {"at_us": now_us, "kind": kind, "body": json.dumps(body, sort_keys=True)}
    number = await _insert(conn, t.policy_changes, row)
    if scope is not None:
        sweep = {"scope": scope, "cursor": b"", "time_us": now_us, "done": False}
        await conn.execute(insert(t.sweeps).values(sweep))
    return number


async def tick(conn: AsyncConnection, day: str, now_us: int) -> bool:
    """Set the date (``YYYY-MM-DD``); an earlier one than the latest, or the same, is ignored. Whether it was set."""
    await lock(conn)
    last = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    if last is not None and last >= day:
        return False
    await conn.execute(insert(t.ticks).values({"day": day, "at_us": now_us}))
    await record_change(conn, "tick", {"day": day}, None, now_us)
    return True


async def policy_number(conn: AsyncConnection) -> int:
    """The number of the newest change; 0 before the first."""
    return int((await conn.execute(select(func.coalesce(func.max(t.policy_changes.c.no), 0)))).scalar_one())


async def read_policy(conn: AsyncConnection) -> Policy:
    """The policy in force, whole."""
    hub = (await conn.execute(select(t.hub))).one()
    number = await policy_number(conn)
    centres = await conn.execute(select(t.principals).where(t.principals.c.kind == Kind.CENTRE))
    day = (await conn.execute(select(func.max(t.ticks.c.day)))).scalar_one()
    return Policy(
        number=number,
        namespace=UUID(hub.namespace),
        hub_identity=StixId(hub.identity),
        hub_created_us=hub.created_us,
        centres={row.no: centre_of(row) for row in centres},
        groups={name: group.group for name, group in (await read_groups(conn)).items()},
        collections={collection.no: collection for collection in (await read_collections(conn)).values()},
        today=date.fromisoformat(day) if day else None,
    )


async def read_roll(conn: AsyncConnection) -> Roll:
    """Everybody and everything that decides who may what, as of one number."""
    number = await policy_number(conn)
    joined = await _joined(conn)
    rows = (await conn.execute(select(t.principals).order_by(t.principals.c.name))).all()
    principals = {row.name: _principal(row, joined) for row in rows}
    return Roll(
        number=number,
        principals=principals,
        by_digest={row.token_digest: principals[row.name] for row in rows if row.token_digest is not None},
        groups=await read_groups(conn),
        collections=await read_collections(conn),
    )


# ---------------------------------------------------------------- principals


async def add_principal(
    conn: AsyncConnection, principal: Principal, digest: bytes, settings: Mapping[str, Any]
) -> Principal:
    """A new principal, and the log of rejections that a centre has; returns it with the number that it got."""
    row = {
        "name": principal.name,
        "kind": principal.kind,
        "identity": principal.identity,
        "country": principal.country,
        "sector": principal.sector,
        "accredited_by": principal.accredited_by,
        "token_digest": digest,
        "suspended": principal.suspended,
        "created_us": principal.created_us,
        "settings": json.dumps(settings, sort_keys=True),
    }
    no = await _insert(conn, t.principals, row)
    if principal.kind is Kind.CENTRE:
        await _add_log(conn, f"rejected.{principal.name}")
    return replace(principal, no=no)


async def read_principals(conn: AsyncConnection) -> dict[str, Principal]:
    """All principals, by name in order."""
    joined = await _joined(conn)
    rows = await conn.execute(select(t.principals).order_by(t.principals.c.name))
    return {row.name: _principal(row, joined) for row in rows}


async def read_centres(conn: AsyncConnection) -> dict[str, Centre]:
    """All centres with what they may say, by name in order."""
    rows = await conn.execute(
        select(t.principals).where(t.principals.c.kind == Kind.CENTRE).order_by(t.principals.c.name)
    )
    return {row.name: centre_of(row) for row in rows}


async def change_principal(conn: AsyncConnection, no: int, **columns: Any) -> None:
    """Set columns of a principal; ``settings`` is a mapping."""
    if "settings" in columns:
        columns["settings"] = json.dumps(columns["settings"], sort_keys=True)
    await conn.execute(update(t.principals).where(t.principals.c.no == no).values(columns))


async def remove_principal(conn: AsyncConnection, no: int) -> None:
    """Forget an operator. Centres and members are suspended instead: their claims and reports name them."""
    await conn.execute(delete(t.principals).where(t.principals.c.no == no))


def settings_of(centre: Centre) -> dict[str, Any]:
    """What only a centre has, as ``principals.settings`` keeps it."""
    return {
        "ceiling": centre.ceiling.label,
        "default_level": centre.default_level.label,
        "amber_to": list(centre.amber_to),
        "trust": centre.trust,
        "naming": centre.naming,
        "alias": centre.alias,
        "speaks_for": sorted(centre.speaks_for),
    }


def centre_of(row: Row[Any]) -> Centre:
    """The centre that a row of ``principals`` keeps."""
    said = json.loads(row.settings)
    return Centre(
        no=row.no,
        name=CentreName(row.name),
        identity=StixId(row.identity),
        country=row.country,
        created_us=row.created_us,
        ceiling=Level.of(said["ceiling"]),
        default_level=Level.of(said["default_level"]),
        amber_to=tuple(GroupName(name) for name in said["amber_to"]),
        trust=said["trust"],
        naming=Naming(said["naming"]),
        alias=said["alias"],
        speaks_for=frozenset(StixId(identity) for identity in said["speaks_for"]),
        suspended=row.suspended,
    )


def _principal(row: Row[Any], joined: Mapping[int, frozenset[GroupName]]) -> Principal:
    return Principal(
        no=row.no,
        name=row.name,
        kind=Kind(row.kind),
        identity=StixId(row.identity) if row.identity else None,
        country=row.country,
        sector=row.sector,
        accredited_by=row.accredited_by,
        suspended=row.suspended,
        created_us=row.created_us,
        joined=joined.get(row.no, frozenset()),
    )


# ---------------------------------------------------------------- groups


async def add_group(conn: AsyncConnection, name: GroupName, rules: tuple[Rule, ...], now_us: int) -> GroupRules:
    """A new group with a marking of its own."""
    group = Group(name, StixId(f"marking-definition--{uuid4()}"), now_us)
    said = json.dumps([[rule.attribute, rule.value] for rule in rules])
    row = {"name": name, "marking": group.marking, "rules": said, "created_us": now_us}
    return GroupRules(group, rules, await _insert(conn, t.groups, row))


async def remove_group(conn: AsyncConnection, no: int) -> None:
    """Forget a group and who joined it."""
    await conn.execute(delete(t.group_members).where(t.group_members.c.group == no))
    await conn.execute(delete(t.groups).where(t.groups.c.no == no))


async def read_groups(conn: AsyncConnection) -> dict[GroupName, GroupRules]:
    """All groups, by name in order, the built-in ones first."""
    rows = (await conn.execute(select(t.groups).order_by(t.groups.c.name))).all()
    groups = {GroupName(row.name): _group(row) for row in rows}
    return {name: groups[name] for name in (*BUILT_IN_GROUPS, *groups) if name in groups}


def _group(row: Row[Any]) -> GroupRules:
    rules = tuple(Rule(Attribute(attribute), value) for attribute, value in json.loads(row.rules))
    return GroupRules(Group(GroupName(row.name), StixId(row.marking), row.created_us), rules, row.no)


async def join(conn: AsyncConnection, group: int, principal: int) -> None:
    """Put a principal, not in it yet, on the list of a group."""
    await conn.execute(insert(t.group_members).values({"group": group, "principal": principal}))


async def leave(conn: AsyncConnection, group: int, principal: int) -> None:
    """Take a principal off the list of a group."""
    m = t.group_members.c
    await conn.execute(delete(t.group_members).where(m.group == group, m.principal == principal))


async def _joined(conn: AsyncConnection) -> dict[int, frozenset[GroupName]]:
    found: dict[int, set[GroupName]] = defaultdict(set)
    m, g = t.group_members.c, t.groups.c
    rows = await conn.execute(select(m.principal, g.name).join(t.groups, g.no == m.group))
    for row in rows:
        found[row.principal].add(GroupName(row.name))
    return {no: frozenset(names) for no, names in found.items()}


# ---------------------------------------------------------------- collections


def new_collection(
    name: CollectionName,
    audience: Audience,
    *,
    types: frozenset[str] = frozenset(),
    kinds: frozenset[str] = frozenset(),
    min_confidence: int = 0,
) -> Collection:
    """A collection with a fresh id and no number yet. UUIDv4, since some TAXII clients refuse others."""
    return Collection(0, name, str(uuid4()), audience, types, kinds, min_confidence)


async def add_collection(conn: AsyncConnection, collection: Collection, now_us: int) -> Collection:
    """A new collection, numbered as its change log is."""
    no = await _add_log(conn, f"collection.{collection.name}")
    row = {
        "no": no,
        "name": collection.name,
        "id": collection.id,
        "level": collection.audience.level.label,
        "group": collection.audience.group,
        "types": json.dumps(sorted(collection.types)),
        "kinds": json.dumps(sorted(collection.kinds)),
        "min_confidence": collection.min_confidence,
        "created_us": now_us,
    }
    await conn.execute(insert(t.collections).values(row))
    return replace(collection, no=no)


async def remove_collection(conn: AsyncConnection, no: int) -> None:
    """Forget a collection. Its log keeps its number under another name: one made later must begin at 1, on its own."""
    await conn.execute(delete(t.collections).where(t.collections.c.no == no))
    await conn.execute(update(t.logs).where(t.logs.c.no == no).values(name=f"removed.{no}"))


async def read_collections(conn: AsyncConnection) -> dict[CollectionName, Collection]:
    """All collections, by name in the order of their making."""
    rows = await conn.execute(select(t.collections).order_by(t.collections.c.no))
    return {CollectionName(row.name): _collection(row) for row in rows}


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        no=row.no,
        name=CollectionName(row.name),
        id=row.id,
        audience=Audience(Level.of(row.level), GroupName(row.group)),
        types=frozenset(json.loads(row.types)),
        kinds=frozenset(json.loads(row.kinds)),
        min_confidence=row.min_confidence,
    )


async def _add_log(conn: AsyncConnection, name: str) -> int:
    return await _insert(conn, t.logs, {"name": name})


async def _insert(conn: AsyncConnection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert one row; returns the number that the database gave it."""
    key = (await conn.execute(insert(table).values(row))).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row into a table with a serial key has one
    return int(key[0])
