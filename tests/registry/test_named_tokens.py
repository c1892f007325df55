"""Tokens of devices, on both stores: what each allows, from where and until when, rotated with and without overlap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.model.credentials import TokenCredentials
from hub.model.errors import NotFound, Refused, TryAgain, WrongUsage
from hub.model.principals import Principal, PrincipalKind
from hub.model.times import stix_time
from hub.model.tokens import RefusedCredentials, TokenRefusal, TokenRights, TokenScope, TokenUse
from hub.model.words import CollectionName
from hub.registry import named_tokens
from hub.registry.named_tokens import TokenEntry
from hub.registry.service import Registry
from hub.registry.token_uses import TokenUses
from hub.registry.tokens import Token
from hub.store.postgres import open_postgres
from hub.store.sql import SqlStore
from tests.registry.builders import NOON_US, terms
from tests.stores import a_store

HOUR_US = 3_600_000_000


class Times:
    """Both clocks of a registry: the time moves when told, and data in memory are always read again."""

    def __init__(self) -> None:
        self.us = NOON_US
        self._ticks = 0.0

    def now_us(self) -> int:
        return self.us

    def monotonic_s(self) -> float:
        self._ticks += 10
        return self._ticks


class Place:
    """A registry with the centre ``ro`` and the member ``soc``, and its clock."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.times = Times()
        self.registry = Registry(store.registry, now_us=self.times.now_us, monotonic_s=self.times.monotonic_s)

    async def begin(self) -> Place:
        await self.registry.centres.add("ro", terms())
        await self.registry.members.add("soc", accredited_by="ro")
        return self

    async def add(self, name: str = "fw1", principal: str = "soc", **more: Any) -> Token:
        return (await self.registry.tokens.add(principal, name, **more)).token

    async def sent(self, token: str, name: str | None = None, address: str | None = None) -> Principal | TokenRefusal:
        """The principal, or why it is refused."""
        found = await self.registry.access.examine(TokenCredentials(token, name, address))
        return found.why if isinstance(found, RefusedCredentials) else found

    async def reads(self, token: str) -> list[str]:
        found = await self.sent(token)
        assert isinstance(found, Principal)
        return [one.name for one in await self.registry.access.readable(found)]

    async def entry(self, user: str = "soc.fw1") -> TokenEntry:
        (found,) = (one for one in await self.registry.tokens.all() if one.token.full_name == user)
        return found


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        store: SqlStore = await a_store(tmp_path / "store.sqlite", now_us=NOON_US)
    else:
        store = await open_postgres(request.getfixturevalue("migrated_url"), now_us=NOON_US)
    try:
        yield await Place(store).begin()
    finally:
        await store.close()


async def test_a_named_token_is_its_principal_with_the_name_of_either(place: Place) -> None:
    token = await place.add()
    for name in (None, "soc", "soc.fw1"):
        found = await place.sent(token, name)
        assert isinstance(found, Principal)
        assert found.name == "soc"
    for name in ("fw1", "ro", "soc.fw2", ""):
        assert await place.sent(token, name) is TokenRefusal.OTHER_NAME


async def test_the_own_token_goes_on_working_beside_others(place: Place) -> None:
    own = (await place.registry.principals.rotate("soc", PrincipalKind.MEMBER)).token
    await place.add()
    assert await place.reads(own) == ["public", "community"]
    assert await place.sent(own, "soc.fw1") is TokenRefusal.OTHER_NAME


async def test_a_token_reads_only_its_collections_of_those_that_its_principal_reads(place: Place) -> None:
    assert await place.reads(await place.add("a")) == ["public", "community"]
    assert await place.reads(await place.add("b", collections=["community", "network"])) == ["community"]
    assert await place.reads(await place.add("c", collections=["network"])) == []


async def test_a_token_that_only_pushes_reads_no_collection(place: Place) -> None:
    assert await place.reads(await place.add(rights=TokenRights.PUSH)) == []


