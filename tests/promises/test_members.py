"""What members say: counted, shown beside, and never more (docs/semantics.md, section 10; INV-19)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given

from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import MEMBERS_CLAIM, Source, SourceKind
from hub.model.words import Naming
from tests.promises.histories import MEMBERS, Batch, History, a_history
from tests.promises.scenes import dense_histories
from tests.promises.telling import Telling, a_hub, content
from tests.promises.test_histories import few
from tests.story import Story, an_indicator, an_object, malware, moment, said_of

GOES_ALONG = {"identity", "marking-definition", "extension-definition"}


# ---------------------------------------------------------------- nothing is altered


class WithoutMembers(Telling):
    """The history without the members' messages, with the hub's ids that the others referred to."""

    async def event(self, number: int) -> None:
        """One event."""
        event = self.history.events[number]
        if isinstance(event, Batch):
            self.tick(number)
            await self.carry(number, [one for one in event.said if one.centre not in MEMBERS])
        else:
            await super().event(number)


COUNTS = {"sightings", "false_positives"}


def _beside_counts(obj: Any) -> Any:
    """An object without the two counts; its extensions go by what their ids stand for."""
    extensions = obj.get("extensions", {})
    rest = {name: {key: value for key, value in one.items() if key not in COUNTS} for name, one in extensions.items()}
    return {**obj, **({"extensions": rest} if rest else {})}


async def both(history: History) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """What every collection shows, with the members' messages and without, the two counts aside."""
    async with a_hub() as full, a_hub() as less:
        telling = Telling(full, history)
        await telling.tell()
        without = WithoutMembers(less, history)
        without.hub_ids = dict(telling.hub_ids)
        await without.tell()
        found, expected = await content(full), await content(less)
    return {at: _beside_counts(obj) for at, obj in found.items()}, {
        at: _beside_counts(obj) for at, obj in expected.items()
    }


@few(40)
@given(history=dense_histories())
async def test_without_the_members_all_content_is_the_same_but_for_two_counts(history: History) -> None:
    """INV-19. What members claim under ids of their own, and what goes along with it, is there in addition."""
    found, expected = await both(history)
    assert {at: found.get(at) for at in expected} == expected
    assert {obj["type"] for at, obj in found.items() if at not in expected} <= MEMBERS_CLAIM | GOES_ALONG


async def test_the_members_of_the_histories_are_counted_and_shown() -> None:
    """The property would say nothing if they were always refused."""
    counts, objects = 0, 0
    for seed in range(30):
        async with a_hub() as story:
            await Telling(story, a_history(seed)).tell()
            for obj in (await content(story)).values():
                counts += any(COUNTS & one.keys() for one in obj.get("extensions", {}).values())
                objects += "of a member" in json.dumps(obj)
    assert counts > 10
    assert objects > 0


# ---------------------------------------------------------------- what is counted


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


async def a_member(story: Story, name: str) -> Source:
    """A member, accredited by a centre that says nothing."""
    policy = await story.policy()
    by = next((one for one in policy.sources.values() if one.name == "de"), None) or await story.centre("de")
    return await story.member(name, by)


def an_opinion(name: str, of: str, opinion: str = "strongly-disagree", **more: Any) -> dict[str, Any]:
    return an_object("opinion", name, object_refs=[of], opinion=opinion, **more)


FALSE: dict[str, Any] = {"labels": ["false-positive"]}


async def counts(story: Story, collection: str = "community") -> tuple[int, int]:
    said = said_of(await story.only(collection))
    return said.get("sightings", 0), said.get("false_positives", 0)


async def test_each_source_counts_once_and_its_newest_verdict(story: Story) -> None:
    ro = await story.centre("ro")
    lab, shop = await a_member(story, "lab"), await a_member(story, "shop")
    seen = an_indicator("198.51.100.7", "a")
    await story.batch((ro, seen))
    await story.batch(
        (lab, an_object("sighting", "s1", tlp="green", sighting_of_ref=seen["id"])),
        (lab, an_object("sighting", "s2", tlp="green", sighting_of_ref=seen["id"])),
        (lab, an_opinion("o1", seen["id"], **FALSE)),
        (lab, an_opinion("o2", seen["id"], **FALSE)),
        (shop, an_opinion("o3", seen["id"], **FALSE)),
    )
    assert await counts(story) == (1, 2)
    await story.batch((shop, an_opinion("o4", seen["id"], "strongly-agree", modified=moment(9))))
    assert await counts(story) == (1, 1)
    await story.batch((shop, an_opinion("o4", seen["id"])["id"]))  # withdrawn: the verdict before it counts again
    assert await counts(story) == (1, 2)
    await story.batch((lab, an_opinion("o5", seen["id"], modified=moment(9))))  # a disagreement, but no verdict
    assert await counts(story) == (1, 2)


async def test_feedback_marked_more_strictly_than_the_view_is_not_counted(story: Story) -> None:
    ro, lab = await story.centre("ro"), await a_member(story, "lab")
    seen = an_indicator("198.51.100.7", "a", tlp="green")
    await story.batch((ro, seen), (lab, an_opinion("o", seen["id"], tlp=None, **FALSE)))  # amber by default
    assert await counts(story, "network") == (0, 0)
    await story.batch((ro, an_indicator("198.51.100.7", "b", tlp="amber")))
    assert await counts(story, "network") == (0, 1)
    assert await counts(story) == (0, 0)


