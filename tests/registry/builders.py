"""Builders of the registry's values, for its tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hub.model.policy import Audience, Collection, Group
from hub.model.principals import GroupRules, Principal, PrincipalKind
from hub.model.words import BUILT_IN_GROUPS, CollectionName, GroupName, Level, StixId
from hub.registry import names
from hub.registry.centres import Terms
from hub.registry.port import Broker
from hub.registry.service import Registry
from hub.store.sql import SqlStore
from hub.store.sqlite import SqliteStore
from tests.stores import a_store as new_store

NOON_US = 1_790_000_000_000_000
"""The fixed time of these tests: September 2026."""


def a_principal(name: str = "soc", kind: PrincipalKind = PrincipalKind.MEMBER, **overrides: object) -> Principal:
    """A member, unless said otherwise."""
    said: dict[str, object] = {"no": 1, "name": name, "kind": kind} | overrides
    return Principal(**said)  # type: ignore[arg-type]


def a_collection(group: str, level: Level = Level.GREEN, no: int = 1, name: str = "some") -> Collection:
    """A collection for a group."""
    return Collection(
        no, CollectionName(name), f"{no:08x}-0000-4000-8000-000000000000", Audience(level, GroupName(group))
    )


def some_groups(**rules: list[str]) -> dict[GroupName, GroupRules]:
    """The built-in groups, and others with their rules."""
    made = {name: GroupRules(Group(name, StixId("")), ()) for name in BUILT_IN_GROUPS}
    for name, said in rules.items():
        made[GroupName(name)] = GroupRules(Group(GroupName(name), StixId("")), tuple(map(names.rule, said)))
    return made


@asynccontextmanager
async def a_store(folder: Path) -> AsyncIterator[SqliteStore]:
    """A fresh store in a folder."""
    store = await new_store(folder / "store.sqlite", now_us=NOON_US)
    try:
        yield store
    finally:
        await store.close()


def registry_on(store: SqlStore, *, broker: Broker | None = None, **more: Callable[[], float]) -> Registry:
    """A registry on this store, with a clock that stands still."""
    return Registry(store.registry, now_us=lambda: NOON_US, broker=broker, **more)


@asynccontextmanager
async def a_registry(folder: Path, *, broker: Broker | None = None) -> AsyncIterator[Registry]:
    """A registry on a fresh store, with a clock that stands still."""
    async with a_store(folder) as store:
        yield registry_on(store, broker=broker)


def terms(**said: object) -> Terms:
    """A Romanian centre's terms."""
    return Terms(**({"country": "RO"} | said))  # type: ignore[arg-type]
