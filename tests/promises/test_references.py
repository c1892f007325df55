"""References in odd places: shown as the collection shows what they mean, or not at all (docs/semantics.md, 6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.model.times import parse_us
from hub.model.words import Naming
from tests.story import Story, an_indicator, an_object, malware, moment, uid


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


def in_capitals(stix_id: str) -> str:
    kind, _, rest = stix_id.partition("--")
    return f"{kind}--{rest.upper()}"


async def text_of(story: Story, name: str) -> str:
    """All that a collection's log holds."""
    return "\n".join(row.body.decode() for row in await story.log(name))


async def test_a_pattern_of_a_type_that_is_called_object_is_no_object(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    named = malware()
    await story.batch((it, an_indicator("x", "x", tlp="amber", pattern=named["id"], pattern_type="object")))
    await story.batch((ro, named))
    assert list(await story.shown("community", "malware")) == [named["id"]]
    assert await story.rejections(ro) == []


@pytest.mark.parametrize("naming", [Naming.ANONYMOUS, Naming.ALIAS])
async def test_an_indicator_that_names_its_author_twice_does_not_give_it_away(story: Story, naming: Naming) -> None:
    pl = await story.centre("pl", naming=naming, alias="North" if naming is Naming.ALIAS else None)
    inside = {f"extension-definition--{uid('x')}": {"extension_type": "property-extension", "made_by_ref": pl.identity}}
    said = an_indicator(created_by_ref=pl.identity, x_owner_ref=pl.identity, extensions=inside)
    await story.batch((pl, said))
    assert "x_owner_ref" not in await story.only("community")
    assert pl.identity not in await text_of(story, "community")


async def test_an_author_who_is_named_elsewhere_too_is_a_reference_like_any_other(story: Story) -> None:
    ro = await story.centre("ro")
    vendor = an_object("identity", "v", name="Vendor", tlp="amber")
    said = an_indicator(created_by_ref=vendor["id"], x_owner_ref=vendor["id"])
    for batch in ((vendor, said), (said | {"id": f"indicator--{uid('other')}"}, vendor)):
        await story.batch(*((ro, obj) for obj in batch))
        assert vendor["id"] not in await text_of(story, "community")
    await story.batch((ro, vendor | {"modified": moment(1), "object_marking_refs": said["object_marking_refs"]}))
    assert (await story.only("community"))["x_owner_ref"] == vendor["id"]


ODD = {
    "a list that begins with a text": lambda ref: {"x_list": ["a", {"tool_ref": ref}]},
    "objects under the name of references": lambda ref: {"x_things_refs": [{"tool_ref": ref}]},
    "an object under the name of a reference": lambda ref: {"x_foo_ref": {"tool_ref": ref}},
    "an object under the name of several": lambda ref: {"x_foo_refs": {"tool_ref": ref}},
    "an external reference": lambda ref: {"external_references": [{"source_name": "x", "url": "x:y", "x_ref": ref}]},
    "the name of markings inside": lambda ref: {"x_list": [{"object_marking_refs": [ref]}]},
    "lists in lists": lambda ref: {"x_things_refs": [[ref]]},
    "capitals": lambda ref: {"x_list": [{"tool_ref": in_capitals(ref)}]},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_references_in_odd_places_are_shown_where_their_target_is(story: Story, odd: Any) -> None:
    ro, pl = await story.centre("ro"), await story.centre("pl", naming=Naming.ANONYMOUS)
    target = malware()
    referring, hiding = an_object("tool", "t", name="t"), an_object("tool", "u", name="u")
    await story.batch((ro, referring | odd(target["id"])), (ro, hiding | odd(pl.identity)))
    assert target["id"] not in await text_of(story, "community")
    await story.batch((ro, target))
    assert target["id"] in json.dumps((await story.shown("community"))[referring["id"]])
    await story.batch((ro, target["id"]))
    assert target["id"] not in json.dumps((await story.shown("community"))[referring["id"]])
    assert pl.identity.upper() not in (await text_of(story, "community")).upper()


# ---------------------------------------------------------------- whose thing an id means


def indicates(indicator: dict[str, Any], target: dict[str, Any], name: str, /, **more: Any) -> dict[str, Any]:
    ends = {"source_ref": indicator["id"], "target_ref": target["id"]}
    return an_object("relationship", name, relationship_type="indicates", **ends, **more)


async def source_of(story: Story, name: str = "community") -> dict[str, Any]:
    """The indicator at the end of the one relationship that a collection shows."""
    return (await story.shown(name))[(await story.only(name, "relationship"))["source_ref"]]


async def test_an_id_means_what_the_centre_that_refers_to_it_claims_under_it(story: Story) -> None:
    ro, it, target = await story.centre("ro"), await story.centre("it"), malware()
    one, other = an_indicator("198.51.100.7", "x"), an_indicator("203.0.113.9", "x")
    await story.batch((ro, one), (it, other), (ro, target))
    for centre, pattern in ((ro, one["pattern"]), (it, other["pattern"])):
        await story.batch((centre, indicates(one, target, "r")))
        assert (await source_of(story))["pattern"] == pattern
        await story.batch((centre, indicates(one, target, "r")["id"]))


async def test_an_id_means_what_is_still_claimed_under_it_before_what_was_revoked(story: Story) -> None:
    ro, it, pl = [await story.centre(name) for name in ("ro", "it", "pl")]
    vendor, target = f"identity--{uid('vendor')}", malware()
    revoked = an_indicator("198.51.100.7", "x", created_by_ref=vendor, at=0, revoked=True)
    live = an_indicator("203.0.113.9", "x", created_by_ref=vendor)
    await story.batch((it, an_indicator("198.51.100.7", "y")), (ro, revoked), (it, live))
    await story.batch((pl, target), (pl, indicates(live, target, "r")))
    assert (await source_of(story))["pattern"] == live["pattern"]


async def test_a_claim_that_is_about_another_thing_from_now_on_leaves_the_one_before(story: Story) -> None:
    ro = await story.centre("ro")
    one, other = an_indicator("198.51.100.7", "x"), an_indicator("203.0.113.9", "x", at=0)
    await story.batch((ro, one))
    await story.batch((ro, other))
    assert (await story.only("community"))["pattern"] == other["pattern"]


async def test_what_refers_to_a_relationship_follows_it_to_another_thing_that_is_there_already(story: Story) -> None:
    ro, it, target = await story.centre("ro"), await story.centre("it"), malware()
    one, other = an_indicator("198.51.100.7", "x"), an_indicator("203.0.113.9", "y")
    mine, theirs = indicates(one, target, "mine"), indicates(other, target, "theirs")
    report = an_object("report", "p", name="p", published=moment(-9), object_refs=[mine["id"]])
    await story.batch((it, other), (it, theirs), (it, target), (ro, one), (ro, mine), (ro, report))
    await story.batch((ro, an_indicator("203.0.113.9", "x", at=0)))
    shown = (await story.only("community", "relationship"))["id"]
    assert (await story.only("community", "report"))["object_refs"] == [shown]


async def test_a_relationship_of_another_type_or_in_the_other_direction_is_another_thing(story: Story) -> None:
    ro = await story.centre("ro")
    one, other = an_indicator("198.51.100.7"), an_indicator("203.0.113.9")
    said = [indicates(one, other, "a"), indicates(other, one, "b"), indicates(one, other, "c")]
    said[2]["relationship_type"] = "derived-from"
    await story.batch(*((ro, obj) for obj in (one, other, *said)))
    assert len(await story.shown("community", "relationship")) == 3
    await story.batch((ro, indicates(one, other, "d")))
    assert len(await story.shown("community", "relationship")) == 3


# ---------------------------------------------------------------- what is left when references go


def a_process(name: str, /, **more: Any) -> dict[str, Any]:
    return an_object("process", name, created=None, modified=None, **more)


async def test_processes_that_say_nothing_but_one_another_are_not_shown(story: Story) -> None:
    ro = await story.centre("ro")
    one, two = f"process--{uid('process', 'a')}", f"process--{uid('process', 'b')}"
    await story.batch((ro, a_process("a", pid=7, child_refs=[two])), (ro, a_process("b", parent_ref=one)))
    assert (await story.shown("community", "process")).keys() == {one, two}
    await story.batch((ro, a_process("a", child_refs=[two])))
    assert await story.shown("community", "process") == {}


async def test_what_loses_its_last_reference_is_still_valid(story: Story) -> None:
    ro = await story.centre("ro")
    unseen = f"file--{uid('file')}"
    service = {"windows-service-ext": {"service_dll_refs": [unseen]}}
    user = f"user-account--{uid('user')}"
    key = an_object("windows-registry-key", "k", created=None, modified=None, creator_user_ref=user)
    await story.batch((ro, a_process("a", pid=7, extensions=service)), (ro, key))
    assert "extensions" not in await story.only("community", "process")
    assert await story.shown("community", "windows-registry-key") == {}


async def test_times_that_are_cut_to_be_equal_stay_in_order(story: Story) -> None:
    ro = await story.centre("ro")
    times = {"valid_from": "2026-01-01T00:00:00.0000001Z", "valid_until": "2026-01-01T00:00:00.0000002Z"}
    await story.batch((ro, an_indicator(**times)))
    shown = await story.only("community")
    assert parse_us(shown["valid_from"]) < parse_us(shown["valid_until"])


def an_extension_definition(author: str) -> dict[str, Any]:
    return an_object(
        "extension-definition", "x", created_by_ref=author, name="x", version="1.0.0",
        schema="https://vendor.example/x", extension_types=["property-extension"],
    )  # fmt: skip


async def test_an_extension_definition_is_shown_with_its_author_only(story: Story) -> None:
    """STIX 2.1, section 7.3: ``created_by_ref`` is required."""
    ro = await story.centre("ro")
    vendor = an_object("identity", "v", name="Vendor")
    defined = an_extension_definition(vendor["id"])
    await story.batch((ro, defined))
    assert await story.shown("community", "extension-definition") == {}
    await story.batch((ro, vendor))
    assert (await story.only("community", "extension-definition"))["created_by_ref"] == vendor["id"]
    await story.batch((ro, vendor["id"]))
    assert await story.shown("community", "extension-definition") == {}


@pytest.mark.parametrize("naming", list(Naming))
async def test_a_centres_own_extension_definition_is_shown_under_the_name_of_the_centre(
    story: Story, naming: Naming
) -> None:
    pl = await story.centre("pl", naming=naming, alias="North" if naming is Naming.ALIAS else None)
    await story.batch((pl, an_extension_definition(pl.identity)))
    shown = await story.only("community", "extension-definition")
    assert shown["created_by_ref"] in await story.shown("community", "identity")
    assert (shown["created_by_ref"] == pl.identity) == (naming is Naming.NAMED)
    assert shown["id"] != shown["created_by_ref"]


async def test_what_refers_to_an_observable_by_an_id_of_the_hub_leaves_with_it() -> None:
    """The id of a connection of an unnamed centre is made by the hub, since its own tells the exact times."""
    story = await Story.begin()
    pl, ro = await story.centre("pl", naming=Naming.ANONYMOUS), await story.centre("ro")
    address = an_object("ipv4-addr", "a", value="198.51.100.7", created=None, modified=None)
    traffic = an_object(
        "network-traffic", "t", protocols=["tcp"], src_ref=address["id"], end=moment(-9), created=None, modified=None
    )
    await story.batch((pl, address), (pl, traffic))
    shown = (await story.only("community", "network-traffic"))["id"]
    observed = an_object(
        "observed-data",
        "o",
        first_observed=moment(-9),
        last_observed=moment(-8),
        number_observed=1,
        object_refs=[shown],
    )  # fmt: skip
    await story.batch((ro, observed))
    assert (await story.only("community", "observed-data"))["object_refs"] == [shown]
    await story.batch((pl, traffic["id"]))
    assert await story.shown("community", "observed-data") == {}
    await story.close()


async def test_a_merged_relationship_stays_when_what_refers_to_it_by_an_id_of_the_hub_changes(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    end, target = an_indicator(), malware()
    ends = {"source_ref": end["id"], "target_ref": target["id"]}
    await story.batch((ro, end), (ro, target), (ro, an_object("relationship", "r", relationship_type="uses", **ends)))
    shown = (await story.only("community", "relationship"))["id"]
    grouping = an_object("grouping", "g", name="g", context="unspecified", object_refs=[shown])
    await story.batch((it, grouping))
    await story.batch((it, grouping | {"name": "h", "modified": moment(0)}))
    for name in ("community", "network"):
        relationship = await story.only(name, "relationship")
        assert (await story.only(name, "grouping"))["object_refs"] == [relationship["id"]]
    await story.batch((ro, target["id"]))
    for name in ("community", "network"):
        assert await story.shown(name, "relationship") == await story.shown(name, "grouping") == {}