async def test_what_a_token_allows_outlasts_a_change_of_its_principal(place: Place) -> None:
    found = await place.sent(await place.add(collections=["public"]))
    assert isinstance(found, Principal)
    await place.registry.members.set("soc", sector="energy")
    assert [one.name for one in await place.registry.access.readable(found)] == ["public"]
    community = await place.registry.collections.find("community")
    assert not await place.registry.access.may_read(found, community)


async def test_an_operator_s_token_explains_only_its_collections(place: Place) -> None:
    await place.registry.operators.add("root")
    found = await place.sent(await place.add("screen", "root", collections=["network"]))
    assert isinstance(found, Principal)
    assert [one.name for one in await place.registry.access.explainable(found)] == ["network"]


async def test_a_token_ends_at_its_end(place: Place) -> None:
    token = await place.add(until="2h")
    place.times.us += 2 * HOUR_US - 1
    assert isinstance(await place.sent(token), Principal)
    place.times.us += 1
    assert await place.sent(token) is TokenRefusal.ENDED
    assert (await place.entry()).state == "ended"
    with pytest.raises(Refused, match="has ended"):
        await place.registry.tokens.rotate("soc", "fw1")


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("192.0.2.0", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("::ffff:192.0.2.7", True),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("2001:db8:0:1::7", True),
        ("2001:db8:0:2::7", False),
        ("192.0.2.7, 198.51.100.8", False),
        ("unknown", False),
        ("", False),
        (None, False),
    ],
)
async def test_a_token_is_valid_only_in_its_networks(tmp_path: Path, address: str | None, is_in: bool) -> None:
    store = await a_store(tmp_path / "store.sqlite", now_us=NOON_US)
    try:
        place = await Place(store).begin()
        token = await place.add(networks=["192.0.2.0/24", "198.51.100.7", "2001:db8:0:1::/64"])
        assert isinstance(await place.sent(token, address=address), Principal) == is_in
        if not is_in:
            assert await place.sent(token, address=address) is TokenRefusal.NETWORK
    finally:
        await store.close()


async def test_without_an_overlap_the_old_secret_is_invalid_at_once(place: Place) -> None:
    old = await place.add()
    new = (await place.registry.tokens.rotate("soc", "fw1")).token
    assert await place.sent(old) is TokenRefusal.REPLACED
    assert isinstance(await place.sent(new, "soc.fw1"), Principal)


async def test_with_an_overlap_both_secrets_are_valid_until_its_end(place: Place) -> None:
    old = await place.add(collections=["public"])
    new = (await place.registry.tokens.rotate("soc", "fw1", overlap_us=24 * HOUR_US)).token
    place.times.us += 24 * HOUR_US - 1
    assert await place.reads(old) == await place.reads(new) == ["public"]
    place.times.us += 1
    assert await place.sent(old) is TokenRefusal.REPLACED
    assert isinstance(await place.sent(new), Principal)


async def test_a_second_rotation_does_not_prolong_the_first_and_without_overlap_ends_it(place: Place) -> None:
    first = await place.add()
    second = (await place.registry.tokens.rotate("soc", "fw1", overlap_us=2 * HOUR_US)).token
    third = (await place.registry.tokens.rotate("soc", "fw1", overlap_us=9 * HOUR_US)).token
    place.times.us += 2 * HOUR_US
    assert await place.sent(first) is TokenRefusal.REPLACED
    assert isinstance(await place.sent(second), Principal)
    fourth = (await place.registry.tokens.rotate("soc", "fw1")).token
    assert await place.sent(second) is TokenRefusal.REPLACED
    assert await place.sent(third) is TokenRefusal.REPLACED
    assert await place.sent(first) is TokenRefusal.UNKNOWN  # what was replaced before is forgotten
    assert isinstance(await place.sent(fourth), Principal)


@pytest.mark.parametrize("kind", [PrincipalKind.CENTRE, PrincipalKind.MEMBER, PrincipalKind.OPERATOR])
async def test_a_principal_s_own_token_rotates_with_an_overlap_too(place: Place, kind: PrincipalKind) -> None:
    name = {PrincipalKind.CENTRE: "ro", PrincipalKind.MEMBER: "soc", PrincipalKind.OPERATOR: "root"}[kind]
    if kind is PrincipalKind.OPERATOR:
        await place.registry.operators.add("root")
    old = (await place.registry.principals.rotate(name, kind)).token
    new = (await place.registry.principals.rotate(name, kind, overlap_us=HOUR_US)).token
    assert isinstance(await place.sent(old), Principal)
    place.times.us += HOUR_US
    assert await place.sent(old) is TokenRefusal.REPLACED
    assert isinstance(await place.sent(new), Principal)


