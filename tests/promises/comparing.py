"""What a hub stores, beside what the oracle says that it must show."""

from __future__ import annotations

from typing import Any

from tests.oracle.whole import Whole
from tests.oracle.words import object_key
from tests.promises.telling import Telling, content


async def what_differs_from_the_oracle(telling: Telling) -> dict[tuple[str, str], tuple[Any, Any]]:
    """By collection and key what the hub shows and what it must show, where these differ."""
    found, expected = await content(telling.story), (await oracle(telling)).content()
    both = {at: (found.get(at), expected.get(at)) for at in found.keys() | expected.keys()}
    return {at: (shown, must) for at, (shown, must) in both.items() if shown != must}


async def oracle(telling: Telling) -> Whole:
    """The oracle, which has heard the same history."""
    policy = await telling.story.policy()
    aliases = {str(source.name): str(policy.alias_identity(source)) for source in policy.sources.values()}
    stored = await telling.story.stored()
    made = {str(past[0]): past[2].hex() for past in stored.past_ids}
    made |= {str(view.object_id): view.thing.hex() for view in stored.views}
    meant = {at: (ref, made.get(ref, object_key(ref))) for at, ref in telling.hub_ids.items()}
    whole = Whole(policy.hub_identity, aliases)
    whole.follow(telling.history, meant)
    return whole
