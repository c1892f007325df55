"""Granular markings only ever take away, and a level that cannot be read hides: docs/semantics.md, section 2."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.admission import Admitted, admitted, no_hold
from hub.core.arrivals import Arrival
from hub.core.merge.project import project
from hub.core.merge.reach import Decided, decided_by, reach
from hub.model.claims import Claim
from hub.model.markings import TLP_IDS
from hub.model.policy import Audience, Collection, Group, Policy
from hub.model.problems import Code
from hub.model.words import (
    CollectionName,
    GroupName,
    Level,
    Limits,
    Naming,
    Stamp,
    State,
    StixId,
    StixObject,
)  # fmt: skip
from tests.promises.histories import (
    GROUP_MARKING,
    SOURCES,
    History,
    Said,
    a_history,
    histories,
    sources_of,
)  # fmt: skip
from tests.promises.scenes import dense_histories
from tests.promises.telling import Telling, a_hub
from tests.promises.test_histories import few
from tests.promises.watching import AUDIENCES
from tests.story import START_US, TLP, Story, an_indicator, an_object, malware, moment, uid

DATA = Path(__file__).parents[1] / "data" / "real-life"


def read(name: str) -> Any:
    return json.loads((DATA / name).read_bytes())


# ---------------------------------------------------------------- nobody sees more


def policy_of(history: History) -> Policy:
    """The centres of a history at its beginning, the groups and all collections."""
    centres = {source.no: source for source in sources_of(history.settings)}
    groups = {GroupName(name): Group(GroupName(name), StixId(marking)) for name, marking in GROUP_MARKING.items()}
    collections = {
        no: Collection(no, CollectionName(name), str(no), Audience(level, GroupName(group)))
        for no, (name, (level, group)) in enumerate(AUDIENCES.items(), 1)
    }
    hub = StixId(f"identity--{uid('hub')}")
    return Policy(1, UUID(int=7), hub, START_US, centres, groups, collections)


def taken(said: Said, obj: StixObject | None, policy: Policy) -> Admitted:
    centre = next(centre for centre in policy.sources.values() if centre.name == said.centre)
    at = Arrival(centre, orjson.dumps(obj), None, Stamp(bytes(24)), START_US, "intake", 0, 0, 0, None)
    return next(iter(admitted([at], policy, Limits(), no_hold)))


def seen(claims: Iterable[Claim], policy: Policy, definitions: dict[tuple[int, StixId], StixObject]) -> set[Any]:
    """Which things are visible to which audiences."""

    def deciding(centre: int, ref: StixId) -> Decided:
        return decided_by(definitions.get((centre, ref)))

    return {
        (claim.thing or claim.id, no)
        for claim in claims
        for no, collection in policy.collections.items()
        if project(claim, collection.audience, policy, reach(claim, policy, deciding)) is not None
    }


@cache
def all_markings() -> list[str]:
    unknown = [f"marking-definition--{uid('statement', 0)}", f"marking-definition--{uid('nobody')}"]
    return [*TLP.values(), *GROUP_MARKING.values(), *unknown]


@few(300)
@given(history=histories(operators=False), seed=st.integers(0, 2**32))
def test_a_granular_marking_shows_nothing_to_anybody_who_did_not_see_it(history: History, seed: int) -> None:
    random = Random(seed)
    policy = policy_of(history)
    definitions = {
        (list(SOURCES).index(one.centre) + 1, StixId(one.stix_id)): one.obj
        for one in history.messages()
        if one.obj is not None and one.obj["type"] == "marking-definition"
    }
    for one in history.messages():
        if one.obj is None or one.obj["type"] == "marking-definition":
            continue
        bare = {name: value for name, value in one.obj.items() if name != "granular_markings"}
        granular = [
            {
                "marking_ref": random.choice(all_markings()),
                "selectors": random.choices(sorted(bare), k=random.choice([1, 2])),
            }
            for _ in range(random.randint(1, 3))
        ]
        more = seen(taken(one, bare | {"granular_markings": granular}, policy).claims, policy, definitions)
        assert more <= seen(taken(one, bare, policy).claims, policy, definitions), granular


def test_the_random_objects_have_granular_markings_that_hide_some_and_leave_others() -> None:
    """The properties over random histories would say nothing of granular markings if these were always refused."""
    hidden = left = 0
    for seed in range(60):
        history = a_history(seed, operators=False)
        policy = policy_of(history)
        for one in history.messages():
            if one.obj is None or "granular_markings" not in one.obj:
                continue
            bare = {name: value for name, value in one.obj.items() if name != "granular_markings"}
            with_it, without = (seen(taken(one, obj, policy).claims, policy, {}) for obj in (one.obj, bare))
            hidden += with_it < without
            left += bool(with_it)
    assert hidden > 5
    assert left > 5


# ---------------------------------------------------------------- what each collection shows


async def test_each_collection_shows_what_both_the_object_and_its_granular_markings_allow(tmp_path: Path) -> None:
    case = read("sem-granular-widens.json")
    story = await _with_health(tmp_path)
    ro = await story.centre("ro", ceiling=Level.RED)
    names = {f"<marking of group {name}>": marking for name, marking in GROUP_MARKING.items()}
    for _, obj in json.loads(_replaced(json.dumps(case["messages"]), names)):
        await story.batch((ro, obj))
    for name, expected in case["must_show"].items():
        assert sorted(obj["name"] for obj in (await story.shown(name, "indicator")).values()) == expected, name
    await story.close()


def _replaced(text: str, names: dict[str, str]) -> str:
    for name, marking in names.items():
        text = text.replace(name, marking)
    return text


async def _with_health(tmp_path: Path) -> Story:
    story = await Story.begin()
    await story.group("health")
    await story.collection("health", Level.AMBER_STRICT, "health")
    await story.collection("red", Level.RED, "health")
    return story


async def test_what_is_observed_is_hidden_with_the_whole(tmp_path: Path) -> None:
    story = await _with_health(tmp_path)
    ro = await story.centre("ro", default_level=Level.GREEN)
    observed = an_object(
        "observed-data", "o", tlp="green", first_observed=moment(-60), last_observed=moment(-50), number_observed=1,
        objects={"0": {"type": "ipv4-addr", "value": "198.51.100.7"}},
    )  # fmt: skip
    part = {"marking_ref": GROUP_MARKING["health"], "selectors": ["objects.0.value"]}
    await story.batch((ro, observed | {"granular_markings": [part]}))
    assert await story.shown("community", "ipv4-addr") == {}
    assert await story.shown("community", "observed-data") == {}
    address = await story.only("health", "ipv4-addr")
    assert address["object_marking_refs"] == [TLP["green"], GROUP_MARKING["health"]]
    await story.close()


@pytest.mark.parametrize("stricter", ["a", "b"])
async def test_an_observable_is_marked_as_strictly_as_the_stricter_of_two_equal_ones_of_a_centre(stricter: str) -> None:
    """A granular marking that takes observed-data whole marks what is observed, which has none of its own."""
    story = await Story.begin()
    ro = await story.centre("ro")
    observed: dict[str, Any] = {
        "tlp": "green", "first_observed": moment(-60), "last_observed": moment(-50), "number_observed": 1,
        "objects": {"0": {"type": "ipv4-addr", "value": "198.51.100.7"}},
    }  # fmt: skip
    part = {"marking_ref": TLP["amber"], "selectors": ["first_observed"]}
    for name in ("a", "b"):
        parts = [part] if name == stricter else None
        await story.batch((ro, an_object("observed-data", name, **observed, granular_markings=parts)))
    assert (await story.only("network", "ipv4-addr"))["object_marking_refs"] == [TLP["amber"]]
    assert (await story.only("community", "ipv4-addr"))["object_marking_refs"] == [TLP["green"]]
    await story.close()


async def test_a_view_carries_the_group_that_a_granular_marking_names(tmp_path: Path) -> None:
    story = await _with_health(tmp_path)
    ro = await story.centre("ro")
    part = {"marking_ref": GROUP_MARKING["health"], "selectors": ["name"]}
    await story.batch((ro, malware("m", granular_markings=[part])))
    assert (await story.only("health", "malware"))["object_marking_refs"] == [TLP["green"], GROUP_MARKING["health"]]
    await story.close()


# ---------------------------------------------------------------- levels that cannot be read


@pytest.mark.parametrize("number", [0, 1])
def test_a_label_that_states_no_level_is_held_whatever_the_ceiling(number: int) -> None:
    case = read("sem-unreadable-label.json")["cases"][number]
    level, default = (Level.AMBER_STRICT, Level.AMBER) if number == 0 else (Level.GREEN, Level.AMBER)
    history = a_history(0)
    policy = policy_of(history)
    ro = replace(policy.sources[1], ceiling=level, default_level=default)
    policy = replace(policy, sources={**policy.sources, 1: ro})
    found = taken(Said("ro", case["message"]["id"], None), case["message"], policy)
    assert found.problems == () or all(problem.state is not State.REJECTED for problem in found.problems)
    assert seen(found.claims, policy, {}) == set()


async def test_what_is_held_for_its_label_is_told_so_and_shown_nowhere(tmp_path: Path) -> None:
    story = await Story.begin()
    for number, case in enumerate(read("sem-unreadable-label.json")["cases"]):
        ceiling = Level.AMBER_STRICT if number == 0 else Level.GREEN
        centre = await story.centre(f"c{number}", ceiling=ceiling, default_level=Level.AMBER)
        await story.batch((centre, case["message"]))
        assert await story.counts(centre) == {"accepted": 0, "unchanged": 0, "held": 1, "rejected": 0}
    for name in ("public", "community", "network"):
        assert await story.shown(name) == {}
    await story.close()


def test_a_granular_marking_above_the_ceiling_is_told_even_where_the_label_cannot_be_read() -> None:
    policy = policy_of(a_history(0))
    ro = replace(policy.sources[1], ceiling=Level.GREEN)
    policy = replace(policy, sources={**policy.sources, 1: ro})
    part = {"marking_ref": TLP_IDS[Level.RED], "selectors": ["labels"]}
    said = an_indicator(tlp=None, labels=["tlp:mauve"], granular_markings=[part])
    assert [p.code for p in taken(Said("ro", said["id"], None), said, policy).problems] == [Code.MARKING_PART_HIDDEN]


# ---------------------------------------------------------------- what goes along, what leaves


@few(40)
@given(history=dense_histories())
async def test_what_goes_along_is_referred_to(history: History) -> None:
    """The converse of INV-12: markings, extension definitions and identities of the hub are there while used."""
    async with a_hub() as story:
        telling = Telling(story, history)
        await telling.begin()
        for number in range(len(history.events)):
            await telling.event(number)
        await story.sweep()
        policy = await story.policy()
        vouched = {policy.hub_identity, *policy.registered, *policy.aliases}
        for name in AUDIENCES:
            shown = await story.shown(name)
            used = {ref for obj in shown.values() for ref in _used_by(obj)}
            for stix_id, obj in shown.items():
                if obj["type"] in ("marking-definition", "extension-definition") or stix_id in vouched:
                    assert stix_id in used, (name, obj)


def _used_by(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from [name] if name.startswith("extension-definition--") else []
            if name != "id":
                yield from _used_by(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _used_by(inside)
    elif isinstance(value, str):
        yield value


async def test_a_merged_relationship_brings_no_author_that_it_does_not_name(tmp_path: Path) -> None:
    case = read("sem-relationship-brings-author.json")
    story = await Story.begin()
    centres = {name: await story.centre(name) for name in ("ro", "it")}
    text = json.dumps(case["messages"]).replace("<RO>", centres["ro"].identity)
    await story.batch(*((centres[name], obj) for name, obj in json.loads(text)))
    shown = await story.shown("community")
    relationship = next(obj for obj in shown.values() if obj["type"] == "relationship")
    assert relationship["created_by_ref"] == (await story.policy()).hub_identity
    assert centres["ro"].identity not in shown
    assert sorted(obj["type"] for obj in shown.values()) == [
        "extension-definition", "identity", "indicator", "malware", "marking-definition", "relationship",
    ]  # fmt: skip
    await story.close()


@pytest.mark.parametrize("revoked_before", [False, True])
async def test_an_owners_relationship_of_an_anonymous_centre_leaves_like_its_malware(
    tmp_path: Path, revoked_before: bool
) -> None:
    case = read("sem-anonymous-relationship-leaves.json")
    story = await Story.begin(tmp_path)
    centres = {"it": await story.centre("it"), "pl": await story.centre("pl", naming=Naming.ANONYMOUS)}
    await story.batch(*((centres[name], obj) for name, obj in case["batch 1"]))
    if revoked_before:
        name, obj = case["batch 1"][-1]
        await story.batch((centres[name], obj | {"revoked": True, "modified": moment(0)}))
    before = len(await story.log("community"))
    await story.batch(*((centres[name], stix_id) for name, stix_id in case["batch 2, withdrawals"]))
    rows = (await story.log("community"))[before:]
    assert sorted((row.type, row.withdrawn, row.body) for row in rows if row.type in ("malware", "relationship")) == [
        ("malware", True, b""),
        ("relationship", True, b""),
    ]
    assert sorted(obj["name"] for obj in (await story.shown("community", "malware")).values()) == ["m1", "m2"]
    listed = await story.log("community", versions=("last",))
    assert [row for row in listed if row.type == "relationship"] == []
    await story.close()
