"""The same histories on real stores: every byte that is left there is the one that is left in memory.

Hundreds of histories run in memory (``tests/memory.py``); these show that the loaders and writers of both real stores
give a step the same answers and keep the same of what it writes.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.examples import few
from tests.on_postgres import story_on_postgres
from tests.promises.comparing import receipts_that_differ, what_differs_from_the_oracle
from tests.promises.histories import a_history
from tests.promises.scenes import a_dense_history
from tests.promises.telling import Telling, a_hub, content, what_differs_from_recomputed
from tests.promises.test_breaker import Guarded
from tests.promises.test_breaker import tell as tell_guarded
from tests.story import Stored, Story


def few_seeds(number: int) -> settings:
    """Settings of a property of histories by their seeds, each of them in a folder of its own."""
    return few(
        number, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip


DENSE = (1, 5)


@pytest.fixture(params=["sqlite", "postgres"])
def real_store(request: pytest.FixtureRequest) -> None:
    """Lets stories that have a path take place on this store."""
    if request.param == "postgres":
        request.getfixturevalue(story_on_postgres.__name__)


@few_seeds(5)
@given(seed=st.integers(0, 2**32))
@example(seed=61)
async def test_a_history_ends_in_the_same_bytes_on_a_real_store_as_in_memory(
    real_store: None, tmp_path: Path, seed: int
) -> None:
    """In history 61 an id comes back that another had followed, after its last object was withdrawn."""
    async with a_hub() as in_memory, a_hub(path=Path(mkdtemp(dir=tmp_path))) as story:
        expected, found = await _told(in_memory, seed), await _told(story, seed)
        for field in fields(Stored):
            assert getattr(found, field.name) == getattr(expected, field.name), field.name
        for name, counts in (await _counts(story)).items():
            assert counts == (await _counts(in_memory))[name], name
        assert await what_differs_from_recomputed(story) == []


async def _told(story: Story, seed: int) -> Stored:
    """What is left of a history; two of them are dense, and what they leave is what the oracle computes."""
    is_dense = seed in DENSE
    history = (
        a_dense_history(seed, dates=True) if is_dense else a_history(seed, repeats=seed != 61, dates=seed % 2 == 0)
    )
    telling = Telling(story, history)
    telling.receipts = True
    await telling.tell()
    if is_dense:
        assert await what_differs_from_the_oracle(telling) == {}
        assert await receipts_that_differ(telling) == []
    return await story.stored()


async def _counts(story: Story) -> dict[str, Any]:
    sources = (await story.policy()).sources.values()
    return {source.name: await story.counts(source) for source in sources}


@few_seeds(3)
@given(seed=st.integers(0, 2**32))
async def test_a_real_store_holds_what_is_held_in_memory(real_store: None, tmp_path: Path, seed: int) -> None:
    async with a_hub() as in_memory, a_hub(path=Path(mkdtemp(dir=tmp_path))) as story:
        await tell_guarded(in_memory, Guarded.of(seed))
        await tell_guarded(story, Guarded.of(seed), sizes=Random(seed))
        assert await story.place.trips() == await in_memory.place.trips()
        found, expected = await story.stored(), await in_memory.stored()
        assert found.claims == expected.claims
        assert sorted(found.receipts) == sorted(expected.receipts)
        assert await content(story) == await content(in_memory)
