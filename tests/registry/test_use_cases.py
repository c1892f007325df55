"""Operators' changes: what they make, what they refuse, and which views they have looked at anew."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.model.errors import NotFound, Refused, WrongUsage
from hub.model.principals import PrincipalKind
from hub.model.reads import REJECTIONS_LOG, Reads
from hub.model.tasks import Previous, Recompute, Task
from hub.model.words import NETWORK, Level, Naming
from hub.store import tables as t
from hub.store.bootstrap import ensure_content
from hub.store.sqlite import SqliteStore
from tests.registry.builders import NOON_US, a_registry, a_store, registry_on, terms

OTHER = "identity--6ba7b810-9dad-41d1-80b4-00c04fd430c8"


async def _changes(folder: Path) -> list[str]:
    """The kind of every numbered change."""
    async with a_store(folder) as store, store.reading() as conn:
        return [row.kind for row in await conn.execute(select(t.policy_changes).order_by(t.policy_changes.c.no))]


async def _left(folder: Path) -> list[Task]:
    """What the changes have left to be done."""
    async with a_store(folder) as store:
        return [due.task for due in await store.due(NOON_US)]


async def test_a_fresh_hub_has_the_built_in_groups_and_the_default_collections(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        assert [entry.group.group.name for entry in await registry.groups.all()] == ["public", "community", "network"]
        found = [(each.name, each.audience.level, each.audience.group) for each in await registry.collections.all()]
        assert found == [
            ("public", Level.CLEAR, "public"),
            ("community", Level.GREEN, "community"),
            ("network", Level.AMBER_STRICT, "network"),
        ]


async def test_opening_a_store_again_makes_nothing_new(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        before = astuple(await store.policy())
    async with a_store(tmp_path) as store:
        assert astuple(await store.policy()) == before
        await ensure_content(store, NOON_US + 1)
        assert astuple(await store.policy()) == before


async def test_a_centre_gets_the_defaults_of_the_semantics(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        added = await registry.centres.add("ro-cert", terms())
        centre = added.made.terms
        assert (centre.ceiling, centre.default_level) == (Level.AMBER_STRICT, Level.AMBER)
        assert (centre.amber_to, centre.trust, centre.naming) == (("network",), 100, Naming.NAMED)
        assert centre.identity.startswith("identity--")
        assert await registry.centres.find("ro-cert") == added.made


async def test_a_centre_has_a_log_of_rejections_from_the_start(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        added = await registry_on(store).centres.add("ro-cert", terms())
        async with store.transaction() as tx:
            no = added.made.principal.no
            asked = Reads().update(REJECTIONS_LOG, (no,))
            assert (await tx.load(asked, await tx.policy())).of(REJECTIONS_LOG)[no] > 0


async def test_the_policy_shows_a_centre_as_it_was_registered(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.groups.add("east")
        said = terms(tlp_max="green", default_tlp="green", amber_to=["east"], trust=40, naming="alias", alias="A Team")
        added = await registry.centres.add("ro-cert", said, identity=OTHER)
        policy = await store.policy()
        assert policy.sources == {added.made.principal.no: added.made.terms}
        assert policy.registered[added.made.terms.identity].shown_name == "A Team"


async def test_principals_share_one_name_space(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        with pytest.raises(Refused, match="already"):
            await registry.operators.add("ro-cert")
        with pytest.raises(Refused, match="already"):
            await registry.members.add("ro-cert", accredited_by="ro-cert")


async def test_a_refused_change_leaves_nothing_behind(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        with pytest.raises(NotFound, match="no group 'east'"):
            await registry.members.add("soc", accredited_by="ro-cert", groups=["east"])
        assert await registry.members.all() == []
        assert await _changes(tmp_path) == ["SourceAdded"]


async def test_an_identity_belongs_to_one_centre_only(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms(speaks_for=[OTHER]))
        with pytest.raises(Refused, match="ro-cert"):
            await registry.centres.add("it-cert", terms(), identity=OTHER)
        await registry.centres.set("ro-cert", terms(speaks_for=["none"]))
        assert (await registry.centres.add("it-cert", terms(), identity=OTHER)).made.terms.identity == OTHER


async def test_an_alias_that_was_shown_stays_reserved(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.centres.add("ro-cert", terms(alias="north", naming="alias"))
        before = await store.policy()
        shown = before.alias_identity(before.sources[1])
        await registry.centres.set("ro-cert", terms(alias="south"))
        await registry.centres.set("ro-cert", terms(naming="named"))
        await registry.centres.set("ro-cert", terms(alias="east"))  # never shown
        policy = await store.policy()
        assert policy.sources[1].former_aliases == {"north", "south"}
        assert shown in policy.given_up_aliases
        await registry.centres.set("ro-cert", terms(alias="north", naming="alias"))
        assert shown not in (await store.policy()).given_up_aliases


TO_NETWORK = Previous(1, amber_to=(NETWORK,))


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"trust": 50}, Recompute(source=1, previous=Previous(1))),
        ({"widest_blocked": "/12"}, Recompute(source=1, previous=Previous(1))),
        ({"widest_shown": "/12", "trust": 50}, Recompute(source=1, previous=Previous(1))),
        ({"tlp_max": "green"}, Recompute(source=1, previous=Previous(1, ceiling=Level.AMBER_STRICT))),
        ({"default_tlp": "green"}, Recompute(source=1, previous=Previous(1, default_level=Level.AMBER))),
        ({"amber_to": ["community"]}, Recompute(source=1, with_members=True, previous=TO_NETWORK)),
        ({"naming": "anonymous"}, Recompute(previous=Previous(1))),
        ({"alias": "A"}, Recompute(previous=Previous(1))),
        ({"country": "MD"}, Recompute(previous=Previous(1))),
        ({"speaks_for": [OTHER]}, Recompute(previous=Previous(1))),
    ],
)
async def test_a_change_of_a_centre_names_the_views_that_it_can_change(
    tmp_path: Path, said: dict[str, object], left: Task
) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.centres.set("ro-cert", terms(**said))
        assert await _changes(tmp_path) == ["SourceAdded", "SourceChanged"]
        assert await _left(tmp_path) == [left]


async def test_the_widest_networks_that_need_no_check_count_for_what_comes_alone(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms(widest_shown="/9,/20"))
        entry = await registry.centres.set("ro-cert", terms(widest_shown="/10"))
        assert entry.terms.widest_shown == (10, 20)
        assert await registry.centres.find("ro-cert") == entry
        assert await _changes(tmp_path) == ["SourceAdded", "SourceChanged"]
        assert await _left(tmp_path) == []


async def test_a_change_that_changes_nothing_is_none(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.centres.set("ro-cert", terms(trust=100, naming="named"))
        await registry.principals.resume("ro-cert", PrincipalKind.CENTRE)
        await registry.groups.add("east")
        await registry.groups.join("east", ["ro-cert"])
        await registry.groups.join("east", ["ro-cert", "ro-cert"])
        assert await _changes(tmp_path) == ["SourceAdded", "GroupAdded", "GroupMembersChanged"]


async def test_a_value_of_the_policy_is_a_numbered_change_that_counts_at_once(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry, a_store(tmp_path) as store:
        await registry.settings.set("confidence.any", "30d=50")
        assert (await store.policy()).lifecycle.confidence_steps == {"any": ((30, 50),)}
        await registry.settings.set("confidence.any", "30d = 50%")  # as it is
        await registry.settings.set("confidence.any", "none")  # as if it had never been set
        assert (await store.policy()).settings == {}
        await registry.settings.set("retention.log", "30d")
        assert (await store.policy()).retention.log_days == 30
        assert await _changes(tmp_path) == ["SettingChanged"] * 3
        assert await _left(tmp_path) == [Recompute(type="indicator")]


async def test_suspending_and_resuming_a_centre_look_at_its_claims_anew(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.principals.suspend("ro-cert", PrincipalKind.CENTRE)
        assert (await registry.centres.find("ro-cert")).terms.suspended
        await registry.principals.resume("ro-cert", PrincipalKind.CENTRE)
        assert not (await registry.centres.find("ro-cert")).terms.suspended
        assert (await _changes(tmp_path))[1:] == ["SourceSuspended", "SourceSuspended"]
        assert await _left(tmp_path) == [
            Recompute(source=1, previous=Previous(1, suspended=was)) for was in (False, True)
        ]


async def test_what_decides_reading_alone_changes_no_view(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.groups.add("energy", ["sector=energy"])
        await registry.members.add("soc", accredited_by="ro-cert", sector="energy")
        await registry.members.set("soc", country="MD", sector="water")
        assert await _left(tmp_path) == []


async def test_a_member_is_a_source_of_three_types_and_anonymous_at_first(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.centres.add("ro-cert", terms(amber_to=["community"], tlp_max="green", trust=40))
        added = await registry.members.add("soc", accredited_by="ro-cert", country="RO")
        member = added.made.terms
        assert member.may_claim == frozenset({"sighting", "opinion", "note"})
        assert (member.ceiling, member.default_level) == (Level.AMBER_STRICT, Level.AMBER)
        assert (member.amber_to, member.trust, member.shown_name) == (("community",), 100, "anonymous")
        assert (await store.policy()).sources[added.made.principal.no] == member
        assert (await registry.members.find("soc")) == added.made


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"naming": "named"}, Recompute(previous=Previous(3))),
        ({"accredited_by": "md-cert"}, Recompute(source=3, previous=Previous(3))),
    ],
)
async def test_a_change_of_a_member_names_the_views_that_it_can_change(
    tmp_path: Path, said: dict[str, str], left: Task
) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.centres.add("md-cert", terms(country="MD"))
        await registry.members.add("soc", accredited_by="ro-cert")
        changed = await registry.members.set("soc", **said)
        assert await registry.members.find("soc") == changed
        assert await _left(tmp_path) == [left]


async def test_what_a_member_sends_at_amber_goes_where_that_of_its_centre_goes(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.centres.add("ro-cert", terms())
        no = (await registry.members.add("soc", accredited_by="ro-cert")).made.principal.no
        await registry.centres.set("ro-cert", terms(amber_to=["community"]))
        assert (await store.policy()).sources[no].amber_to == ("community",)
        assert await _left(tmp_path) == [Recompute(source=1, with_members=True, previous=TO_NETWORK)]


async def test_suspending_and_resuming_a_member_look_at_its_claims_anew(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        await registry.centres.add("ro-cert", terms())
        no = (await registry.members.add("soc", accredited_by="ro-cert")).made.principal.no
        await registry.principals.suspend("soc", PrincipalKind.MEMBER)
        assert (await store.policy()).sources[no].suspended
        assert await _left(tmp_path) == [Recompute(source=no, previous=Previous(no, suspended=False))]
        await registry.principals.resume("soc", PrincipalKind.MEMBER)
        assert not (await store.policy()).sources[no].suspended


async def test_a_member_has_no_alias(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        with pytest.raises(WrongUsage, match="naming 'alias'"):
            await registry.members.add("soc", accredited_by="ro-cert", naming="alias")


async def test_a_member_belongs_to_what_it_joined_and_to_what_its_rule_says(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.groups.add("energy", ["sector=energy"])
        await registry.groups.add("pilot")
        added = await registry.members.add("soc", accredited_by="ro-cert", groups=["pilot"], sector="energy")
        assert added.made.groups == ("public", "community", "energy", "pilot")
        assert added.made == await registry.members.find("soc")
        assert (await registry.members.set("soc", sector="water")).groups == ("public", "community", "pilot")
        await registry.groups.leave("pilot", ["soc"])
        assert (await registry.members.find("soc")).groups == ("public", "community")


async def test_a_member_needs_a_centre_that_accredits_it(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.operators.add("root")
        with pytest.raises(NotFound, match="no centre 'root'"):
            await registry.members.add("soc", accredited_by="root")


async def test_who_is_in_a_built_in_group_cannot_be_written(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        for built_in in ("public", "community", "network"):
            with pytest.raises(Refused, match="registry decides who is in"):
                await registry.groups.join(built_in, ["ro-cert"])
            with pytest.raises(Refused):
                await registry.groups.remove(built_in)


async def test_leaving_a_group_that_a_rule_decides_is_refused(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms())
        await registry.groups.add("east", ["country=RO"])
        with pytest.raises(Refused, match="country=RO"):
            await registry.groups.leave("east", ["ro-cert"])


async def test_an_operator_joins_no_group(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.operators.add("root")
        await registry.groups.add("pilot")
        with pytest.raises(NotFound):
            await registry.groups.join("pilot", ["root"])


async def test_a_group_that_is_used_is_not_removed(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.groups.add("east")
        await registry.collections.add("east", tlp="amber", group="east")
        await registry.centres.add("ro-cert", terms(amber_to=["east"]))
        with pytest.raises(Refused, match="collection 'east'"):
            await registry.groups.remove("east")
        await registry.collections.remove("east")
        with pytest.raises(Refused, match="ro-cert"):
            await registry.groups.remove("east")
        await registry.centres.set("ro-cert", terms(amber_to=["network"]))
        removed = (await registry.groups.find("east")).group.group
        await registry.groups.remove("east")
        assert (await _changes(tmp_path))[-1] == "GroupRemoved"
        assert Recompute(previous=Previous(group=removed)) in await _left(tmp_path)
        with pytest.raises(NotFound):
            await registry.groups.find("east")


async def test_a_group_made_again_has_another_marking(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        first = await registry.groups.add("east")
        await registry.groups.remove("east")
        assert (await registry.groups.add("east")).group.group.marking != first.group.group.marking


async def test_a_collection_made_again_begins_anew_under_another_number(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        first = await registry.collections.add("east", tlp="amber", group="network", types=["indicator"])
        await registry.collections.remove("east")
        again = await registry.collections.add("east", tlp="green", group="community")
        assert again.no != first.no
        assert again.id != first.id
        assert (await registry.collections.find("east")) == again


async def test_a_new_collection_is_filled_by_a_task_for_it_alone(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        made = await registry.collections.add("east", tlp="amber", group="network")
        assert await _changes(tmp_path) == ["CollectionAdded"]
        assert await _left(tmp_path) == [Recompute(collection=made.no)]


@pytest.mark.parametrize(
    ("types", "kinds", "shown"),
    [
        ([], [], set()),
        ([], ["ipv4-addr"], {"indicator", "ipv4-addr"}),
        ([], ["url", "domain-name"], {"indicator", "url", "domain-name"}),
        (["report"], ["ipv4-addr"], {"report"}),
        (["indicator"], [], {"indicator"}),
    ],
)
async def test_kinds_without_types_mean_indicators_and_observables_of_these_kinds(
    tmp_path: Path, types: list[str], kinds: list[str], shown: set[str]
) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.collections.add("east", tlp="amber", group="network", types=types, kinds=kinds)
        found = await registry.collections.find("east")
        assert (found.types, found.kinds) == (frozenset(shown), frozenset(kinds))


@pytest.mark.parametrize(
    "said",
    [{"tlp": "purple"}, {"types": ["Indicator!"]}, {"min_confidence": 101}],
)
async def test_a_collection_with_a_wrong_filter_is_wrong_usage(tmp_path: Path, said: dict[str, object]) -> None:
    async with a_registry(tmp_path) as registry:
        with pytest.raises(WrongUsage):
            await registry.collections.add("east", **({"tlp": "green", "group": "community"} | said))  # type: ignore[arg-type]


async def test_no_change_records_a_token(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        registry = registry_on(store)
        tokens = [(await registry.centres.add("ro-cert", terms())).token, (await registry.operators.add("root")).token]
        tokens.append((await registry.members.add("soc", accredited_by="ro-cert")).token)
        tokens.append((await registry.principals.rotate("soc", PrincipalKind.MEMBER)).token)
        await _checkpoint(store)
        everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for token in tokens:
            assert token.encode() not in everything
            assert token.encode()[10:40] not in everything


async def _checkpoint(store: SqliteStore) -> None:
    async with store.reading() as conn:
        assert (await conn.execute(select(t.policy_changes))).all()


async def test_changes_say_what_was_changed(tmp_path: Path) -> None:
    async with a_registry(tmp_path) as registry:
        await registry.centres.add("ro-cert", terms(trust=70))
        async with a_store(tmp_path) as store, store.reading() as conn:
            row = (await conn.execute(select(t.policy_changes))).one()
        body = json.loads(row.body)
        assert (row.at_us, row.kind, body["kind"], body["schema"]) == (NOON_US, "SourceAdded", "SourceAdded", 1)
        assert (body["value"]["name"], body["value"]["said"]["trust"]) == ("ro-cert", 70)
