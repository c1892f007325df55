"""A broker follows the registry: told after each commit, of exactly what changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from hub.model.credentials import TokenCredentials
from hub.model.errors import Broken, TryAgain
from hub.model.principals import PrincipalKind
from hub.model.tokens import TokenRights
from hub.model.words import CollectionName, SourceName
from hub.registry.port import BrokerDifference, Entitlement, Entitlements
from hub.registry.service import Registry
from hub.registry.tokens import Token
from tests.registry.builders import NOON_US, a_registry, a_store, terms


class Ledger:
    """A broker that is a ledger: it holds what it was told, and can be away."""

    def __init__(self) -> None:
        self.passwords: dict[str, Token] = {}
        self.topics: set[str] = set()
        self.grants: dict[str, Entitlement] = {}
        self.away = False
        self.open = False
        self.refuses = ""
        self.calls: list[str] = []

    def _called(self, what: str) -> None:
        if self.away:
            raise TryAgain("broker.away", "The broker does not answer.")
        self.calls.append(what)
        if self.refuses and what.startswith(self.refuses):
            raise Broken("broker.not-allowed", f"It does not allow: {what}.")

    async def set_password(self, name: str, token: Token) -> None:
        self._called(f"password {name}")
        self.passwords[name] = token

    async def make_topics(self, centres: Collection[SourceName], collections: Collection[CollectionName]) -> None:
        self._called(f"topics {' '.join([*centres, *collections])}")
        self.topics |= {*centres, *collections}

    async def grant(self, entitlements: Sequence[Entitlement]) -> None:
        self._called(f"grant {' '.join(each.name for each in entitlements)}")
        if self.open:
            raise Broken("broker.open", "Nothing is enforced here.")
        self.grants |= {each.name: each for each in entitlements}

    async def remove_users(self, names: Collection[str]) -> None:
        self._called(f"users {' '.join(names)}")
        for name in names:
            self.passwords.pop(name, None)
            self.grants.pop(name, None)

    async def remove_collection(self, name: CollectionName) -> None:
        self._called(f"remove {name}")
        self.topics.discard(name)

    async def compare(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        missing = [each for each in wanted.principals if self.grants.get(each.name) != each]
        return [BrokerDifference(f"{each.name} has other grants", repairable=True) for each in missing]

    async def repair(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        await self.make_topics(wanted.centres, wanted.collections)
        await self.grant(wanted.principals)
        return await self.compare(wanted)

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_centre_gets_topics_grants_and_a_password(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        added = await registry.centres.add("ro-cert", terms())
        assert broker.calls == [
            "topics ro-cert public community network",
            "password ro-cert",
            "grant ro-cert",
        ]
        assert broker.passwords == {"ro-cert": added.token}
        assert broker.grants["ro-cert"].collections == {"public", "community", "network"}


async def test_a_group_or_a_rule_grants_to_those_whom_it_concerns_alone(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.members.add("soc", accredited_by="ro-cert")
        await registry.members.add("plant", accredited_by="ro-cert", sector="energy")
        await registry.groups.add("energy", ["sector=energy"])
        broker.calls.clear()
        await registry.collections.add("energy", tlp="amber", group="energy")
        assert broker.calls == ["topics public community network energy", "grant plant"]
        await registry.groups.join("energy", ["soc"])
        assert broker.grants["soc"].collections == {"public", "community", "energy"}
        await registry.members.set("plant", sector="water")
        assert broker.grants["plant"].collections == {"public", "community"}
        broker.calls.clear()
        await registry.collections.remove("energy")
        assert broker.calls == ["remove energy", "grant soc"]


async def test_suspension_takes_every_grant_away_and_resuming_gives_them_back(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        before = broker.grants["ro-cert"]
        await registry.principals.suspend("ro-cert", PrincipalKind.CENTRE)
        assert broker.grants["ro-cert"] == Entitlement("ro-cert", PrincipalKind.CENTRE, True, frozenset())
        await registry.principals.resume("ro-cert", PrincipalKind.CENTRE)
        assert broker.grants["ro-cert"] == before
        assert "password ro-cert" not in broker.calls[3:]


async def test_rotation_changes_the_password_alone(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        broker.calls.clear()
        rotated = await registry.principals.rotate("ro-cert", PrincipalKind.CENTRE)
        assert broker.calls == ["password ro-cert"]
        assert broker.passwords["ro-cert"] == rotated.token


async def test_operators_are_not_on_the_broker(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.operators.add("root")
        await registry.principals.rotate("root", PrincipalKind.OPERATOR)
        assert broker.calls == []


async def test_a_change_that_concerns_no_grant_does_not_call_the_broker(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        broker.calls.clear()
        await registry.centres.set("ro-cert", terms(trust=3))
        await registry.groups.add("empty")
        assert broker.calls == []


async def test_while_the_broker_is_away_a_token_is_still_given_and_the_registry_holds(tmp_path: Path) -> None:
    broker = Ledger()
    broker.away = True
    async with a_registry(tmp_path, broker=broker) as registry:
        added = await registry.centres.add("ro-cert", terms())
        assert added.complaint is not None
        assert "doctor --fix" in added.complaint.way_out
        assert await registry.access.authenticate(TokenCredentials(added.token))
        with pytest.raises(Broken, match="The registry has it"):
            await registry.principals.suspend("ro-cert", PrincipalKind.CENTRE)
        assert (await registry.centres.find("ro-cert")).terms.suspended


async def test_a_broker_that_enforces_nothing_gets_its_topics_and_no_complaint_is_made(tmp_path: Path) -> None:
    broker = Ledger()
    broker.open = True
    async with a_registry(tmp_path, broker=broker) as registry:
        assert (await registry.centres.add("ro-cert", terms())).complaint is None
        assert broker.topics == {"ro-cert", "public", "community", "network"}


async def test_what_the_broker_should_have_is_all_of_it(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        broker.away = True
        await registry.centres.add("ro-cert", terms())
        broker.away = False
        wanted = await registry.entitlements()
        assert await broker.compare(wanted)
        assert await broker.repair(wanted) == []
        assert broker.topics == {"ro-cert", "public", "community", "network"}


@pytest.mark.parametrize("what", ["topics", "password", "grant"])
async def test_what_the_broker_refuses_keeps_back_nothing_of_the_rest(tmp_path: Path, what: str) -> None:
    broker = Ledger()
    broker.refuses = what
    async with a_registry(tmp_path, broker=broker) as registry:
        added = await registry.centres.add("ro-cert", terms())
        assert [call.split()[0] for call in broker.calls] == ["topics", "password", "grant"]
        assert added.complaint is not None
        assert f"It does not allow: {what}" in added.complaint.says


async def test_a_named_token_is_a_user_of_its_own_with_its_part_of_the_rights(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        broker.calls.clear()
        networks = ["192.0.2.7", "192.0.2.0/24"]
        added = await registry.tokens.add(
            "ro-cert", "fw1", rights=TokenRights.READ, collections=["public"], networks=networks
        )
        assert broker.calls == ["password ro-cert.fw1", "grant ro-cert.fw1"]
        assert broker.passwords["ro-cert.fw1"] == added.token
        assert broker.grants["ro-cert.fw1"] == Entitlement(
            "ro-cert.fw1", PrincipalKind.CENTRE, False, frozenset({CollectionName("public")}),
            may_push=False, hosts=frozenset({"192.0.2.7"}),
        )  # fmt: skip
        broker.calls.clear()
        rotated = await registry.tokens.rotate("ro-cert", "fw1", overlap_us=1_000_000)
        assert broker.calls == ["password ro-cert.fw1"]
        assert broker.passwords["ro-cert.fw1"] == rotated.token
        broker.calls.clear()
        await registry.tokens.remove("ro-cert", "fw1")
        assert broker.calls == ["users ro-cert.fw1"]


async def test_a_token_without_rights_on_the_broker_is_no_user_there(tmp_path: Path) -> None:
    broker = Ledger()
    async with a_registry(tmp_path, broker=broker) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.members.add("soc", accredited_by="ro-cert")
        await registry.operators.add("root")
        broker.calls.clear()
        await registry.tokens.add("soc", "in", rights=TokenRights.PUSH)
        await registry.tokens.add("soc", "net", networks=["192.0.2.0/24"])
        await registry.tokens.add("root", "screen")
        for principal, name in (("soc", "in"), ("soc", "net"), ("root", "screen")):
            await registry.tokens.rotate(principal, name)
            await registry.tokens.remove(principal, name)
        assert broker.calls == []


async def test_a_token_that_ends_loses_its_grants_once_and_after_a_failure_again(tmp_path: Path) -> None:
    broker, clock = Ledger(), [NOON_US]
    async with a_store(tmp_path) as store:
        registry = Registry(store.registry, now_us=lambda: clock[0], broker=broker)
        await registry.centres.add("ro-cert", terms())
        await registry.tokens.add("ro-cert", "fw1", until="1h")
        await registry.tokens.add("ro-cert", "net", until="1h", networks=["192.0.2.0/24"])
        ends = registry.ends_on_broker()
        assert ends is not None
        broker.calls.clear()
        assert await ends.look() == 0
        clock[0] += 3_600_000_000
        broker.away = True
        with pytest.raises(TryAgain):
            await ends.look()
        broker.away = False
        assert [await ends.look(), await ends.look()] == [1, 0]
        assert broker.calls == ["grant ro-cert.fw1"]
        assert broker.grants["ro-cert.fw1"].suspended
        await registry.tokens.remove("ro-cert", "fw1")
        await registry.tokens.add("ro-cert", "fw1", until="1h")
        clock[0] += 3_600_000_000
        assert await ends.look() == 1


async def test_without_a_broker_there_is_nothing_to_take_off_it(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        assert registry.ends_on_broker() is None
