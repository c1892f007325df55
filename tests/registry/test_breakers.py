"""The decision about what a breaker holds: all of it at once, by an operator, and only while it has tripped."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from hub.model.breaker import BreakerState, Minute
from hub.model.errors import NotFound, Refused
from hub.model.held import HeldState
from hub.model.tasks import TakeReleased
from hub.registry.breakers import OpenTrip
from hub.registry.service import Registry
from hub.store import tables as t
from hub.store.breakers import load
from hub.store.sqlite import SqliteStore
from tests.registry.builders import NOON_US, a_store, registry_on, terms


async def _tripped(store: SqliteStore) -> Registry:
    """Two centres, of which the breaker of the first holds two withdrawals; a list holds one object of it."""
    registry = registry_on(store)
    ro = (await registry.centres.add("ro-cert", terms())).made.principal.no
    await registry.centres.add("it-cert", terms())
    async with store.begin() as conn:
        await load(conn, {ro})
        values = {"minutes": "[[29833333, 5, 5]]", "tripped_us": NOON_US}
        await conn.execute(update(t.breakers).where(t.breakers.c.source == ro).values(values))
        for code, stix_id in (("breaker.mass-withdrawal", "a"), ("breaker.mass-withdrawal", "b"), ("list.hit", "c")):
            row = {"source": ro, "stix_id": stix_id, "code": code, "list": "", "says": "x", "value": b"", "stamp": b"s"}
            row |= {"receipt": None, "idx": 0, "at_us": NOON_US, "digest": b"", "state": "waiting"}
            await conn.execute(insert(t.held).values(row | {"withdrawal": "stands" if code[0] == "b" else None}))
    return registry


async def _states(registry: Registry) -> dict[str, HeldState]:
    return {each.stix_id: each.state for each in await registry.held.all(state=None)}


async def _state(store: SqliteStore) -> BreakerState:
    async with store.begin() as conn:
        return (await load(conn, {1}))[1].state


async def test_what_has_tripped_is_told(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _tripped(store)
        assert list(await registry.breakers.trips()) == [OpenTrip("ro-cert", NOON_US, 2)]
        assert list(await registry.breakers.trips("it-cert")) == []
        with pytest.raises(NotFound):
            await registry.breakers.trips("pl-cert")


async def test_what_is_confirmed_is_released_and_counted_no_more(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _tripped(store)
        assert await registry.breakers.confirm("ro-cert") == 2
        assert await _states(registry) == {
            "a": HeldState.RELEASED,
            "b": HeldState.RELEASED,
            "c": HeldState.WAITING,
        }
        assert await _state(store) == BreakerState()
        assert [due.task for due in await store.due(NOON_US)] == [TakeReleased()]
        async with store.reading() as conn:
            kinds = (await conn.execute(select(t.policy_changes.c.kind))).scalars().all()
        assert kinds[-1] == "HeldSettled"
        with pytest.raises(Refused):
            await registry.breakers.confirm("ro-cert")


async def test_what_is_refused_is_dropped_and_still_counts(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _tripped(store)
        assert await registry.breakers.refuse("ro-cert") == 2
        assert (await _states(registry))["a"] == HeldState.REFUSED
        assert await _state(store) == BreakerState((Minute(29833333, 5, 5),))
        assert await store.due(NOON_US) == []


async def test_releasing_all_held_objects_confirms_no_mass_withdrawal(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _tripped(store)
        assert await registry.held.release(all_=True) == 1
        assert await registry.held.release(centre="ro-cert") == 0
        assert await registry.held.release([1]) == 1
        assert await _states(registry) == {
            "a": HeldState.RELEASED,
            "b": HeldState.WAITING,
            "c": HeldState.RELEASED,
        }