async def test_steps_hide_the_exact_number(story: Story) -> None:
    ro = await story.centre("ro")
    seen = an_indicator("198.51.100.7", "a")
    await story.batch((ro, seen))
    for number in range(4):
        member = await a_member(story, f"m{number}")
        await story.batch((member, an_opinion(f"o{number}", seen["id"], **FALSE)))
    assert await counts(story) == (0, 2)


# ---------------------------------------------------------------- by value


def about(pattern: str) -> dict[str, Any]:
    return {"extensions": {VIEW_EXTENSION: {"extension_type": "property-extension", "about": pattern}}}


async def test_feedback_by_value_waits_for_the_thing_and_means_it_in_every_collection(story: Story) -> None:
    ro, lab = await story.centre("ro"), await a_member(story, "lab")
    nowhere = f"indicator--{an_indicator('203.0.113.1', 'x')['id'].partition('--')[2]}"
    spelled = about("[ipv4-addr:value IN ('198.51.100.7')]")
    await story.batch(
        (lab, an_object("sighting", "s", tlp="green", sighting_of_ref=nowhere, **spelled)),
        (lab, an_opinion("o", nowhere, **FALSE, **spelled)),
    )
    assert await story.shown("community") == {}
    assert await story.counts(lab) == {"accepted": 2, "unchanged": 0, "held": 0, "rejected": 0}
    await story.batch((ro, an_indicator("198.51.100.7", "a")))
    assert await counts(story) == (1, 1)
    for collection in ("community", "network"):
        indicator = await story.only(collection)
        assert (await story.only(collection, "sighting"))["sighting_of_ref"] == indicator["id"]
        assert (await story.only(collection, "opinion"))["object_refs"] == [indicator["id"]]
        assert "extensions" not in await story.only(collection, "sighting")
    await story.batch((ro, an_indicator("198.51.100.7", "a")["id"]))
    assert await story.shown("community") == {}


async def test_a_value_that_cannot_be_read_is_told(story: Story) -> None:
    lab = await a_member(story, "lab")
    for said in ("[ipv4-addr:value = ]", 7):
        await story.batch((lab, an_opinion("o", malware()["id"], **about(said))))  # type: ignore[arg-type]
    found = [(one["code"], one["pointer"]) for one in await story.rejections(lab)]
    at = f"/extensions/{VIEW_EXTENSION}/about"
    assert found == [("pattern.syntax", at), ("stix.property-type", at)]


# ---------------------------------------------------------------- centres come first


async def test_a_member_takes_no_id_from_a_centre(story: Story) -> None:
    lab, ro = await a_member(story, "lab"), await story.centre("ro", trust=0)
    ours = an_object("note", "n", content="of ro", object_refs=[malware()["id"]])
    await story.batch((ro, malware()), (lab, ours | {"content": "of lab", "modified": moment(9)}))
    assert (await story.only("community", "note"))["content"] == "of lab"
    await story.batch((ro, ours))
    assert (await story.only("community", "note"))["content"] == "of ro"
    await story.batch((ro, ours | {"revoked": True, "modified": moment(5)}))
    assert (await story.only("community", "note"))["revoked"] is True


async def test_a_centres_object_refers_to_nothing_that_only_a_member_claims(story: Story) -> None:
    lab, ro = await a_member(story, "lab"), await story.centre("ro")
    note = an_object("note", "n", content="of lab", object_refs=[malware()["id"]])
    report = an_object("report", "r", name="r", published=moment(0), object_refs=[note["id"]])
    of_lab = an_object("note", "m", content="of lab", object_refs=[note["id"]])
    await story.batch((ro, malware()), (lab, note), (ro, report), (lab, of_lab))
    assert await story.shown("community", "report") == {}
    assert len(await story.shown("community", "note")) == 2
    await story.batch((ro, note | {"content": "of ro"}))
    assert (await story.only("community", "report"))["object_refs"] == [note["id"]]
    await story.batch((ro, note["id"]))
    assert await story.shown("community", "report") == {}


@pytest.mark.parametrize("kind", ["indicator", "malware", "identity", "marking-definition", "relationship"])
async def test_a_member_claims_nothing_else(story: Story, kind: str) -> None:
    lab = await a_member(story, "lab")
    obj = {"indicator": an_indicator(), "malware": malware()}.get(kind) or an_object(
        kind, "x", name="x", relationship_type="uses", source_ref=malware("a")["id"], target_ref=malware("b")["id"],
        definition_type="statement", definition={"statement": "Ask"},
    )  # fmt: skip
    await story.batch((lab, obj))
    assert [one["code"] for one in await story.rejections(lab)] == ["type.not-yours"]
    assert await story.shown("network") == {}


async def test_an_anonymous_member_cannot_be_told_from_an_anonymous_centre() -> None:
    logs = []
    for kind in SourceKind:
        story = await Story.begin()
        ro = await story.centre("ro")
        member = kind is SourceKind.MEMBER
        source = await (a_member(story, "lab") if member else story.centre("lab", naming=Naming.ANONYMOUS))
        said: dict[str, Any] = {"content": "N", "object_refs": [malware()["id"]], "created_by_ref": source.identity}
        await story.batch((ro, malware()), (source, an_object("note", "n", tlp="green", **said)))
        rows = [row.body for row in await story.log("community")]
        assert not any(source.identity.encode() in body or b'"lab"' in body or b"member" in body for body in rows)
        logs.append(rows)
        await story.close()
    assert logs[0] == logs[1]
    assert len(logs[0]) > 2
