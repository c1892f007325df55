"""What a hub stores, beside what the oracle says that it must show."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from tests.oracle.whole import Whole
from tests.oracle.words import object_key
from tests.promises.telling import Telling, content


async def what_differs_from_the_oracle(telling: Telling) -> dict[tuple[str, str], tuple[Any, Any]]:
    """By collection and key what the hub shows and what it must show, where these differ."""
    found, expected = await content(telling.story), (await oracle(telling)).content()
    for obj in (*found.values(), *expected.values()):  # those of unnamed sources are in the order of the hub's own ids
        if "object_marking_refs" in obj:
            obj["object_marking_refs"] = sorted(obj["object_marking_refs"])
    both = {at: (found.get(at), expected.get(at)) for at in found.keys() | expected.keys()}
    return {at: (shown, must) for at, (shown, must) in both.items() if shown != must}


async def oracle(telling: Telling) -> Whole:
    """The oracle, which has heard the same history."""
    whole = await new_oracle(telling)
    whole.follow(telling.history, await meant(telling))
    return whole


async def new_oracle(telling: Telling) -> Whole:
    """An oracle that has heard nothing yet."""
    policy = await telling.story.policy()
    aliases = {str(source.name): str(policy.alias_identity(source)) for source in policy.sources.values()}
    return Whole(policy.hub_identity, aliases)


async def meant(telling: Telling) -> dict[tuple[int, int], tuple[str, str]]:
    """By event and place the id made by the hub that a message refers to, and its thing."""
    stored = await telling.story.stored()
    made = {str(past[0]): past[2].hex() for past in stored.past_ids}
    made |= {str(view.object_id): view.thing.hex() for view in stored.views}
    return {at: (ref, made.get(ref, object_key(ref))) for at, ref in telling.hub_ids.items()}


async def receipts_that_differ(telling: Telling) -> list[Any]:
    """What messages were told that they must not be, and the other way round: source, event, place, state and codes.
    Without such differences also the counts of states in which receipts differ.
    """
    endings = (await oracle(telling)).endings
    told: dict[tuple[str, int, int], tuple[str, set[str]]] = {}
    counts: Counter[tuple[str, int, str]] = Counter()
    for name, _, number_of, problems in (await telling.story.stored()).receipts:
        source, _, number = name.rpartition("-")
        counts += Counter({(source, int(number), state): count for state, count in asdict(number_of).items()})
        for one in json.loads(problems):
            told.setdefault((source, int(number), one["index"]), (one["state"], set()))[1].add(one["code"])
    must: dict[tuple[str, int, int], tuple[str, set[str]]] = {
        at: (one.state, set(one.codes)) for at, one in endings.items() if one.codes
    }
    for _, codes in (*told.values(), *must.values()):
        if "revocation.lenient" in codes:  # nothing is promised of warnings beside it
            codes &= {"revocation.lenient"}
    differing = [(at, told.get(at), must.get(at)) for at in told.keys() | must.keys() if told.get(at) != must.get(at)]
    ended: Counter[tuple[str, int, str]] = Counter(
        (source, number, one.state) for (source, number, _), one in endings.items()
    )
    return differing or [*(counts - ended).items(), *(ended - counts).items()]
