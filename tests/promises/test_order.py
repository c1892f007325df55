"""The result does not depend on order, batching or repetition; leaving leaves nothing behind; each speaks for itself.

INV-1 to INV-4, INV-6, INV-7, INV-14 and INV-17 of docs/semantics.md, section 8.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hub.store.transaction import Stale
from tests.promises.histories import SOURCES, VALUES, Batch, Changed, History, Said, without
from tests.promises.scenes import dense_histories
from tests.promises.telling import COLLECTIONS, Telling, a_hub, told, what_differs
from tests.promises.test_histories import few
from tests.story import Story, an_indicator, said_of, uid

SEEDS = st.integers(0, 2**32)


def shuffled(history: History, seed: int) -> History:
    """The same messages in another order and other batches: of each (centre, id) they keep theirs."""
    random = Random(seed)
    queues: dict[tuple[str, str], list[Said]] = {}
    for one in history.messages():
        queues.setdefault((one.centre, one.stix_id), []).append(one)
    order: list[Said] = []
    while queues:
        at = random.choice(sorted(queues))
        order.append(queues[at].pop(0))
        if not queues[at]:
            del queues[at]
    return replace(history, events=tuple(divided(order, random)))


def divided(order: list[Said], random: Random) -> list[Batch]:
    """These messages in batches of any size."""
    batches = []
    while order:
        size = random.randint(1, 12)
        batches.append(Batch(tuple(replace(one, place=None) for one in order[:size])))
        order = order[size:]
    return batches


@few(20)
@given(history=dense_histories(contested=False, operators=False), seed=SEEDS)
async def test_any_order_ends_in_the_same_content(history: History, seed: int) -> None:
    async with told(history) as one, told(shuffled(history, seed)) as other:
        assert await what_differs(one, other) == {}


@few(20)
@given(history=dense_histories(operators=False), seed=SEEDS)
async def test_any_division_into_batches_ends_in_the_same_content(history: History, seed: int) -> None:
    history = without_hub_ids(history)
    batches = divided(list(history.messages()), Random(seed))
    async with told(history) as one, told(replace(history, events=tuple(batches))) as other:
        assert await what_differs(one, other) == {}


def without_hub_ids(history: History) -> History:
    """Nobody refers to an id that the hub made: which one there is depends on when it is asked."""
    return replace(
        history,
        events=tuple(
            Batch(tuple(replace(one, by_hub_id=None) for one in event.said)) if isinstance(event, Batch) else event
            for event in history.events
        ),
    )


@few(15)
@given(history=dense_histories())
async def test_what_is_stored_and_comes_again_changes_no_row(history: History) -> None:
    """INV-2, for the batch itself, and for the last version of each object as its centre sends it again."""
    async with a_hub() as story:
        telling = Telling(story, history)
        await telling.tell()
        before = await story.stored()
        if telling.last is not None:
            with pytest.raises(Stale):
                await story.worker.process(telling.last)
        assert await story.stored() == before
        newest: dict[tuple[str, str], Said] = {}
        for event in history.events:
            if isinstance(event, Batch):
                newest |= {(one.centre, one.stix_id): one for one in event.said if one.by_hub_id is None}
            elif isinstance(event, Changed):  # under other terms the same object may be judged otherwise
                newest = {at: one for at, one in newest.items() if at[0] != event.centre}
        by_hub_id = {(one.centre, one.stix_id) for one in history.messages() if one.by_hub_id is not None}
        again = [
            replace(one, place=None)
            for at, one in newest.items()
            if at not in by_hub_id and await _stands(telling, one)
        ]
        await telling.carry(1000, again)
        await story.sweep()
        assert replace(await story.stored(), receipts=[]) == replace(before, receipts=[])


async def _stands(telling: Telling, one: Said) -> bool:
    """Whether what is said is what its centre claims now; anything else is not a replay but another word."""
    no = telling.centres[one.centre].no
    claims = (await telling.story.stored()).claims
    claim = next((claim for claim in claims if claim.id == one.stix_id and claim.source == no), None)
    if one.obj is None or claim is None or not claim.body:
        return False
    kept = claim.obj
    return (
        "modified" in kept and kept["modified"] == one.obj["modified"] and kept.get("labels") == one.obj.get("labels")
    )


@few(15)
@given(history=dense_histories(operators=False), leaves=st.sampled_from(SOURCES))
async def test_a_centre_that_withdraws_everything_was_never_there(history: History, leaves: str) -> None:
    history = without_hub_ids(history)
    ids = dict.fromkeys(one.stix_id for one in history.messages() if one.centre == leaves)
    farewell = Batch(tuple(Said(leaves, stix_id, None) for stix_id in ids))
    async with (
        told(replace(history, events=(*history.events, farewell))) as there,
        told(without(history, leaves)) as never,
    ):
        assert await what_differs(there, never) == {}


@few(15)
@given(history=dense_histories(), silent=st.sampled_from(SOURCES))
async def test_what_a_centre_is_told_and_claims_depends_on_itself_alone(history: History, silent: str) -> None:
    """INV-6 and INV-14: the claims, receipts, rejections and counts of the others, whatever one of them sends."""
    history = without_hub_ids(history)
    async with told(history, receipts=True) as everybody, told(without(history, silent), receipts=True) as fewer:
        for name in set(SOURCES) - {silent}:
            assert await _of_its_own(everybody, name) == await _of_its_own(fewer, name)


async def _of_its_own(telling: Telling, name: str) -> list[Any]:
    story, centre = telling.story, telling.centres[name]
    stored = await story.stored()
    claims = [claim for claim in stored.claims if claim.source == centre.no]
    receipts = [part for part in stored.receipts if part[1] == centre.no]
    return [claims, receipts, await story.rejections(centre), await story.counts(centre)]


@few(15)
@given(history=dense_histories())
async def test_every_object_has_one_end(history: History) -> None:
    """INV-1: received = accepted + unchanged + held + rejected, for each centre and each receipt."""
    async with told(history, receipts=True) as telling:
        for name in SOURCES:
            received = sum(one.centre == name for one in history.messages())
            assert sum((await telling.story.counts(telling.centres[name])).values()) == received
        parts = (await telling.story.stored()).receipts
        assert sum(sum(astuple(counts)) for _, _, counts, _ in parts) == sum(1 for _ in history.messages())


# ---------------------------------------------------------------- corroboration


@few(15)
@given(history=dense_histories(operators=False), seed=SEEDS)
async def test_a_further_claim_never_lowers_confidence(history: History, seed: int) -> None:
    """INV-17, by claims under new ids, so that nothing that was said is replaced."""
    async with told(history) as telling:
        story = telling.story
        before = await _confidences(story)
        more = [one for one in history.messages() if one.obj is not None and one.obj["type"] == "indicator"]
        random = Random(seed)
        further = [
            replace(
                one, stix_id=f"{one.stix_id[:-4]}{i:04x}", obj={**(one.obj or {}), "id": f"{one.stix_id[:-4]}{i:04x}"}
            )
            for i, one in enumerate(random.sample(more, min(3, len(more))))
            if not (one.obj or {}).get("revoked")
        ]
        await telling.carry(1000, further)
        after = await _confidences(story)
        for at, (was, _) in before.items():
            if was is not None and at in after:
                assert (after[at][0] or 0) >= was, at


@few(15)
@given(history=dense_histories(operators=False), centre=st.sampled_from(SOURCES))
async def test_authors_that_nobody_else_relays_add_one_voice_at_most(history: History, centre: str) -> None:
    async with told(history) as telling:
        before = await _confidences(telling.story)
        invented = [
            Said(centre, obj["id"], obj)
            for i, value in enumerate(VALUES * 4)
            if (obj := an_indicator(value, f"invented {i}", tlp=None, created_by_ref=f"identity--{uid('invented', i)}"))
        ]
        await telling.carry(1000, invented)
        for at, (_, voices) in (await _confidences(telling.story)).items():
            assert voices <= before.get(at, (None, 0))[1] + 1, at


async def _confidences(story: Story) -> dict[tuple[str, str], tuple[int | None, int]]:
    """By collection and pattern the confidence and the number of voices of each indicator shown."""
    return {
        (name, obj["pattern"]): (obj.get("confidence"), said_of(obj)["voices"])
        for name in COLLECTIONS
        if name != "sure"
        for obj in (await story.shown(name, "indicator")).values()
    }
