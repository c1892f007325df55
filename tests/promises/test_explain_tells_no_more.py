"""INV-5 for ``explain``: what an audience may not see changes nothing of what its readers are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.model.errors import Refused
from hub.model.principals import Principal, PrincipalKind
from hub.questions.explain import explain
from hub.questions.past import explain_at
from tests.promises.histories import VALUES, a_history
from tests.promises.telling import Telling, a_hub
from tests.promises.test_non_interference import Retelling
from tests.story import Story

READER = Principal(9_999, "reader", PrincipalKind.MEMBER)


async def told_by(story: Story, name: str, ids: Sequence[str]) -> list[Any]:
    """All that a reader of one collection is told."""
    policy = await story.policy()
    (collection,) = [one for one in policy.collections.values() if one.name == name]
    last = (await story.store.logs.head(collection.no)).seq
    found: list[Any] = []
    for asked in (*VALUES, "203.0.113.0/24", *ids):
        for at in (None, last // 2 or 1):
            try:
                if at is None:
                    found.append(await explain(story.store, READER, [collection], asked))
                else:
                    found.append(await explain_at(story.store, READER, collection, at, asked))
            except Refused as error:
                found.append((asked, at, error.code, error.says))
    return found


@pytest.mark.parametrize(("seed", "collection"), [(1, "public"), (2, "community")])
async def test_what_a_reader_may_not_see_changes_nothing_that_it_is_told(
    seed: int, collection: str, tmp_path: Path
) -> None:
    async with a_hub(path=tmp_path / "full") as full, a_hub(path=tmp_path / "less") as less:
        telling = Telling(full, a_history(seed, repeats=False))
        await telling.tell()
        retelling = Retelling(less, telling, collection)
        await retelling.tell()
        ids = sorted({row.object_id for row in await full.log(collection)})[:8]
        assert len(ids) > 3
        assert await told_by(full, collection, ids) == await told_by(less, collection, ids)
