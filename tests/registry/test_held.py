"""Objects that wait for the operator: listed, released, refused, one by one or in bulk."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from hub.model.errors import NotFound, WrongUsage
from hub.model.held import HeldState
from hub.model.tasks import TakeReleased
from hub.registry.service import Registry
from hub.store import tables as t
from hub.store.sqlite import SqliteStore
from tests.registry.builders import NOON_US, a_store, registry_on, terms


async def _held(store: SqliteStore, centre: int, list_name: str, stix_id: str) -> None:
    row = {"source": centre, "stix_id": stix_id, "code": "list.hit", "list": list_name, "says": "On a list."}
    row |= {"value": b'{"id": "x"}', "stamp": b"s", "receipt": None, "idx": 0, "at_us": NOON_US, "digest": b"d"}
    row |= {"state": "waiting"}
    async with store.begin() as conn:
        await conn.execute(insert(t.held).values(row))


async def _some(store: SqliteStore) -> Registry:
    registry = registry_on(store)
    ro = (await registry.centres.add("ro-cert", terms())).made.principal.no
    it = (await registry.centres.add("it-cert", terms())).made.principal.no
    for centre, list_name, stix_id in ((ro, "dns", "a"), (ro, "top", "b"), (it, "dns", "c"), (it, "top", "d")):
        await _held(store, centre, list_name, stix_id)
    return registry


async def test_what_waits_is_listed_by_list_and_by_centre(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        assert [each.stix_id for each in await registry.held.all()] == ["a", "b", "c", "d"]
        assert [each.stix_id for each in await registry.held.all(list_name="dns")] == ["a", "c"]
        assert [each.stix_id for each in await registry.held.all(list_name="dns", centre="it-cert")] == ["c"]
        with pytest.raises(NotFound):
            await registry.held.all(centre="pl-cert")


async def test_one_held_object_is_shown_as_it_came(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        found = await registry.held.find(2)
        assert (found.source, found.stix_id, found.value) == ("ro-cert", "b", b'{"id": "x"}')
        with pytest.raises(NotFound):
            await registry.held.find(99)


async def test_released_objects_are_handed_to_the_worker(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        assert await registry.held.release([1, 3]) == 2
        assert await registry.held.release([1]) == 0
        assert [each.stix_id for each in await registry.held.all()] == ["b", "d"]
        async with store.transaction() as tx:
            assert [each.stix_id for each in await tx.released(10)] == ["a", "c"]


async def test_refusing_in_bulk_keeps_to_the_list_and_the_centre(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        assert await registry.held.refuse(list_name="top", centre="it-cert") == 1
        assert await registry.held.refuse(list_name="dns") == 2
        everything = {each.stix_id: each.state for each in await registry.held.all(state=None)}
        assert everything == {
            "a": HeldState.REFUSED,
            "b": HeldState.WAITING,
            "c": HeldState.REFUSED,
            "d": HeldState.REFUSED,
        }


async def test_saying_nothing_is_not_saying_all(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        with pytest.raises(WrongUsage):
            await registry.held.release()
        assert await registry.held.release(all_=True) == 4


async def test_a_number_that_does_not_exist_releases_nothing(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        with pytest.raises(NotFound, match="99"):
            await registry.held.release([1, 99])
        assert len(await registry.held.all()) == 4


async def test_a_decision_is_a_numbered_change_that_touches_no_view(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = await _some(store)
        await registry.held.release([1])
        async with store.reading() as conn:
            assert (await conn.execute(select(t.policy_changes.c.kind))).scalars().all()[-1] == "HeldSettled"
        assert [due.task for due in await store.due(NOON_US)] == [TakeReleased()]
