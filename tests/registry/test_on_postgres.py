"""The registry on PostgreSQL, where operators and processes are really at it at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import select

from hub.model.credentials import TokenCredentials
from hub.model.errors import Refused
from hub.model.principals import PrincipalKind
from hub.registry.service import Registry
from hub.store import tables as t
from hub.store.policy_changes import policy_number
from hub.store.postgres import PostgresStore, open_postgres
from tests.registry.builders import NOON_US, registry_on, terms
from tests.waiting import until


async def _stores(stack: AsyncExitStack, url: str, count: int) -> list[PostgresStore]:
    """Several processes' stores, opened at once."""
    stores = await asyncio.gather(*(open_postgres(url, now_us=NOON_US) for _ in range(count)))
    for store in stores:
        stack.push_async_callback(store.close)
    return stores


async def test_many_may_make_a_new_hub_at_once(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        policies = [await store.policy() for store in await _stores(stack, postgres_url, 4)]
        assert len({policy.namespace for policy in policies}) == 1
        assert {tuple(policy.collections) for policy in policies} == {(1, 2, 3)}


async def test_of_two_operators_that_take_one_name_one_is_refused(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        one, other = map(registry_on, await _stores(stack, postgres_url, 2))
        said = await asyncio.gather(
            one.centres.add("ro-cert", terms()), other.operators.add("ro-cert"), return_exceptions=True
        )
        assert sum(isinstance(each, Refused) for each in said) == 1
        assert len((await one.access.snapshot()).principals) == 1


async def test_who_has_seen_a_number_has_seen_all_below_it(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = await _stores(stack, postgres_url, 3)
        seen: list[list[int]] = []
        done = asyncio.Event()

        async def look() -> None:
            while not done.is_set():
                async with stores[0].reading() as conn:
                    top = await policy_number(conn)
                    numbers = (await conn.execute(select(t.policy_changes.c.no))).scalars().all()
                seen.append([top, len(numbers)])

        async def make(store: PostgresStore, prefix: str) -> None:
            for number in range(8):
                await registry_on(store).groups.add(f"{prefix}-{number}")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(look())
            makers = [tasks.create_task(make(store, f"g{at}")) for at, store in enumerate(stores)]
            await asyncio.wait(makers)
            done.set()
        assert seen
        assert all(top == count for top, count in seen)
        assert await until(lambda: _count(stores[0], 24))


async def _count(store: PostgresStore, wanted: int) -> bool:
    async with store.reading() as conn:
        return await policy_number(conn) == wanted


async def test_a_principal_is_known_and_shut_out_in_another_process(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        registry, door = map(registry_on, await _stores(stack, postgres_url, 2))
        token = (await registry.centres.add("ro-cert", terms())).token
        await until(lambda: door.access.authenticate(TokenCredentials(token)))
        await registry.principals.suspend("ro-cert", PrincipalKind.CENTRE)
        await until(lambda: _is_out(door, token))


async def _is_out(door: Registry, token: str) -> bool:
    return await door.access.authenticate(TokenCredentials(token)) is None


@pytest.mark.parametrize("name", ["ro-cert", "it-cert"])
async def test_what_was_registered_is_read_as_it_was(postgres_url: str, name: str) -> None:
    async with AsyncExitStack() as stack:
        (store,) = await _stores(stack, postgres_url, 1)
        registry = registry_on(store)
        await registry.groups.add("east", ["country=RO"])
        added = await registry.centres.add(name, terms(amber_to=["east"], trust=3, naming="alias", alias="Ä"))
        assert await registry.centres.find(name) == added.made
        member = await registry.members.add("soc", accredited_by=name, country="RO", sector="energy")
        assert member.made == await registry.members.find("soc")
        assert member.made.groups == ("public", "community", "east")
        made = await registry.collections.add("east", tlp="red", group="east", types=["indicator"], kinds=["url"])
        assert await registry.collections.find("east") == made
        await registry.collections.remove("east")
        assert (await registry.collections.add("east", tlp="red", group="east")).no != made.no
