"""Tokens of devices on real brokers: each is a user with its part of the rights, until it ends or is removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
)

from hub.model.principals import PLACEHOLDER_USER, PrincipalKind
from hub.model.tokens import TokenRights
from hub.registry.kafka_admin import KafkaAdmin
from hub.registry.port import RegistryStore
from hub.registry.service import Registry
from tests.registry.builders import NOON_US, a_store, terms
from tests.registry.test_broker import Clients, broker_of
from tests.servers.kafka import KafkaServer
from tests.waiting import WITHIN_S

HOUR_US = 3_600_000_000
ELSEWHERE = "203.0.113.7"


class Place:
    """A hub's registry on real brokers, with the centre ``ro``, the member ``soc``, and a clock that is moved."""

    def __init__(self, kafka: KafkaServer, store: RegistryStore) -> None:
        self.kafka = kafka
        self.store = store
        self.broker = broker_of(kafka)
        self.clock = [NOON_US]
        self.registry = Registry(store, now_us=lambda: self.clock[0], broker=self.broker)
        self.hub = Clients(kafka, kafka.admin_username, kafka.admin_password)

    async def add(self, principal: str, name: str, **more: object) -> Clients:
        added = await self.registry.tokens.add(principal, name, **more)  # type: ignore[arg-type]
        assert added.complaint is None
        return Clients(self.kafka, f"{principal}.{name}", added.token)

    async def differences(self) -> set[str]:
        return {one.says for one in await self.broker.compare(await self.registry.entitlements())}


@asynccontextmanager
async def a_place(kafka: KafkaServer, tmp_path: Path) -> AsyncIterator[Place]:
    async with a_store(tmp_path) as store:
        made = Place(kafka, store.registry)
        await made.registry.centres.add("ro", terms())
        await made.registry.members.add("soc", accredited_by="ro")
        yield made


