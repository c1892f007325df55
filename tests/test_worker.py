"""What a client of any make may write into a topic of its own: it stalls nothing and concerns nobody else."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.log.port import StoredRecord, Topic
from hub.model.policy import LOG_OF_NOBODY, NOBODY, Source
from hub.model.times import from_us
from hub.model.words import SourceName
from hub.model.writes import ReceiptCounts
from hub.store.port import WHOLE_LOG
from tests.story import Story, an_indicator

GOOD = json.dumps(an_indicator()).encode()


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    story = await Story.begin(tmp_path)
    yield story
    await story.close()


def a_record(
    story: Story, centre: Source, value: bytes | None, key: bytes | None = None, /, **headers: bytes
) -> StoredRecord:
    """The next record of a centre's topic, as the log gives it."""
    topic = Topic(f"intake.{centre.name}")
    offset = story.offsets.get(topic, 0)
    story.offsets[topic] = offset + 1
    time = from_us(story.now_us // 1000 * 1000)
    return StoredRecord(topic, 0, offset, time, key, value, tuple((k.replace("_", "-"), v) for k, v in headers.items()))


ODD: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = [
    (b"\x00\xff\x80garbage", b"key with a \x00 in it", {}),
    (b"\x00\xff\x80garbage", b"\xff\xfe\xfd", {}),
    (b"{}", b"k" * 100_000, {}),
    (None, None, {}),
    (None, b"\x00", {}),
    (None, b"k" * 100_000, {}),
    (b"", b"", {}),
    (b"[" * 100_000, None, {}),
    (secrets.token_bytes(1 << 20), None, {}),
    (b'{"type": "bundle", "id": "bundle--1", "objects": [' + b"{}," * 39_999 + b"{}]}", None, {}),
    (b'{"type": "bundle", "id": "bundle--1", "objects": [' + b"1," * 100_000 + b"1]}", None, {}),
    (GOOD, b"\x00", {"receipt": b"a\x00b", "index": b"7"}),
    (GOOD, None, {"receipt": secrets.token_bytes(20_000), "index": b"999999999999999"}),
    (GOOD, None, {"receipt": b"0" * 24, "index": b"999999999999999"}),
    (GOOD, None, {"receipt": b"0" * 24, "index": b"\xc2\xb2"}),
    (b"\x00", b"\x00", {"receipt": b"", "index": b"-1", "too_large": b"999999999999999"}),
    (b"\x00", b"\x00", {"receipt": b"0" * 24, "too_large": b"many"}),
    (None, b"\x00", {"receipt": b"0" * 24, "too_large": b"5"}),
    (GOOD, None, {"traceparent": b"\xff\x00", "content_type": b"x" * 100_000}),
]


@pytest.mark.parametrize("at", range(len(ODD)))
async def test_what_nobody_expects_in_a_record_has_its_end_and_the_next_is_accepted(story: Story, at: int) -> None:
    ro = await story.centre("ro")
    value, key, headers = ODD[at]
    after = json.dumps(an_indicator("203.0.113.77")).encode()
    await story.carry([a_record(story, ro, value, key, **headers), a_record(story, ro, after)])
    assert "203.0.113.77" in str(await story.shown("community"))
    counts = await story.counts(ro)
    assert sum(counts.values()) == (40_000 if at == 9 else 1) + 1
    await story.rejections(ro)


async def test_a_record_is_taken_apart_wherever_objects_may_stand_in_it(story: Story) -> None:
    ro = await story.centre("ro")
    good = [json.loads(GOOD), *(an_indicator(f"198.51.100.{number}") for number in range(3))]
    inner = {"type": "bundle", "id": "bundle--1", "objects": [good[0], 7, {"type": "bundle", "objects": good[1:2]}]}
    record = json.dumps([inner, *good[2:]], indent=1).encode("utf-16")
    await story.carry([a_record(story, ro, record)])
    assert tuple((await story.counts(ro)).values()) == (4, 0, 0, 1)


async def test_a_forged_receipt_adds_nothing_to_another_centres(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    uid = "0123456789abcdef01234567"
    bad = b'{"type": "indicator", "id": "indicator--of-it"}'
    mine = [a_record(story, ro, GOOD, receipt=uid.encode(), index=b"0")]
    forged = [a_record(story, it, bad, receipt=uid.encode(), index=b"%d" % index) for index in range(3)]
    await story.carry(forged[:1] + mine + forged[1:])
    intake = story.store.intake
    assert await intake.receipt_counts(uid, ro.no) == ReceiptCounts(1, 0, 0, 0)
    assert await intake.receipt_counts(uid, it.no) == ReceiptCounts(0, 0, 0, 3)
    assert [one async for one in intake.problems(uid, ro.no, from_index=0, in_one_partition=True)] == []


async def test_a_record_that_nobody_foresaw_is_refused_alone(tmp_path: Path) -> None:
    """What must never happen happens: the rest of the batch and what comes after it go on."""

    def stumbles(obj: dict[str, Any], _: object, __: object) -> None:
        if "stumble" in obj.get("name", ""):
            raise ZeroDivisionError

    story = await Story.begin(tmp_path, hold=stumbles)
    story.may_stumble = True
    try:
        ro = await story.centre("ro")
        said = [an_indicator(f"198.51.100.{i}", name="stumble" if i == 3 else f"n{i}") for i in range(7)]
        await story.batch(*((ro, one) for one in said))
        assert len(await story.shown("community", "indicator")) == 6
        assert [found["code"] for found in await story.rejections(ro)] == ["record.not-processed"]
        assert await story.counts(ro) == {"accepted": 6, "unchanged": 0, "held": 0, "rejected": 1}
        await story.batch((ro, an_indicator("198.51.100.99")))
        assert len(await story.shown("community", "indicator")) == 7
    finally:
        await story.close()


async def test_when_no_record_can_be_carried_none_is_refused_for_it(tmp_path: Path) -> None:
    def stumbles(_: object, __: object, ___: object) -> None:
        raise ZeroDivisionError

    story = await Story.begin(tmp_path, hold=stumbles)
    story.may_stumble = True
    try:
        ro = await story.centre("ro")
        with pytest.raises(ZeroDivisionError):
            await story.batch(*((ro, an_indicator(f"198.51.100.{i}")) for i in range(40)))
    finally:
        await story.close()


async def test_a_record_in_a_topic_of_nobody_is_rejected_where_operators_see_it(story: Story) -> None:
    ro = await story.centre("ro")
    stranger = replace(ro, name=SourceName("stranger"))
    await story.carry([a_record(story, stranger, GOOD), a_record(story, ro, GOOD), a_record(story, stranger, None)])
    found = [json.loads(row.body) for row in await story.place.rows(LOG_OF_NOBODY, WHOLE_LOG)]
    assert [(one["code"], one["topic"], one["offset"]) for one in found] == [
        ("record.of-nobody", "intake.stranger", 0), ("record.of-nobody", "intake.stranger", 1),
    ]  # fmt: skip
    assert (await story.place.counts(NOBODY.no)).rejected == 2
    assert await story.counts(ro) == {"accepted": 1, "unchanged": 0, "held": 0, "rejected": 0}
    assert len(await story.shown("community", "indicator")) == 1
