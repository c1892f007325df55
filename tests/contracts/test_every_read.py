"""Every kind of read has an answer for every key: in both stores, and in the tests' store of dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.model import reads
from hub.model.claims import ClaimKey
from hub.model.reads import Read, Reads
from hub.model.words import CanonicalKey, Seq, StixId
from tests.story import Story, an_indicator

KEY, THING, STIX_ID = ClaimKey(bytes(20)), CanonicalKey(bytes(32)), StixId("tool--1d4ffd27-23d4-4f56-84c5-9d1a1cf0b9d2")
COMMUNITY = 2

ABOUT: dict[Read[Any, Any], object] = {
    reads.CLAIM: KEY,
    reads.REPLACED: KEY,
    reads.THING: THING,
    reads.UNDER_ID: STIX_ID,
    reads.REFERRERS: STIX_ID,
    reads.PAGE: (STIX_ID, b""),
    reads.PLACEMENT: KEY,
    reads.PLACED: THING,
    reads.BODY: (COMMUNITY, Seq(1)),
    reads.USES: (COMMUNITY, "x"),
    reads.ISSUED: STIX_ID,
    reads.PAST: (COMMUNITY, STIX_ID),
    reads.HELD: (1, STIX_ID),
    reads.DUE: reads.DueViews(COMMUNITY, 0, 10),
    reads.LATE: reads.LateViews(COMMUNITY, 0, 10),
    reads.REJECTIONS_LOG: 1,
    reads.BREAKER: 1,
    reads.REFERRING: STIX_ID,
    reads.TURNS: None,
}
"""A key of each kind. All but rows of logs and centres are about nothing that is there."""


@pytest.fixture(params=["sql", "memory"])
async def story(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Story]:
    """A hub in which one centre has said one thing."""
    told = await Story.begin(tmp_path if request.param == "sql" else None)
    centre = await told.centre("ro")
    assert centre.no == ABOUT[reads.REJECTIONS_LOG]
    await told.batch((centre, an_indicator()))
    yield told
    await told.close()


def test_there_is_a_key_of_every_kind_of_read() -> None:
    assert {one for one in vars(reads).values() if isinstance(one, Read)} == ABOUT.keys()


@pytest.mark.parametrize("read", ABOUT, ids=repr)
async def test_every_read_has_an_answer(story: Story, read: Read[Any, Any]) -> None:
    async with story.place.store.transaction() as tx:
        answers = await tx.load(Reads().update(read, (ABOUT[read],)), await tx.policy())
    assert list(answers.of(read)) == [ABOUT[read]]
