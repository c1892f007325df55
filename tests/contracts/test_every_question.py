"""Every kind of question has an answer for every key: of the real stores' loaders, and of the store of dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.model import questions
from hub.model.claims import ClaimKey
from hub.model.questions import Question, Questions
from hub.model.words import CanonicalKey, Seq, StixId
from tests.story import Story, an_indicator

KEY, THING, STIX_ID = ClaimKey(bytes(20)), CanonicalKey(bytes(32)), StixId("tool--1d4ffd27-23d4-4f56-84c5-9d1a1cf0b9d2")
COMMUNITY = 2

ABOUT: dict[Question[Any, Any], object] = {
    questions.CLAIM: KEY,
    questions.REPLACED: KEY,
    questions.THING: THING,
    questions.UNDER_ID: STIX_ID,
    questions.REFERRERS: STIX_ID,
    questions.PAGE: (STIX_ID, b""),
    questions.PLACEMENT: KEY,
    questions.PLACED: THING,
    questions.BODY: (COMMUNITY, Seq(1)),
    questions.USES: (COMMUNITY, "x"),
    questions.ISSUED: STIX_ID,
    questions.PAST: (COMMUNITY, STIX_ID),
    questions.HELD: (1, STIX_ID),
    questions.REJECTIONS_LOG: 1,
    questions.TURNS: None,
}
"""A key of each kind. All but rows of logs and centres are about nothing that is there."""


@pytest.fixture(params=["sql", "memory"])
async def story(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Story]:
    """A hub in which one centre has said one thing."""
    told = await Story.begin(tmp_path if request.param == "sql" else None)
    centre = await told.centre("ro")
    assert centre.no == ABOUT[questions.REJECTIONS_LOG]
    await told.batch((centre, an_indicator()))
    yield told
    await told.close()


def test_there_is_a_key_of_every_kind_of_question() -> None:
    assert {one for one in vars(questions).values() if isinstance(one, Question)} == ABOUT.keys()


@pytest.mark.parametrize("question", ABOUT, ids=repr)
async def test_every_question_has_an_answer(story: Story, question: Question[Any, Any]) -> None:
    async with story.place.store.transaction() as tx:
        answers = await tx.load(Questions().update(question, (ABOUT[question],)), await tx.policy())
    assert list(answers.of(question)) == [ABOUT[question]]
