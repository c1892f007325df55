"""One history told to both stores ends in the same bytes: every row of every log, every count, every rejection."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from hub.model.words import Level
from tests import story as stories
from tests.contracts.store_writer import open_store
from tests.contracts.test_several_workers import CENTRES, Said, said_by
from tests.story import Story, an_indicator, bytes_of


async def told(story: Story, said: dict[str, list[Said]], rng: random.Random) -> dict[str, Any]:
    """Batches of all centres together, the operator's changes between them; all that can be seen afterwards."""
    centres = {name: await story.centre(name) for name in said}
    for batches in zip(*said.values(), strict=True):
        pairs = [(name, one) for name, some in zip(said, batches, strict=True) for one in some]
        rng.shuffle(pairs)
        await story.batch(*((centres[name], one) for name, one in pairs), *_bad(centres["ro"], rng))
        name = rng.choice(CENTRES)
        centres[name] = await story.change_centre(centres[name], trust=rng.randrange(101), suspended=rng.random() < 0.2)
    await story.collection("sure", Level.GREEN, "community", types=frozenset({"indicator"}), min_confidence=40)
    names = ("public", "community", "network", "sure")
    seen: dict[str, Any] = {name: bytes_of(await story.log(name)) for name in names}
    seen |= {f"shown by {name}": bytes_of(await story.log(name, versions=("all",))) for name in names}
    for name, centre in centres.items():
        seen[f"counts of {name}"] = await story.counts(centre)
        seen[f"rejections of {name}"] = await story.rejections(centre)
    return seen


def _bad(centre: Any, rng: random.Random) -> list[tuple[Any, Any]]:
    """What is refused: so that the logs of rejections have something to agree on."""
    return [(centre, rng.choice([b"{", b"\xff", b"null", an_indicator("[x", "bad")]))]


@pytest.mark.parametrize("seed", range(4))
async def test_both_stores_come_to_the_same_bytes(
    tmp_path: Path, migrated_url: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    said = said_by(CENTRES, random.Random(seed))
    one = await Story.begin(await _made(tmp_path / "one"))
    expected = await told(one, said, random.Random(seed))
    await one.close()
    monkeypatch.setattr(stories, "open_store", lambda _: open_store({"url": migrated_url}))
    other = await Story.begin(tmp_path / "other")
    try:
        found = await told(other, said, random.Random(seed))
    finally:
        await other.close()
    assert found.keys() == expected.keys()
    for what, seen in expected.items():
        assert found[what] == seen, what
    assert len(expected["network"]) > 20  # a history that shows something
    assert expected["rejections of ro"]


async def _made(folder: Path) -> Path:
    await asyncio.to_thread(folder.mkdir)
    return folder
