"""What a process measures when it is asked, with a real database that goes away."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from hub.app import opened
from hub.config import Config
from hub.doors import gauges
from hub.doors.gauges import Gauges
from tests.deploy.test_roles import samples
from tests.servers.postgres import PostgresServer

STORE = 'ctihub_server_up{server="store"}'
LOG = 'ctihub_server_up{server="log"}'


async def measured(of: Gauges) -> dict[str, float]:
    return samples((await of.text()).decode())


async def test_a_store_that_is_away_is_told_and_what_it_knows_is_not_made_up(
    tmp_path: Path, own_postgres: PostgresServer, own_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "FRESH_S", 0)
    async with opened(Config(data_dir=tmp_path, database_url=own_postgres_url)) as (store, log, _):
        process = Gauges(store, log, tmp_path)
        before = await measured(process)
        assert (before[STORE], before[LOG], before["ctihub_held_waiting"]) == (1, 1, 0)
        await asyncio.to_thread(own_postgres.kill)
        while_away = await measured(process)
        assert (while_away[STORE], while_away[LOG]) == (0, 1)
        assert math.isnan(while_away["ctihub_held_waiting"])
        await asyncio.to_thread(own_postgres.restart)
        assert (await measured(process))[STORE] == 1


async def test_a_folder_that_is_not_there_has_no_room_that_could_be_told(tmp_path: Path) -> None:
    async with opened(Config(data_dir=tmp_path)) as (store, log, _):
        found = await measured(Gauges(store, log, tmp_path / "nowhere"))
        assert math.isnan(found["ctihub_data_dir_free_bytes"])
        assert found[STORE] == 1


async def test_many_who_ask_at_once_are_served_by_one_measurement(tmp_path: Path) -> None:
    async with opened(Config(data_dir=tmp_path)) as (store, log, _):
        asked = 0

        class Counting:
            async def ready(self) -> bool:
                nonlocal asked
                asked += 1
                return await log.ready()

        process = Gauges(store, Counting(), tmp_path)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(process.text())
        assert asked == 1
