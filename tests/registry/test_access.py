"""Who is calling: answered from memory, never older than a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from hub.model.credentials import TokenCredentials
from hub.model.principals import PrincipalKind
from hub.registry.service import Registry
from hub.store.sqlite import SqliteStore
from tests.registry.builders import a_store, registry_on, terms


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _registry(store: SqliteStore, clock: Clock | None = None) -> Registry:
    return registry_on(store, monotonic_s=clock or Clock())


async def test_a_token_names_its_principal(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        added = await _registry(store).centres.add("ro-cert", terms())
        found = await _registry(store).access.authenticate(TokenCredentials(added.token))
        assert found == added.made.principal


async def test_with_a_name_the_name_must_match(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        token = (await _registry(store).centres.add("ro-cert", terms())).token
        door = _registry(store)
        assert await door.access.authenticate(TokenCredentials(token, "ro-cert"))
        assert await door.access.authenticate(TokenCredentials(token, "it-cert")) is None
        assert await door.access.authenticate(TokenCredentials(token, "")) is None


def test_a_token_does_not_show_where_its_credentials_are_printed() -> None:
    assert "ctihub_" not in f"{TokenCredentials('ctihub_abc', 'soc')!r} {TokenCredentials('ctihub_abc', 'soc')}"


@pytest.mark.parametrize("wrong", ["", "ctihub_", "ctihub_" + "A" * 43, "Bearer x", "ctihub_\u00e9" + "A" * 42])
async def test_any_other_token_is_nobodys(tmp_path: Path, wrong: str) -> None:
    async with a_store(tmp_path) as store:
        await _registry(store).operators.add("root")
        assert await _registry(store).access.authenticate(TokenCredentials(wrong)) is None


async def test_a_suspended_principal_is_out_within_a_second_and_back_with_the_same_token(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry, clock = _registry(store), Clock()
        door = _registry(store, clock)
        await registry.centres.add("ro-cert", terms())
        token = (await registry.members.add("soc", accredited_by="ro-cert")).token
        member = await door.access.authenticate(TokenCredentials(token))
        assert member
        await registry.principals.suspend("soc", PrincipalKind.MEMBER)
        clock.now_s += 1.0
        assert await door.access.authenticate(TokenCredentials(token)) is None
        assert [each.name for each in await door.access.readable(member)] == ["public"]
        await registry.principals.resume("soc", PrincipalKind.MEMBER)
        clock.now_s += 1.0
        assert await door.access.authenticate(TokenCredentials(token)) == member


async def test_after_rotation_only_the_new_token_is_good(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry, clock = _registry(store), Clock()
        door = _registry(store, clock)
        old = (await registry.operators.add("root")).token
        assert await door.access.authenticate(TokenCredentials(old))
        new = (await registry.principals.rotate("root", PrincipalKind.OPERATOR)).token
        clock.now_s += 1.0
        assert await door.access.authenticate(TokenCredentials(old)) is None
        assert await door.access.authenticate(TokenCredentials(new))


async def test_a_removed_operator_is_out(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry, clock = _registry(store), Clock()
        door = _registry(store, clock)
        token = (await registry.operators.add("root")).token
        assert await door.access.authenticate(TokenCredentials(token))
        await registry.operators.remove("root")
        clock.now_s += 1.0
        assert await door.access.authenticate(TokenCredentials(token)) is None


async def test_within_a_second_the_store_is_not_asked_again(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        token = (await _registry(store).operators.add("root")).token
        clock, asked = Clock(), []
        door = _registry(store, clock)
        event.listen(store.engine.sync_engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
        for _ in range(5):
            assert await door.access.authenticate(TokenCredentials(token))
            await door.access.readable(None)
        first = len(asked)
        clock.now_s += 1.0
        assert await door.access.authenticate(TokenCredentials(token))
        assert len(asked) == first + 2  # BEGIN, and only the number of the newest change, as nothing has changed


async def test_what_is_readable_follows_groups_and_collections(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry, clock = _registry(store), Clock()
        door = _registry(store, clock)
        await registry.centres.add("ro-cert", terms())
        added = await registry.members.add("soc", accredited_by="ro-cert")
        member = added.made.principal
        assert [each.name for each in await door.access.readable(member)] == ["public", "community"]
        await registry.groups.add("pilot")
        await registry.collections.add("pilot", tlp="red", group="pilot")
        await registry.groups.join("pilot", ["soc"])
        clock.now_s += 1.0
        assert [each.name for each in await door.access.readable(member)] == ["public", "community", "pilot"]
        assert [each.name for each in await door.access.readable(None)] == ["public"]
        pilot = await door.collections.find("pilot")
        assert await door.access.may_read(member, pilot)
        await registry.groups.leave("pilot", ["soc"])
        clock.now_s += 1.0
        assert not await door.access.may_read(member, pilot)


async def test_an_operator_may_ask_why_of_every_collection_and_read_the_public_one(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        door = _registry(store)
        operator = (await door.operators.add("root")).made
        assert [each.name for each in await door.access.readable(operator)] == ["public"]
        assert [each.name for each in await door.access.explainable(operator)] == ["public", "community", "network"]


async def test_a_removed_collection_is_not_readable_under_its_old_number(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry, clock = _registry(store), Clock()
        door = _registry(store, clock)
        old = await registry.collections.add("open", tlp="clear", group="public")
        assert await door.access.may_read(None, old)
        await registry.collections.remove("open")
        await registry.collections.add("open", tlp="clear", group="public")
        clock.now_s += 1.0
        assert not await door.access.may_read(None, old)
