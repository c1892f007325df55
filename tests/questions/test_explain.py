"""``explain`` without a door: what it says of a hub is what the hub shows, and no more than one may see."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from hub.model.errors import NotFound, Refused
from hub.model.extensions import VIEW_EXTENSION
from hub.model.feedback import Verdict
from hub.model.policy import Collection, Source
from hub.model.principals import Principal, PrincipalKind
from hub.model.words import Naming
from hub.questions.explain import explain
from hub.questions.explained import KnownThing, KnownView
from tests.story import TLP, Story, an_indicator, an_object, malware, moment, said_of, uid

OPERATOR = Principal(99, "ops", PrincipalKind.OPERATOR)
STRANGER = Principal(98, "soc", PrincipalKind.MEMBER)


@pytest_asyncio.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin(tmp_path)
    yield found
    await found.close()


async def collections_of(story: Story, *names: str) -> list[Collection]:
    policy = await story.store.policy()
    return [one for one in policy.collections.values() if not names or one.name in names]


async def ask(story: Story, asked: str, *names: str, who: Principal = OPERATOR) -> list[KnownThing]:
    return list((await explain(story.store, who, await collections_of(story, *names), asked)).things)


async def test_the_answer_is_a_value_that_nobody_can_change(story: Story) -> None:
    await story.batch((await story.centre("ro"), an_indicator()))
    (thing,) = await ask(story, "198.51.100.7", "community")
    assert thing == (await ask(story, "198.51.100.7", "community"))[0]
    assert (type(thing.views), type(thing.views[0].claims)) == (tuple, tuple)
    for value, field in ((thing, "text"), (thing.views[0], "state"), (thing.views[0].claims[0], "source")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, "another")


async def test_only_the_collections_that_one_may_ask_of_are_told_of(story: Story) -> None:
    await story.batch((await story.centre("ro"), an_indicator(tlp="clear")))
    (thing,) = await ask(story, "198.51.100.7", "public", "network")
    assert [one.collection.name for one in thing.views] == ["public", "network"]
    with pytest.raises(NotFound):
        await explain(story.store, OPERATOR, [], "198.51.100.7")


@pytest.mark.parametrize("asked", ["", " ", "x" * 70_001], ids=["nothing", "a blank", "too much"])
async def test_what_cannot_be_asked_is_refused(story: Story, asked: str) -> None:
    with pytest.raises(Refused) as refused:
        await ask(story, asked)
    assert refused.value.code == "explain.asked"


async def test_a_relationship_is_found_by_the_id_of_a_claim_that_stands_for_it(story: Story) -> None:
    indicator, target = an_indicator(), malware()
    related = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=indicator["id"], target_ref=target["id"]
    )
    ro = await story.centre("ro")
    await story.batch((ro, target), (ro, indicator), (ro, related))
    (thing,) = await ask(story, related["id"], "community")
    assert (thing.type, [claim.id for claim in thing.views[0].claims]) == ("relationship", [related["id"]])
    with pytest.raises(NotFound):  # its id is the centre's own
        await ask(story, related["id"], "community", who=STRANGER)
    assert thing.views[0].id is not None
    (again,) = await ask(story, thing.views[0].id, "community", who=STRANGER)
    assert [claim.id for claim in again.views[0].claims] == [None]


async def test_the_centre_that_claims_a_thing_sees_the_feedback_on_it_as_far_as_it_may(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    pl = await story.centre("pl", naming=Naming.ANONYMOUS)
    indicator = an_indicator()
    about = {"extension_type": "property-extension", "about": "[ipv4-addr:value = '198.51.100.7']"}
    await story.batch(
        (ro, indicator),
        (pl, an_object("opinion", "o", tlp="amber", object_refs=[indicator["id"]], opinion="strongly-disagree",
                       labels=["false-positive"], explanation="Our printer.", modified=moment(5))),
        (it, an_object("sighting", "s", sighting_of_ref=malware()["id"], count=3, last_seen=moment(-60),
                       extensions={VIEW_EXTENSION: about}, modified=moment(4))),
        (it, an_object("opinion", "p", object_refs=[indicator["id"]], opinion="agree")),  # no verdict
    )  # fmt: skip
    (thing,) = await ask(story, "198.51.100.7", "community", "network", who=as_principal(ro))
    community, network = thing.views
    assert [(one.source, one.verdict, one.count) for one in community.feedback] == [("it", None, 3)]
    assert [(one.source, one.verdict, one.text) for one in network.feedback] == [
        ("anonymous", Verdict.FALSE_POSITIVE, "Our printer."),
        ("it", None, None),
    ]
    assert network.feedback[0].modified == moment(5)[:10]
    of_operator = (await ask(story, "198.51.100.7", "network"))[0].views[0].feedback
    assert [one.source for one in of_operator] == ["pl", "it"]
    for other in (STRANGER, as_principal(it)):  # who does not claim the thing
        assert (await ask(story, "198.51.100.7", "network", who=other))[0].views[0].feedback == ()


def as_principal(source: Source) -> Principal:
    return Principal(source.no, source.name, PrincipalKind.CENTRE, identity=source.identity)


def computed(formula: str) -> int:
    """What a formula of ``how`` comes to, rounded down as a confidence is."""
    assert re.fullmatch(r"[0-9 .*/^()-]+", formula), formula
    exact = re.sub(r"[0-9.]+", lambda number: f"Fraction('{number[0]}')", formula.replace("^", "**"))
    value: Fraction = eval(exact, {"Fraction": Fraction})  # nothing but numbers and signs
    return math.floor(value)


def what_many_say(rng: Random, centres: Sequence[Source], definition: str) -> list[tuple[Source, dict[str, Any]]]:
    """Indicators of three values in any mixture of markings and confidences; some carry their centre's definition."""
    said = []
    for number in range(60):
        confidence = rng.choice([None, rng.randrange(101)])
        revoked = True if rng.random() < 0.1 else None
        said_by = an_indicator(
            f"198.51.100.{rng.randrange(3)}", f"{number}", tlp=rng.choice([*TLP, None]), confidence=confidence,
            revoked=revoked, created_by_ref=rng.choice([None, f"identity--{uid('somebody', str(rng.randrange(2)))}"]),
        )  # fmt: skip
        if rng.random() < 0.3:
            said_by["object_marking_refs"] = [*said_by.get("object_marking_refs", ()), definition]
        said.append((rng.choice(centres), said_by))
    return said


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_said_to_stand_behind_a_view_is_what_was_merged_into_it(story: Story, seed: int) -> None:
    """Each indicator of each collection: the same centres, as many voices, the confidence that follows from them."""
    rng = Random(seed)
    centres = [
        await story.centre(name, trust=rng.choice([100, 75, 33]), naming=naming, alias="south")
        for name, naming in zip("abcde", [*Naming, Naming.NAMED, Naming.NAMED], strict=True)
    ]
    definition = an_object(
        "marking-definition", "d", modified=None, definition_type="statement", definition={"statement": "ours"}
    )
    await story.batch(*((centre, definition) for centre in centres[:3]))  # without theirs, the others show nothing
    await story.batch(*what_many_say(rng, centres, definition["id"]))
    merged = 0
    for collection in await collections_of(story):
        for object_id, shown in (await story.shown(collection.name, "indicator")).items():
            (thing,) = await ask(story, object_id, collection.name, who=STRANGER)
            view, said = thing.views[0], said_of(shown)
            live = {claim.source for claim in view.claims if claim.state == "live"}
            assert (view.id, view.state, thing.text) == (object_id, "live", shown["pattern"])
            assert (view.voices, live) == (said["voices"], {source["name"] for source in said["sources"]})
            agrees_on_confidence(view, shown.get("confidence"))
            merged += view.voices > 1
    assert merged >= 3, "nothing was merged in this history"


def agrees_on_confidence(view: KnownView, shown: int | None) -> None:
    assert view.confidence == shown
    assert (computed(view.how) if view.how else None) == shown
