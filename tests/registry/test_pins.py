"""Pinned ids in the registry: by identity or name, replaced and taken back, each as a numbered change."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.model.errors import NotFound, WrongUsage
from hub.model.tasks import RecomputeId
from hub.model.words import StixId
from hub.registry.pins import Pin
from hub.store import tables as t
from tests.registry.builders import NOON_US, a_store, registry_on, terms

MALWARE = StixId("malware--6ba7b810-9dad-41d1-80b4-00c04fd430c8")
MITRE = StixId("identity--c78cb6e5-0c4b-4611-8297-d1b8b55e40b5")


async def test_an_id_is_pinned_to_an_identity_or_to_a_source_by_its_name(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        centre = (await registry.centres.add("ro-cert", terms())).made.principal
        assert centre.identity is not None
        assert await registry.pins.add(MALWARE, MITRE) == Pin(MALWARE, MITRE, None)
        assert (await store.policy()).pins == {MALWARE: MITRE}
        assert await registry.pins.add(MALWARE, "ro-cert") == Pin(MALWARE, centre.identity, "ro-cert")
        assert await registry.pins.all() == [Pin(MALWARE, centre.identity, "ro-cert")]
        assert (await store.policy()).pins == {MALWARE: centre.identity}
        assert [due.task for due in await store.due(NOON_US)] == [RecomputeId(MALWARE)]
        await registry.pins.remove(MALWARE)
        assert (await store.policy()).pins == {}
        assert await registry.pins.all() == []


async def test_pinning_the_same_again_is_no_change(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.pins.add(MALWARE, MITRE)
        before = (await store.policy()).number
        await registry.pins.add(MALWARE, MITRE)
        assert (await store.policy()).number == before
        async with store.reading() as conn:
            assert (await conn.execute(select(func.count()).select_from(t.pins))).scalar_one() == 1


@pytest.mark.parametrize(
    ("name", "author", "error"),
    [
        ("malware", MITRE, WrongUsage), (MALWARE, "identity--x", WrongUsage), (MALWARE, "pl-cert", NotFound),
        (MALWARE.upper(), MITRE, WrongUsage),
    ],
)  # fmt: skip
async def test_what_is_no_id_or_nobody_is_refused(
    tmp_path: Path, name: str, author: str, error: type[Exception]
) -> None:
    async with a_store(tmp_path) as store:
        with pytest.raises(error):
            await registry_on(store).pins.add(name, author)


async def test_what_is_not_pinned_cannot_be_unpinned(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        with pytest.raises(NotFound):
            await registry_on(store).pins.remove(MALWARE)
