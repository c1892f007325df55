"""INV-5: what an audience may not see leaves no trace in what it sees, byte for byte.

Two hubs are told the same at the same times; of what the second is told, everything is missing that the audience of one
collection never saw. That collection must be the same on both.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.promises.histories import Batch, History, a_history
from tests.promises.scenes import a_dense_history, dense_histories
from tests.promises.telling import COLLECTIONS, Telling, a_hub
from tests.promises.test_histories import few
from tests.promises.watching import as_seen_by
from tests.story import Story, bytes_of


class Retelling(Telling):
    """The history with only these messages left, each with the place in the log and the hub's ids that it had."""

    def __init__(self, story: Story, telling: Telling, collection: str) -> None:
        super().__init__(story, telling.history)
        self.kept = as_seen_by(collection, telling.history)
        self.hub_ids = dict(telling.hub_ids)

    async def event(self, number: int) -> None:
        """One event, as far as it is left."""
        event = self.history.events[number]
        if not isinstance(event, Batch):
            await super().event(number)
            return
        self.tick(number)
        await self.carry(number, self.kept[number])


async def both(history: History, collection: str, *, at_once: bool = False) -> tuple[list[object], list[object]]:
    """The rows of a collection on a hub that was told everything, and on one that was told what its audience saw."""
    async with a_hub() as full, a_hub() as less:
        telling = Telling(full, history)
        telling.at_once = at_once
        await telling.tell()
        retelling = Retelling(less, telling, collection)
        retelling.at_once = at_once
        await retelling.tell()
        return [
            [(row, change.first, change.before) for row, change in zip(bytes_of(rows), rows, strict=True)]
            for rows in (await full.log(collection), await less.log(collection))
        ]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("seed", "collection"), [(1600, "public"), (3202, "network"), (4881, "public"), (351, "red"), (1647901101, "red")]
)
async def test_histories_in_which_it_has_changed_some_change_none_any_more(seed: int, collection: str) -> None:
    """By what another source sent under the same id, and by a granular marking with a group of the whole."""
    full, less = await both(a_history(seed, repeats=False), collection)
    assert full == less


@pytest.mark.parametrize(
    ("seed", "dates", "collection"),
    [
        pytest.param(4289, False, "red", id="turns between the steps of an operator's change"),
        pytest.param(200114, False, "network", id="feedback on an id that another claim gives to the thing"),
        pytest.param(100278, True, "public", id="ends of a relationship that mean something else to others"),
        pytest.param(200048, False, "network", id="a revocation above the ceiling shows the content that stood"),
    ],
)
async def test_nor_do_dense_ones(seed: int, dates: bool, collection: str) -> None:
    """What others see may decide neither what a step computes nor between which steps it falls."""
    full, less = await both(a_dense_history(seed, dates=dates), collection, at_once=dates)
    assert full == less


@few(60)
@given(history=dense_histories(), collection=st.sampled_from(COLLECTIONS))
async def test_what_an_audience_may_not_see_changes_no_byte_of_what_it_sees(history: History, collection: str) -> None:
    full, less = await both(history, collection)
    assert full == less


@few(25)
@given(history=dense_histories(dates=True), collection=st.sampled_from(COLLECTIONS))
async def test_nor_does_it_when_days_pass(history: History, collection: str) -> None:
    """Between which batches the steps of a date fall is timing, which INV-5 leaves out: here they follow at once."""
    full, less = await both(history, collection, at_once=True)
    assert full == less