async def test_rotating_the_own_token_leaves_the_named_ones(place: Place) -> None:
    token = await place.add()
    await place.registry.principals.rotate("soc", PrincipalKind.MEMBER)
    assert isinstance(await place.sent(token), Principal)


async def test_a_removed_token_is_unknown_and_its_name_is_free_again(place: Place) -> None:
    token = await place.add(collections=["public"])
    await place.registry.tokens.remove("soc", "fw1")
    assert await place.sent(token) is TokenRefusal.UNKNOWN
    assert await place.reads(await place.add()) == ["public", "community"]
    assert await place.sent(token) is TokenRefusal.UNKNOWN


async def test_suspending_a_principal_stops_all_its_tokens_and_resuming_gives_them_back(place: Place) -> None:
    token = await place.add(collections=["public"])
    await place.registry.principals.suspend("soc", PrincipalKind.MEMBER)
    assert await place.sent(token) is TokenRefusal.SUSPENDED
    assert {one.state for one in await place.registry.tokens.all("soc")} == {"suspended"}
    await place.registry.principals.resume("soc", PrincipalKind.MEMBER)
    assert await place.reads(token) == ["public"]


async def test_with_an_operator_its_tokens_are_gone(place: Place) -> None:
    await place.registry.operators.add("root")
    token = await place.add("screen", "root")
    await place.registry.operators.remove("root")
    assert await place.sent(token) is TokenRefusal.UNKNOWN
    assert {one.token.principal for one in await place.registry.tokens.all()} == {"ro", "soc"}
    await place.registry.operators.add("root")
    assert await place.sent(token) is TokenRefusal.UNKNOWN


async def test_all_that_was_said_of_a_token_is_listed_but_not_the_token(place: Place) -> None:
    more: dict[str, Any] = {"collections": ["public"], "networks": ["192.0.2.0/24"], "until": "2099-12-31"}
    secret = await place.add(rights=TokenRights.READ, **more)
    entry = await place.entry()
    token = entry.token
    assert token.scope == TokenScope(TokenRights.READ, frozenset({CollectionName("public")}))
    assert [str(network) for network in token.networks] == ["192.0.2.0/24"]
    assert stix_time(token.ends_us or 0) == "2100-01-01T00:00:00.000Z"
    assert token.digests[0].prefix == secret[:11]
    assert secret not in repr(entry)
    assert [one.token.full_name for one in await place.registry.tokens.all("soc")] == ["soc", "soc.fw1"]


# Last use


async def test_the_last_use_is_in_the_store_after_a_flush(place: Place) -> None:
    token = await place.add(networks=["192.0.2.0/24"])
    assert (await place.entry()).last_used_us is None
    await place.sent(token, address="192.0.2.1")
    place.times.us += 5
    await place.sent(token, address="198.51.100.1")
    assert (await place.entry()).last_used_us is None
    await place.registry.access.uses.flush()
    ((_, use),) = (await place.entry()).uses
    assert use == TokenUse(NOON_US, NOON_US + 5, TokenRefusal.NETWORK)


async def test_each_secret_of_an_overlap_has_its_own_last_use(place: Place) -> None:
    old = await place.add()
    await place.sent(old)
    await place.registry.access.uses.flush()
    rotated = await place.registry.tokens.rotate("soc", "fw1", overlap_us=HOUR_US)
    assert [use.used_us for _, use in rotated.made.uses] == [None, NOON_US]
    place.times.us += 7
    await place.sent(rotated.token)
    await place.registry.access.uses.flush()
    entry = await place.entry()
    assert [use.used_us for _, use in entry.uses] == [NOON_US + 7, NOON_US]
    assert entry.last_used_us == NOON_US + 7


