"""Rules of docs/semantics.md, sections 2 to 7, that one story each shows best."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.core.hold import WarningLists
from hub.core.merge.hubmade import in_steps
from hub.model.words import Level, Naming
from tests.promises.telling import what_differs_from_recomputed
from tests.story import EXTENSION, TLP, Story, an_indicator, an_object, bytes_of, malware, moment, said_of, uid


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


def relates(source: dict[str, Any], target: dict[str, Any], name: str = "r", /, **more: Any) -> dict[str, Any]:
    ends = {"source_ref": source["id"], "target_ref": target["id"]}
    return an_object("relationship", name, **{"relationship_type": "indicates", **ends, **more})


# ---------------------------------------------------------------- section 2: who sees what


async def test_amber_goes_to_the_groups_that_its_centre_names(story: Story) -> None:
    await story.group("health")
    await story.collection("health", Level.AMBER_STRICT, "health")
    ro, it = await story.centre("ro", amber_to=("health",)), await story.centre("it")
    await story.batch((ro, malware("a", tlp="amber")), (it, malware("b", tlp="amber")))
    assert [obj["name"] for obj in (await story.shown("health", "malware")).values()] == ["a"]
    assert [obj["name"] for obj in (await story.shown("network", "malware")).values()] == ["b"]


async def test_red_reaches_a_collection_of_the_group_that_it_names_and_nothing_else(story: Story) -> None:
    await story.group("health")
    await story.collection("red", Level.RED, "health")
    await story.collection("health", Level.AMBER_STRICT, "health")
    ro = await story.centre("ro", ceiling=Level.RED)
    group = f"marking-definition--{uid('groups', 'health')}"
    await story.batch((ro, malware("a", tlp="red")), (ro, malware("b", object_marking_refs=[TLP["red"], group])))
    assert [obj["name"] for obj in (await story.shown("red", "malware")).values()] == ["b"]
    for name in ("public", "community", "network", "health"):
        assert await story.shown(name, "malware") == {}


async def test_a_view_of_restricted_claims_carries_the_groups_that_all_of_them_cover(story: Story) -> None:
    for name in ("health", "energy"):
        await story.group(name)
    await story.collection("health", Level.GREEN, "health")
    ro, it, pl = await story.centre("ro"), await story.centre("it"), await story.centre("pl")
    health, energy = (f"marking-definition--{uid('groups', name)}" for name in ("health", "energy"))
    green = TLP["green"]
    await story.batch(
        (ro, an_indicator(name := "198.51.100.7", "a", object_marking_refs=[green, health, energy], confidence=50)),
        (it, an_indicator(name, "b", object_marking_refs=[green, health])),
        (pl, an_indicator(name, "c", tlp="clear")),
    )
    assert (await story.only("health"))["object_marking_refs"] == [green, health]
    assert said_of(await story.only("health"))["floor"] == "clear"
    assert (await story.only("community"))["object_marking_refs"] == [TLP["clear"]]


async def test_a_marking_counts_only_when_the_same_centre_defines_it(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    marking = an_object(
        "marking-definition", "s", tlp=None, definition_type="statement", definition={"statement": "Ask"}
    )
    del marking["modified"]
    await story.batch((it, marking))
    await story.batch((ro, malware(object_marking_refs=[TLP["green"], marking["id"]])))
    assert await story.shown("community", "malware") == {}
    assert (await story.counts(ro))["held"] == 1
    await story.batch((ro, marking))
    shown = await story.shown("community")
    assert (await story.only("community", "malware"))["object_marking_refs"] == [TLP["green"], marking["id"]]
    assert shown[marking["id"]]["definition"] == {"statement": "Ask"}
    await story.batch((ro, malware()["id"]))
    assert marking["id"] not in await story.shown("community")


async def test_what_a_held_version_would_replace_is_hidden_when_its_marking_is_unknown(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, malware()))
    unknown = f"marking-definition--{uid('unknown')}"
    await story.batch((ro, malware(at=1, object_marking_refs=[TLP["green"], unknown])))
    assert await story.shown("network", "malware") == {}


async def test_above_the_ceiling_takes_back_what_stood(story: Story) -> None:
    ro = await story.centre("ro", ceiling=Level.GREEN)
    await story.batch((ro, malware()))
    await story.batch((ro, malware(tlp="amber", at=1)))
    assert await story.shown("community", "malware") == {}
    assert [found["code"] for found in await story.rejections(ro)] == ["marking.above-ceiling"]


async def test_a_pap_travels_and_the_strictest_is_shown(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch(
        (ro, an_indicator("198.51.100.7", "a", labels=["PAP:GREEN", "tlp:green", "c2"])),
        (it, an_indicator("198.51.100.7", "b", labels=["pap:amber"])),
    )
    assert (await story.only("community"))["labels"] == ["PAP:AMBER", "c2"]


async def test_nobody_speaks_in_the_hubs_extension_or_for_an_alias(story: Story) -> None:
    ro, it = await story.centre("ro", naming=Naming.ALIAS, alias="north"), await story.centre("it")
    forged = {"extension_type": "property-extension", "sources": [{"name": "pl"}]}
    await story.batch(
        (ro, malware("a", created_by_ref=ro.identity)), (it, malware("b", extensions={EXTENSION: forged}))
    )
    shown = {obj["name"]: obj for obj in (await story.shown("community", "malware")).values()}
    assert "extensions" not in shown["b"]
    alias = shown["a"]["created_by_ref"]
    assert (await story.shown("community"))[alias]["name"] == "north"
    await story.batch(
        (it, malware("c", created_by_ref=alias)), (ro, malware("a", created_by_ref=alias, at=5, description="x"))
    )
    assert [found["code"] for found in await story.rejections(it)] == ["author.impersonation"]
    assert {obj["name"] for obj in (await story.shown("community", "malware")).values()} == {"a", "b"}
    assert "description" in next(o for o in (await story.shown("community", "malware")).values() if o["name"] == "a")


async def test_suspending_a_centre_withdraws_its_claims_and_resuming_brings_them_back(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator()), (ro, malware()))
    before = await story.only("community")
    await story.change_centre(ro, suspended=True)
    assert await story.shown("community") == {}
    await story.change_centre(ro, suspended=False)
    after = await story.only("community")
    assert after["id"] != before["id"]  # revoked is final
    assert (await story.only("community", "malware"))["id"] == malware()["id"]


async def test_what_a_list_holds_leaves_the_old_version_unless_it_is_marked_otherwise(tmp_path: Path) -> None:
    story = await Story.begin(hold=WarningLists().holds)
    ro = await story.centre("ro")
    said = an_indicator("198.51.100.7", "a")
    poison = {**said, "pattern": "[ipv4-addr:value = '0.0.0.0/0']"}
    await story.batch((ro, said))
    await story.batch((ro, {**poison, "modified": moment(1)}))
    assert "198.51.100.7" in (await story.only("community"))["pattern"]
    await story.batch((ro, {**poison, "modified": moment(2), "object_marking_refs": [TLP["amber"]]}))
    assert await story.shown("community", "indicator") == {}
    assert (await story.counts(ro))["held"] == 2
    await story.close()


# ---------------------------------------------------------------- section 5: what is counted


def test_counts_are_told_in_steps() -> None:
    assert [in_steps(n) for n in (1, 2, 3, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100, 1234)] == [
        1, 2, 2, 2, 5, 5, 10, 10, 20, 20, 50, 50, 100, 1000,
    ]  # fmt: skip


async def test_sightings_are_counted_where_they_may_be_told(story: Story) -> None:
    ro, it, pl = await story.centre("ro"), await story.centre("it"), await story.centre("pl")
    seen = an_indicator("198.51.100.7", "a")
    await story.batch((ro, seen))
    sightings = [
        an_object("sighting", f"s{i}", tlp=tlp, sighting_of_ref=seen["id"]) for i, tlp in enumerate(("green", "amber"))
    ]
    again = an_object("sighting", "again", tlp="green", sighting_of_ref=seen["id"])
    await story.batch((it, sightings[0]), (it, again), (pl, sightings[1]))  # each source counts once
    assert said_of(await story.only("community"))["sightings"] == 1
    assert said_of(await story.only("network"))["sightings"] == 1  # the amber one is stricter than the green view
    await story.batch((it, an_indicator("198.51.100.7", "b", tlp="amber")))
    assert said_of(await story.only("network"))["sightings"] == 2
    await story.batch((it, sightings[0]["id"]))
    assert said_of(await story.only("community"))["sightings"] == 1
    await story.batch((it, again["id"]))
    assert "sightings" not in said_of(await story.only("community"))


async def test_a_sighting_by_the_id_that_a_member_knows_is_one_of_the_thing(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    await story.batch((ro, an_indicator("198.51.100.7", "a")))
    known = (await story.only("community"))["id"]
    await story.batch((it, an_object("sighting", "s", sighting_of_ref=known)))
    assert (await story.only("community", "sighting"))["sighting_of_ref"] == known
    assert (await story.only("network", "sighting"))["sighting_of_ref"] == (await story.only("network"))["id"]
    assert said_of(await story.only("network"))["sightings"] == 1
    await story.batch((ro, an_indicator("198.51.100.7", "a")["id"]))
    assert await story.shown("community", "sighting") == {}
    await story.batch((it, an_indicator("198.51.100.7", "b")))
    assert (
        (await story.only("community", "sighting"))["sighting_of_ref"] == (await story.only("community"))["id"] != known
    )


# ---------------------------------------------------------------- section 6: owners, references


async def test_the_longest_seen_run_decides_a_contested_id_for_each_audience(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    ros, its = malware(created_by_ref=ro.identity, name="of ro"), malware(created_by_ref=it.identity, name="of it")
    await story.batch((ro, {**ros, "object_marking_refs": [TLP["amber"]]}))
    await story.batch((it, its))
    await story.batch((ro, {**ros, "modified": moment(1)}))
    assert (await story.only("community", "malware"))["name"] == "of it"  # which has been green for longer
    assert (await story.only("network", "malware"))["name"] == "of ro"
    await story.batch((it, its["id"]))
    await story.batch((it, its))
    assert (await story.only("community", "malware"))["name"] == "of ro"


async def test_whom_most_centres_name_owns_an_id(story: Story) -> None:
    ro, it, pl = await story.centre("ro"), await story.centre("it"), await story.centre("pl")
    vendor = f"identity--{uid('vendor')}"
    await story.batch((ro, malware(created_by_ref=ro.identity, name="of ro")))
    await story.batch(
        (it, malware(created_by_ref=vendor, name="of vendor")), (pl, malware(created_by_ref=vendor, name="of vendor"))
    )
    assert (await story.only("community", "malware"))["name"] == "of vendor"


async def test_no_circle_holds_itself_up_after_an_update(story: Story) -> None:
    ro = await story.centre("ro")
    solid = malware()
    note = an_object("note", "n", content="n", object_refs=[solid["id"]])
    report = an_object("report", "p", name="p", published=moment(-9), object_refs=[note["id"]])
    await story.batch((ro, solid), (ro, note), (ro, report))
    assert len(await story.shown("community", "report")) == 1
    await story.batch((ro, {**note, "object_refs": [report["id"]], "modified": moment(1)}))
    assert await story.shown("community", "note") == {}
    assert await story.shown("community", "report") == {}


async def test_no_circle_holds_itself_up_through_an_object_that_is_new(story: Story) -> None:
    """The report refers to a new one, which refers to a relationship that needs the report."""
    ro = await story.centre("ro")
    new_report = an_object("report", "new", name="new", published=moment(-9))
    report = an_object("report", "p", name="p", published=moment(-9), object_refs=[malware("a")["id"]])
    relation = relates(report, malware("b"), relationship_type="related-to")
    new_report["object_refs"] = [relation["id"]]
    await story.batch((ro, malware("a")), (ro, malware("b")), (ro, report), (ro, relation))
    assert len(await story.shown("community", "relationship")) == 1
    await story.batch((ro, new_report), (ro, {**report, "object_refs": [new_report["id"]], "modified": moment(1)}))
    assert set(await story.shown("community")) & {report["id"], new_report["id"], relation["id"]} == set()
    assert await what_differs_from_recomputed(story) == []


async def test_a_reference_to_an_observable_means_its_value_whatever_others_call_it(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    address = an_object("ipv4-addr", "a", value="198.51.100.7", created=None, modified=None)
    target = malware()
    await story.batch((ro, address), (ro, target))
    true_id = (await story.only("community", "ipv4-addr"))["id"]
    liar = {**address, "id": true_id, "value": "203.0.113.9"}
    await story.batch((it, liar), (ro, relates({"id": true_id}, target, relationship_type="related-to")))
    assert (await story.only("community", "relationship"))["source_ref"] == true_id


async def test_an_owners_object_that_changes_by_its_references_gets_a_later_modified(story: Story) -> None:
    ro = await story.centre("ro")
    report = an_object(
        "report", "p", name="p", published=moment(-9), object_refs=[malware("a")["id"], malware("b")["id"]]
    )
    await story.batch((ro, report), (ro, malware("a")))
    assert (await story.only("community", "report"))["modified"] == report["modified"]
    await story.batch((ro, malware("b")))
    later = await story.only("community", "report")
    assert later["modified"] == moment(-3599.999)
    assert later["object_refs"] == report["object_refs"]
    await story.batch((ro, malware("b")["id"]))
    await story.batch((ro, {**report, "modified": moment(2)}))
    assert (await story.only("community", "report"))["modified"] == moment(-3599.998)  # a newer one alone is no version


async def test_a_centre_that_becomes_anonymous_leaves_under_its_ids(story: Story) -> None:
    ro = await story.centre("ro")
    said = malware(created_by_ref=ro.identity)
    await story.batch((ro, said), (ro, an_object("note", "n", content="n", object_refs=[said["id"]])))
    ro = await story.change_centre(ro, naming=Naming.ANONYMOUS)
    shown = await story.shown("community")
    assert said["id"] not in shown
    assert ro.identity not in shown
    hidden = await story.only("community", "malware")
    assert (await story.only("community", "note"))["object_refs"] == [hidden["id"]]
    await story.change_centre(ro, naming=Naming.NAMED)
    back = await story.only("community", "malware")
    assert (back["id"], back["modified"]) == (said["id"], said["modified"])


async def test_while_a_centre_gets_another_name_its_markings_are_there_for_what_carries_them() -> None:
    story = await Story.begin(None, task_claims=1)
    ro, it = await story.centre("ro"), await story.centre("it")
    of_ro, of_it = (
        an_object(
            "marking-definition", "own", tlp=None, modified=None, definition_type="statement",
            definition={"statement": text},
        )
        for text in ("Ask ro", "Ask it")
    )  # fmt: skip
    carried = {"object_marking_refs": [TLP["green"], of_ro["id"]]}
    await story.batch((ro, of_ro), *((ro, malware(name, **carried)) for name in "abc"))
    await story.batch((it, of_it), (it, malware("d", **carried)))
    for naming in (Naming.ANONYMOUS, Naming.NAMED):
        ro = replace(ro, naming=naming)
        await story.place.set_centre(ro, ["naming"], story.now_us)
        steps = 0
        while await story.worker.do_tasks():
            steps += 1
            shown = await story.shown("community")
            carried_now = {ref for obj in shown.values() for ref in obj.get("object_marking_refs", ())}
            assert carried_now <= shown.keys(), steps
        assert steps > 2
    await story.close()


# ---------------------------------------------------------------- many referrers


async def test_many_that_wait_have_their_turn_and_carry_the_time_of_what_they_waited_for(tmp_path: Path) -> None:
    logs = []
    for more in (0, 20):  # as many again that nobody in community may see
        story = await Story.begin(referrer_limit=5)
        ro, it = await story.centre("ro"), await story.centre("it")
        target = malware()
        sources = [malware(f"source {i}") for i in range(23)]
        waiting = [relates(source, target, f"r{i}") for i, source in enumerate(sources)]
        unseen = [relates(sources[0], target, f"unseen {i}", tlp="amber") for i in range(more)]
        await story.batch(*((ro, one) for one in sources), *((ro, one) for one in waiting))
        await story.carry([story.record(it, one) for one in unseen])
        await story.batch((it, target))
        late_us = story.now_us
        assert await story.shown("community", "relationship") == {}
        story.now_us += 60_000_000
        await story.worker.do_tasks()
        assert len(await story.shown("community", "relationship")) == 5
        await story.sweep()
        rows = await story.log("community", log=True)
        assert len(await story.shown("community", "relationship")) == 23
        assert all(row.date_added_us < late_us + 1_000_000 for row in rows)
        await story.batch((it, target["id"]))
        assert await story.shown("community", "relationship") == {}
        logs.append(bytes_of(await story.log("community")))
        await story.close()
    assert logs[0] == logs[1]


async def test_what_waits_for_its_turn_is_not_shown_before_it_whatever_else_happens_to_it() -> None:
    story = await Story.begin(referrer_limit=5)
    ro, it = await story.centre("ro"), await story.centre("it")
    target = malware()
    sources = [malware(f"source {i}") for i in range(12)]
    waiting = [relates(source, target, f"r{i}") for i, source in enumerate(sources)]
    await story.batch(*((ro, one) for one in (*sources, *waiting)))
    await story.batch((it, target))
    await story.batch(*((ro, {**one, "modified": moment(1), "description": "again"}) for one in waiting))
    assert await story.shown("community", "relationship") == {}
    await story.worker.do_tasks()
    first = (await story.shown("community", "relationship")).keys()
    assert len(first) == 5
    await story.batch(*((ro, {**one, "modified": moment(2), "description": "once more"}) for one in waiting))
    shown = await story.shown("community", "relationship")
    assert shown.keys() == first
    assert {obj["description"] for obj in shown.values()} == {"once more"}
    await story.sweep()
    assert len(await story.shown("community", "relationship")) == 12
    await story.close()


async def test_those_that_an_audience_does_not_see_make_nobody_wait() -> None:
    story = await Story.begin(referrer_limit=5)
    ro, it = await story.centre("ro"), await story.centre("it")
    target, source = malware(), malware("source")
    seen = [relates(source, target, f"r{i}", relationship_type=f"r{i}") for i in range(3)]
    unseen = [relates(source, target, f"unseen {i}", tlp="amber") for i in range(20)]
    await story.batch(*((ro, one) for one in (source, *seen, *unseen)))
    await story.batch((it, target))
    assert len(await story.shown("community", "relationship")) == 3
    assert await story.shown("network", "relationship") == {}
    await story.close()


async def test_what_waits_for_a_turn_waits_no_more_when_its_target_has_gone() -> None:
    story = await Story.begin(referrer_limit=5)
    ro, it = await story.centre("ro"), await story.centre("it")
    target, source = malware(), malware("source")
    waiting = [relates(source, target, f"r{i}", relationship_type=f"r{i}") for i in range(12)]
    await story.batch(*((ro, one) for one in (source, *waiting)))
    tasks = (await story.stored()).tasks
    await story.batch((it, target))
    assert len((await story.stored()).tasks) == len(tasks) + 2  # of community, and of network
    await story.batch((it, target["id"]))
    assert (await story.stored()).tasks == tasks
    await story.close()


async def test_what_comes_to_hide_its_carriers_hides_all_of_them_at_once() -> None:
    story = await Story.begin(referrer_limit=5)
    ro = await story.centre("ro")
    marking = an_object(
        "marking-definition", "s", tlp=None, definition_type="statement", definition={"statement": "Ask"}
    )
    carriers = [malware(f"m{i}", object_marking_refs=[TLP["green"], marking["id"]]) for i in range(12)]
    await story.batch(*((ro, one) for one in (marking, *carriers)))
    await story.sweep()
    assert len(await story.shown("community", "malware")) == 12
    await story.batch((ro, {**marking, "definition": {"statement": "TLP:AMBER"}}))
    assert await story.shown("community", "malware") == {}
    await story.close()


async def test_a_collection_for_some_kinds_has_their_observables_and_no_others(story: Story) -> None:
    await story.collection("addresses", Level.GREEN, "community", kinds=frozenset({"ipv4-addr"}))
    ro = await story.centre("ro")
    address = an_object("ipv4-addr", "a", value="198.51.100.7", created=None, modified=None)
    domain = an_object("domain-name", "d", value="evil.example", created=None, modified=None)
    await story.batch((ro, address), (ro, domain))
    assert (await story.only("addresses", "ipv4-addr"))["value"] == "198.51.100.7"
    assert await story.shown("addresses", "domain-name") == {}
    assert len(await story.shown("community", "domain-name")) == 1


async def test_what_one_centre_says_of_an_observable_under_several_ids_is_united(story: Story) -> None:
    ro = await story.centre("ro")
    first, second = (
        an_object("ipv4-addr", name, value="198.51.100.7", created=None, modified=None, x_said_by=name)
        | {f"x_{name}": 1}
        for name in sorted("ab", key=lambda name: uid("ipv4-addr", name))
    )
    await story.batch((ro, second), (ro, first))
    shown = await story.only("community", "ipv4-addr")
    assert (shown["x_a"], shown["x_b"], shown["x_said_by"]) == (1, 1, first["x_said_by"])


async def test_a_sighting_by_an_id_that_two_centres_use_is_of_the_thing_that_it_means(story: Story) -> None:
    ro, it, pl = [await story.centre(name) for name in ("ro", "it", "pl")]
    await story.batch((ro, an_indicator("198.51.100.7", "x")))
    await story.batch((it, an_indicator("203.0.113.9", "x")))
    await story.batch((pl, an_object("sighting", "s", sighting_of_ref=an_indicator("", "x")["id"])))
    counts = {
        obj["pattern"]: said_of(obj).get("sightings") for obj in (await story.shown("community", "indicator")).values()
    }
    assert counts == {"[ipv4-addr:value = '198.51.100.7']": 1, "[ipv4-addr:value = '203.0.113.9']": None}


# ---------------------------------------------------------------- what one centre says decides about itself alone


async def test_relaying_those_whom_a_silent_centre_speaks_for_is_no_corroboration(story: Story) -> None:
    constituent = f"identity--{uid('constituent')}"
    await story.centre("ro", speaks_for=frozenset({constituent}))
    it, pl = await story.centre("it"), await story.centre("pl")
    relayed = an_indicator("198.51.100.7", "relayed", created_by_ref=constituent, confidence=50)
    await story.batch((it, an_indicator("198.51.100.7", "own", confidence=50)), (it, relayed))
    assert said_of(await story.only("community"))["voices"] == 1
    assert (await story.only("community"))["confidence"] == 50
    await story.batch((pl, relayed))
    assert said_of(await story.only("community"))["voices"] == 2


async def test_an_older_version_above_the_ceiling_takes_nothing_back(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator(at=-100)))
    await story.batch((ro, an_indicator(at=-200, tlp="red")))
    assert len(await story.shown("community", "indicator")) == 1
    assert (await story.rejections(ro))[-1]["code"] == "marking.above-ceiling"
    await story.batch((ro, an_indicator(at=-50, tlp="red")))
    assert await story.shown("community", "indicator") == {}


async def test_an_id_is_withdrawn_in_the_spelling_in_which_it_was_said(story: Story) -> None:
    ro = await story.centre("ro")
    said = an_indicator()
    kind, _, rest = said["id"].partition("--")
    await story.batch((ro, said | {"id": f"{kind}--{rest.upper()}"}))
    assert len(await story.shown("community", "indicator")) == 1
    await story.batch((ro, f"{kind}--{rest.upper()}"))
    assert await story.shown("community", "indicator") == {}


async def test_a_centre_that_defines_the_marking_of_a_removed_group_decides_alone(story: Story) -> None:
    await story.group("health")
    ro = await story.centre("ro")
    marking = f"marking-definition--{uid('groups', 'health')}"
    await story.batch((ro, malware(object_marking_refs=[TLP["green"], marking])))
    await story.remove_group("health")
    assert await story.shown("community", "malware") == {}
    defined = an_object(
        "marking-definition", "x", id=marking, tlp=None, modified=None, definition_type="statement",
        definition={"statement": "For us"},
    )  # fmt: skip
    await story.batch((ro, defined))
    assert len(await story.shown("community", "malware")) == 1
    await story.batch((ro, marking))
    assert await story.shown("community", "malware") == {}


# ---------------------------------------------------------------- observed-data with its objects inside


def observed(*values: str, **more: Any) -> dict[str, Any]:
    """Observed-data of STIX 2.0."""
    inside = {str(n): {"type": "ipv4-addr", "value": value} for n, value in enumerate(values)}
    times = {"first_observed": moment(-7200), "last_observed": moment(-7200), "number_observed": 1}
    return an_object("observed-data", "o", **{"spec_version": None, "objects": inside, **times, **more})


async def values_in(story: Story, name: str) -> list[str]:
    return sorted(obj["value"] for obj in (await story.shown(name, "ipv4-addr")).values())


async def test_what_was_observed_is_seen_by_those_who_see_that_it_was(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, observed("198.51.100.1", at=-100, tlp="amber")))
    await story.batch((ro, observed("198.51.100.1", at=-200)))
    assert await values_in(story, "community") == []
    await story.batch((ro, observed("198.51.100.1", "198.51.100.2", at=-90)))
    assert await values_in(story, "community") == ["198.51.100.1", "198.51.100.2"]
    await story.batch((ro, observed("198.51.100.2", at=-80)))
    assert await values_in(story, "community") == ["198.51.100.2"]
    await story.batch((ro, observed("198.51.100.3", at=-70, tlp="amber")))
    assert await values_in(story, "community") == []
    assert await values_in(story, "network") == ["198.51.100.3"]


@pytest.mark.parametrize("how", ["red", "withdrawn"])
async def test_what_was_observed_goes_with_the_observed_data(story: Story, how: str) -> None:
    ro = await story.centre("ro")
    said = observed("198.51.100.1")
    other = observed("198.51.100.1", "198.51.100.2", id=f"observed-data--{uid('other')}")
    await story.batch((ro, said), (ro, other), (ro, observed("198.51.100.9", id=f"observed-data--{uid('third')}")))
    red = observed("198.51.100.2", id=other["id"], at=0, tlp="red")
    await story.batch((ro, red if how == "red" else other["id"]))
    assert await values_in(story, "community") == ["198.51.100.1", "198.51.100.9"]
    await story.batch((ro, said["id"]))
    assert await values_in(story, "community") == ["198.51.100.9"]


async def test_what_was_observed_changes_with_it_under_one_modified_as_well(story: Story) -> None:
    ro = await story.centre("ro")
    for size in (1, 2):
        await story.batch((ro, observed(objects={"0": {"type": "file", "hashes": {"MD5": "a" * 32}, "size": size}})))
        assert (await story.only("community", "file"))["size"] == size
    assert await story.counts(ro) == {"accepted": 2, "unchanged": 0, "held": 0, "rejected": 0}


async def test_observed_data_that_is_revoked_takes_what_was_observed_along(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, observed("198.51.100.1", at=-100)))
    await story.batch((ro, observed("198.51.100.1", at=-50, revoked=True)))
    assert await values_in(story, "community") == []


async def test_an_observable_has_nothing_that_the_best_ranked_claim_rules_out(story: Story) -> None:
    best, other = await story.centre("ro", trust=100), await story.centre("it", trust=50)
    message = {
        "type": "email-message",
        "spec_version": "2.1",
        "subject": "Invoice",
        "object_marking_refs": [TLP["green"]],
    }
    message["id"] = f"email-message--{uid('messages', 'invoice')}"
    plain = {**message, "is_multipart": False, "content_type": "text/plain"}
    parts = {**message, "is_multipart": True, "body_multipart": [{"body": "a"}], "message_id": "<1@c2.example>"}
    await story.batch((other, parts), (best, plain))
    shown = await story.only("community", "email-message")
    assert (shown["is_multipart"], shown["content_type"], shown["message_id"]) == (
        False,
        "text/plain",
        "<1@c2.example>",
    )
    assert "body_multipart" not in shown


async def test_the_same_observed_many_times_is_one_view_until_the_last_is_taken_back(story: Story) -> None:
    ro = await story.centre("ro")
    many = [observed("198.51.100.1", id=f"observed-data--{uid('many', n)}") for n in range(20)]
    await story.batch(*((ro, one) for one in many))
    await story.batch(*((ro, one["id"]) for one in many[1:]))
    assert await values_in(story, "community") == ["198.51.100.1"]
    await story.batch((ro, many[0]["id"]))
    assert await values_in(story, "community") == []


# ---------------------------------------------------------------- markings of a centre's own


def a_marking(statement: str, /, **more: Any) -> dict[str, Any]:
    definition = {"definition_type": "statement", "definition": {"statement": statement}}
    return an_object("marking-definition", "own", **{"tlp": None, "modified": None, **definition, **more})


async def test_a_marking_that_states_no_level_of_tlp_hides_what_carries_it_and_its_centre_is_told(story: Story) -> None:
    ro = await story.centre("ro")
    unreadable = a_marking("TLP:FOO")
    carrying = an_indicator(object_marking_refs=[TLP["green"], unreadable["id"]])
    await story.batch((ro, unreadable), (ro, carrying))
    assert (await story.counts(ro))["held"] == 1
    assert await story.shown("community", "indicator") == {}


@pytest.mark.parametrize("of", ["TLP", "TLP 1.0", "a group"])
async def test_what_a_centre_sends_under_the_id_of_a_marking_that_is_well_known_changes_nothing(
    story: Story, of: str
) -> None:
    await story.group("health")
    await story.collection("health", Level.AMBER, "health")
    ro, it = await story.centre("ro"), await story.centre("it")
    known = {
        "TLP": TLP["green"],
        "TLP 1.0": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "a group": f"marking-definition--{uid('groups', 'health')}",
    }[of]
    carrying = malware(object_marking_refs=[known, *([TLP["green"]] if of == "a group" else [])])
    await story.batch((ro, carrying))
    names = ("health", "community", "public")
    before = [await story.shown(name) for name in names]
    assert [malware()["id"] in shown for shown in before] == [True, of != "a group", False]
    for centre in (ro, it):
        for says in ("TLP:CLEAR", "TLP:RED", "TLP:FOO", "For everybody"):
            await story.batch((centre, a_marking(says, id=known)))
            assert [await story.shown(name) for name in names] == before
    await story.batch((ro, malware("later", object_marking_refs=carrying["object_marking_refs"])))
    assert await story.shown("public") == {}
    assert (await story.counts(ro))["held"] == 0


@pytest.mark.parametrize("order", ["definition first", "definition last", "old version last"])
async def test_a_marking_of_a_level_above_the_ceiling_hides_what_carries_it_in_any_order(
    story: Story, order: str
) -> None:
    ro = await story.centre("ro")
    red, old = a_marking("TLP:RED"), an_indicator(at=-100)
    carrying = an_indicator(at=0, object_marking_refs=[TLP["green"], red["id"]])
    told = {
        "definition first": (red, old, carrying),
        "definition last": (old, carrying, red),
        "old version last": (red, carrying, old),
    }
    for said in told[order]:
        await story.batch((ro, said))
    assert (await story.counts(ro))["held"] == 1
    assert await story.shown("community", "indicator") == {}
    await story.batch((ro, a_marking("For us")))
    assert len(await story.shown("community", "indicator")) == 1


# ---------------------------------------------------------------- centres that do not go by their name


@pytest.mark.parametrize("naming", [Naming.ANONYMOUS, Naming.ALIAS])
async def test_what_nobody_says_whose_it_is_gives_its_centre_away_no_more_than_its_own(
    story: Story, naming: Naming
) -> None:
    pl = await story.centre("pl", naming=naming, alias="North" if naming is Naming.ALIAS else None)
    exact = "2025-12-31T21:59:58.877Z"
    portal = [{"source_name": "portal", "url": "https://portal.pl.example/1"}]
    own = a_marking("For friends", created=exact, created_by_ref=pl.identity)
    target = malware("t", created=exact, modified=exact)
    translated = an_object(
        "language-content", "l", object_ref=target["id"], object_modified=exact, contents={"fr": {"name": "x"}},
        created=exact, modified=exact, created_by_ref=pl.identity,
    )  # fmt: skip
    address = an_object(
        "ipv4-addr", "a", created=None, modified=None, value="198.51.100.7", external_references=portal,
        object_marking_refs=[TLP["green"], own["id"]],
    )  # fmt: skip
    unsaid = malware("u", created=exact, modified=exact, external_references=portal)
    await story.batch(*((pl, obj) for obj in (own, address, translated, target, unsaid)))
    shown = await story.shown("community")
    assert {"marking-definition", "ipv4-addr", "malware"} <= {obj["type"] for obj in shown.values()}
    told = b"".join(row.body for row in await story.log("community")).decode()
    assert "portal" not in told
    assert pl.identity not in told
    if naming is Naming.ANONYMOUS:
        assert exact not in told


@pytest.mark.parametrize("how", ["named", "alias", "withdrawn"])
async def test_an_unnamed_centres_relationship_that_goes_by_another_id_stops_nothing(story: Story, how: str) -> None:
    pl, ro = await story.centre("pl", naming=Naming.ANONYMOUS), await story.centre("ro")
    ends = malware("a"), malware("b")
    related = relates(*ends, relationship_type="related-to")
    await story.batch((ro, ends[0]), (ro, ends[1]), (pl, related))
    before = await story.only("community", "relationship")
    if how == "withdrawn":
        await story.batch((ro, related))
        await story.batch((pl, related["id"]))
    else:
        await story.change_centre(pl, naming=Naming(how), alias="North" if how == "alias" else None)
    after = (await story.only("community", "relationship"))["id"]
    assert (after == related["id"]) == (how != "alias")
    assert (after == before["id"]) == (how == "alias")


async def test_the_times_of_observed_traffic_are_days_too(story: Story) -> None:
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    exact = "2025-12-31T21:59:58.877Z"
    ends = {"type": "ipv4-addr", "value": "198.51.100.7"}
    traffic = {"type": "network-traffic", "src_ref": "0", "protocols": ["tcp"], "start": exact, "end": exact}
    await story.batch((pl, observed(objects={"0": ends, "1": traffic})))
    shown = await story.only("community", "network-traffic")
    assert (shown["start"][:10], shown["end"][:10]) == ("2025-12-31", "2025-12-31")
    assert exact not in b"".join(row.body for row in await story.log("community")).decode()


async def test_the_extension_that_keeps_what_stix_2_1_dropped_is_defined_where_it_is_used(story: Story) -> None:
    ro = await story.centre("ro")
    process = {"0": {"type": "process", "pid": 7, "name": "a.exe"}}
    await story.batch((ro, observed(objects=process)))
    (kept,) = (await story.only("community", "process"))["extensions"]
    assert kept in await story.shown("community", "extension-definition")


async def test_a_marking_whose_definition_another_centre_gives_from_now_on_brings_its_author_along(
    story: Story,
) -> None:
    it, ro = await story.centre("it"), await story.centre("ro")
    theirs, ours = (a_marking("Ask us", created_by_ref=centre.identity) for centre in (it, ro))
    marked = {"object_marking_refs": [TLP["green"], ours["id"]]}
    await story.batch((it, theirs))
    await story.batch((ro, ours), (ro, malware("a", **marked)))
    assert (await story.shown("community"))[ours["id"]]["created_by_ref"] == ro.identity
    await story.batch((it, malware("b", **marked)))
    shown = await story.shown("community")
    assert shown[ours["id"]]["created_by_ref"] == it.identity
    assert it.identity in shown
    assert await what_differs_from_recomputed(story) == []


async def test_a_marking_goes_with_the_last_view_that_uses_it_whoever_defined_it(story: Story) -> None:
    """What is shown stays the same while another source's definition of the same marking is used."""
    ro, it = await story.centre("ro"), await story.centre("it")
    ask = an_object(
        "marking-definition",
        "ask",
        tlp=None,
        modified=None,
        definition_type="statement",
        definition={"statement": "Ask"},
    )
    relayed = malware(created_by_ref=f"identity--{uid('vendor')}", object_marking_refs=[TLP["green"], ask["id"]])
    await story.batch((ro, ask), (ro, relayed), (it, ask), (it, relayed))
    rows = await story.log("community")
    await story.batch((ro, relayed["id"]))
    assert await story.log("community") == rows
    assert await what_differs_from_recomputed(story) == []
    await story.batch((it, relayed["id"]))
    assert await story.shown("community") == {}
    assert await what_differs_from_recomputed(story) == []