@pytest_asyncio.fixture
async def place(kafka: KafkaServer, tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(kafka, tmp_path) as made:
        yield made


async def test_a_device_reads_its_collections_alone_in_groups_of_its_principal(place: Place) -> None:
    await place.hub.write("collection.community", b"shown")
    await place.hub.write("collection.public", b"other")
    device = await place.add("soc", "fw1", collections=["community"])
    assert await device.read("collection.community") == b"shown"
    assert await device.read("collection.community", "soc.any") == b"shown"
    with pytest.raises(TopicAuthorizationFailedError):
        await device.read("collection.public")
    for group in ("ro.x", "soc", "socx.y"):
        with pytest.raises(GroupAuthorizationFailedError):
            await device.read("collection.community", group)
    assert await place.differences() == set()


async def test_a_centre_s_tokens_read_or_write_as_they_were_made(place: Place) -> None:
    await place.hub.write("rejected.ro", b"why")
    await place.hub.write("collection.community", b"shown")
    reads = await place.add("ro", "siem", rights=TokenRights.READ)
    pushes = await place.add("ro", "feed", rights=TokenRights.PUSH)
    assert await reads.read("collection.community", "ro.a") == b"shown"
    await pushes.write("intake.ro")
    assert await pushes.read("rejected.ro", "ro.b") == b"why"
    with pytest.raises((TopicAuthorizationFailedError, ClusterAuthorizationFailedError)):
        await reads.write("intake.ro")
    with pytest.raises(TopicAuthorizationFailedError):
        await reads.read("rejected.ro", "ro.a")
    with pytest.raises(TopicAuthorizationFailedError):
        await pushes.read("collection.community", "ro.b")
    assert await place.differences() == set()


async def test_a_token_of_a_member_that_only_pushes_and_one_of_a_network_are_no_users(place: Place) -> None:
    pushes = await place.add("soc", "in", rights=TokenRights.PUSH)
    inside = await place.add("soc", "net", networks=["127.0.0.0/8"])
    for device in (pushes, inside):
        with pytest.raises(KafkaConnectionError):
            await device.read("collection.community")
    assert await place.differences() == set()


async def test_single_addresses_hold_on_the_brokers_too(place: Place) -> None:
    await place.hub.write("collection.community", b"shown")
    here = await place.add("soc", "here", networks=["127.0.0.1", ELSEWHERE])
    there = await place.add("soc", "there", networks=[ELSEWHERE])
    assert await here.read("collection.community") == b"shown"
    with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        await there.read("collection.community")
    assert await place.differences() == set()


async def test_a_removed_token_is_cut_off_in_the_middle_and_its_password_is_gone(place: Place) -> None:
    device = await place.add("soc", "fw1")
    async with device.consumer("collection.community") as consumer:
        await place.hub.write("collection.community", b"before")
        assert (await consumer.getone()).value == b"before"
        await place.registry.tokens.remove("soc", "fw1")
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
                await consumer.getone()
    with pytest.raises(KafkaConnectionError):
        await device.read("collection.community")
    assert await place.differences() == set()


async def test_a_broker_that_starts_after_tokens_were_removed_knows_all_others(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    """Kafka up to 4.4 would know nobody: in the order of its hash map ro.siem comes before all that are left."""
    await asyncio.to_thread(KafkaAdmin(kafka.admin_options()).remove_passwords, [PLACEHOLDER_USER])  # of other tests
    async with a_place(kafka, tmp_path) as place:
        stays = await place.add("soc", "fw1")
        removed = [await place.add("ro", name) for name in ("siem", "feed")]
        for name in ("siem", "feed"):
            await place.registry.tokens.remove("ro", name)
        kafka.kill()
        await asyncio.to_thread(kafka.restart)
        await place.hub.write("collection.community", b"shown")
        assert await stays.read("collection.community") == b"shown"
        for device in removed:
            with pytest.raises(KafkaConnectionError):
                await device.read("collection.community")


async def test_a_token_that_ends_is_cut_off_by_the_next_look(place: Place) -> None:
    device = await place.add("soc", "fw1", until="1h")
    ends = place.registry.ends_on_broker()
    assert ends is not None
    await place.hub.write("collection.community", b"shown")
    assert await ends.look() == 0
    assert await device.read("collection.community") == b"shown"
    place.clock[0] += HOUR_US
    assert await place.differences() >= {"soc.fw1 may read topic collection.community and should not."}
    assert [await ends.look(), await ends.look()] == [1, 0]
    with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        await device.read("collection.community")
    assert await place.differences() == set()


async def test_suspending_a_principal_cuts_off_its_devices(place: Place) -> None:
    await place.hub.write("collection.community", b"shown")
    device = await place.add("soc", "fw1")
    await place.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        await device.read("collection.community")
    await place.registry.principals.resume("soc", PrincipalKind.MEMBER)
    assert await device.read("collection.community") == b"shown"


async def test_in_an_overlap_the_new_password_alone_is_valid_and_open_connections_stay(place: Place) -> None:
    old = await place.add("soc", "fw1")
    async with old.consumer("collection.community") as consumer:
        await place.hub.write("collection.community", b"one")
        assert (await consumer.getone()).value == b"one"
        rotated = await place.registry.tokens.rotate("soc", "fw1", overlap_us=HOUR_US)
        await place.hub.write("collection.community", b"two")
        async with asyncio.timeout(WITHIN_S):
            assert (await consumer.getone()).value == b"two"
    new = Clients(place.kafka, "soc.fw1", rotated.token)
    assert await new.read("collection.community", "soc.other") == b"one"
    with pytest.raises(KafkaConnectionError):
        await old.read("collection.community")


async def test_what_a_removed_token_has_left_while_the_brokers_were_away_is_found_and_mended(place: Place) -> None:
    device = await place.add("soc", "fw1")
    offline = Registry(place.store, now_us=lambda: NOON_US)
    await offline.tokens.remove("soc", "fw1")
    assert await place.differences() == {
        "The user soc.fw1 belongs to no token.",
        "soc.fw1 may read group soc.* and should not.",
        "soc.fw1 may read topic collection.community and should not.",
        "soc.fw1 may read topic collection.public and should not.",
    }
    assert await place.broker.repair(await place.registry.entitlements()) == []
    with pytest.raises(KafkaConnectionError):
        await device.read("collection.community")