async def test_a_later_use_that_another_process_has_noted_stays(place: Place) -> None:
    await place.add()
    (digest,) = (await place.entry()).token.digests
    behind = TokenUses(place.store.registry)
    await place.store.registry.note_uses({digest.no: TokenUse(NOON_US + 9, NOON_US + 9, TokenRefusal.ENDED)})
    behind.used(digest.no, NOON_US)
    behind.refused(digest.no, NOON_US, TokenRefusal.NETWORK)
    await behind.flush()
    ((_, use),) = (await place.entry()).uses
    assert use == TokenUse(NOON_US + 9, NOON_US + 9, TokenRefusal.ENDED)


async def test_what_the_store_does_not_take_is_written_at_the_next_flush(place: Place) -> None:
    class Away:
        """A registry's store that is away at first."""

        def __init__(self) -> None:
            self.noted: dict[int, TokenUse] = {}
            self.is_away = True

        async def note_uses(self, uses: dict[int, TokenUse]) -> None:
            if self.is_away:
                raise TryAgain("store.away", "The store is away.")
            self.noted |= uses

    store = Away()
    uses = TokenUses(store)  # type: ignore[arg-type]
    uses.used(1, 5)
    uses.refused(2, 6, TokenRefusal.ENDED)
    with pytest.raises(TryAgain):
        await uses.flush()
    uses.used(1, 7)
    store.is_away = False
    await uses.flush()
    assert store.noted == {1: TokenUse(7), 2: TokenUse(None, 6, TokenRefusal.ENDED)}


async def test_a_flush_is_no_change_of_the_registry(place: Place) -> None:
    token = await place.add()
    number = (await place.registry.access.snapshot()).number
    await place.sent(token)
    await place.registry.access.uses.flush()
    assert (await place.registry.access.snapshot()).number == number


# What is refused


async def test_what_cannot_be_is_refused_with_a_way_out(place: Place) -> None:
    await place.registry.operators.add("root")
    await place.add("there")
    add = place.registry.tokens.add
    wrong: list[tuple[type[Exception], str, dict[str, object]]] = [
        (Refused, "already", {"name": "there"}),
        (NotFound, "There is no principal", {"principal": "nobody"}),
        (NotFound, "There is no collection", {"collections": ["nothing"]}),
        (WrongUsage, "is no name of a token", {"name": "a.b"}),
        (WrongUsage, "is not a network", {"networks": ["192.0.2.1/24"]}),
        (WrongUsage, "is not a network", {"networks": ["example"]}),
        (WrongUsage, "is not a time", {"until": "soon"}),
        (WrongUsage, "is in the past", {"until": "2020-01-01"}),
        (WrongUsage, "is not a duration", {"until": "0h"}),
        (WrongUsage, "only pushes reads no collection", {"rights": TokenRights.PUSH, "collections": ["public"]}),
        (Refused, "An operator pushes nothing", {"principal": "root", "rights": TokenRights.PUSH}),
    ]
    for kind, says, more in wrong:
        said = {"principal": "soc", "name": "new"} | more
        with pytest.raises(kind, match=says):
            await add(said.pop("principal"), said.pop("name"), **said)  # type: ignore[arg-type]
    assert [one.token.full_name for one in await place.registry.tokens.all("soc")] == ["soc", "soc.there"]


async def test_only_named_tokens_that_are_there_can_be_rotated_and_removed(place: Place) -> None:
    await place.add()
    for name in ("fw2", ""):
        with pytest.raises(NotFound, match="There are: fw1"):
            await place.registry.tokens.rotate("soc", name)
        with pytest.raises(NotFound):
            await place.registry.tokens.remove("soc", name)
    with pytest.raises(NotFound):
        await place.registry.tokens.remove("ro", "fw1")
    with pytest.raises(NotFound):
        await place.registry.tokens.all("nobody")


async def test_a_principal_has_a_bounded_number_of_tokens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_tokens, "MOST_OF_PRINCIPAL", 2)
    await place.add("a")
    await place.add("b")
    with pytest.raises(Refused, match="the most possible"):
        await place.add("c")
    await place.add("c", "ro")
