"""What a wrong clock has stored is put back: nothing is dated later than now, and what is shown stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.model.claims import Change
from hub.model.clock import JUMP_US
from hub.model.journal import KEPT_US, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.times import DAY_US, parse_us, stix_time
from hub.model.tokens import TokenRefusal, TokenUse
from hub.model.webhooks import Webhook, WebhookFilter, WebhookProgress
from hub.model.words import CollectionName, Seq, stamp_of
from hub.registry.centres import Terms
from hub.registry.service import Registry
from hub.store import tables as t
from hub.store import token_tables as tt
from hub.store.clock import PutBack, order_kept
from hub.store.sql import SqlStore
from tests.story import Story, an_indicator, malware

YEARS_US = 3650 * DAY_US
STAMPS = st.lists(st.builds(stamp_of, st.integers(1, 2_000), st.integers(0, 3), st.integers(0, 50), st.integers(0, 3)))


@given(late=STAMPS, now=st.integers(2_000, 4_000))
def test_stamps_that_are_put_back_keep_their_order_and_are_not_later_than_now(late: list[bytes], now: int) -> None:
    ahead = [stamp_of(int.from_bytes(each[:8], "big") + YEARS_US, 0, 0)[:8] + each[8:] for each in late]
    anew = order_kept(ahead, now)
    assert [anew(each) for each in sorted(ahead)] == sorted(anew(each) for each in ahead)
    assert all(int.from_bytes(anew(each)[:8], "big") <= now for each in ahead)
    assert len({anew(each) for each in ahead}) == len(set(ahead))


async def shown(story: Story, name: str) -> dict[str, Any]:
    """Patterns and names of what a collection holds."""
    policy = await story.store.policy()
    log = next(each.no for each in policy.collections.values() if each.name == name)
    held: dict[str, Any] = {}
    for row in await story.log(name):
        assert row.log == log
        if row.withdrawn:
            held.pop(row.object_id, None)
        else:
            held[row.object_id] = orjson.loads(row.body)
    kept = [obj for obj in held.values() if obj["type"] in ("indicator", "malware")]
    return {obj.get("pattern") or obj["name"]: obj.get("confidence") for obj in kept}


def ensure_in_order(rows: list[Change], now_us: int) -> None:
    """Numbers from 1 without a gap, dates that rise, and none after now."""
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    dates = [row.date_added_us for row in rows]
    assert dates == sorted(set(dates))
    assert all(date <= now_us + JUMP_US for date in dates)
    for row in rows:
        if row.type == "indicator":
            assert parse_us(orjson.loads(row.body)["modified"]) <= now_us + JUMP_US


@pytest.mark.parametrize("good_before", [False, True])
async def test_a_store_that_was_written_ahead_is_put_back_and_goes_on(tmp_path: Path, good_before: bool) -> None:
    story = await Story.begin(tmp_path)
    try:
        ro, it = await story.centre("ro"), await story.centre("it")
        if good_before:
            await story.batch((ro, an_indicator("198.51.100.1", confidence=30)), (it, malware("m")))
        right_us = story.now_us + 1_000_000
        story.now_us += YEARS_US
        await story.sweep()  # the date is set
        await story.batch((ro, an_indicator("198.51.100.2")), (ro, b"no JSON"), (it, malware("n")))
        await story.batch((it, an_indicator("198.51.100.2", "other", confidence=70)))
        before = await shown(story, "community")
        story.now_us = right_us + 60_000_000
        done = await story.store.put_back(story.now_us, later_than_us=story.now_us)
        assert done.collections == ("community", "network")
        assert (done.days, done.rejections, done.claims) == (1, 1, 3)
        assert (await story.store.put_back(story.now_us, later_than_us=story.now_us)) == PutBack()
        assert (await story.store.stored_times()).latest_us <= story.now_us
        await story.sweep()
        assert await shown(story, "community") == before
        ensure_in_order(await story.log("community"), story.now_us)

        await story.batch((it, malware("n", name="newer", at=60)), (ro, an_indicator("198.51.100.2")["id"]))
        after = await shown(story, "community")
        assert "newer" in after
        assert after["[ipv4-addr:value = '198.51.100.2']"] == 70
        ensure_in_order(await story.log("community"), story.now_us)
        await ensure_rejections_are_in_order(story.store, story.now_us)
    finally:
        await story.store.close()


async def ensure_rejections_are_in_order(store: SqlStore, now_us: int) -> None:
    """A centre reads on by number, and finds times that can be."""
    async with store.reading() as conn:
        c = t.changes.c
        rows = (await conn.execute(select(c.date_added_us, c.body).where(c.type == "rejection"))).all()
    assert len(rows) == 1
    for row in rows:
        assert row.date_added_us <= now_us
        assert orjson.loads(row.body)["at"] == stix_time(row.date_added_us)


async def test_what_fits_the_clock_is_left_as_it_is(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path)
    try:
        ro = await story.centre("ro")
        await story.batch((ro, an_indicator("198.51.100.1")))
        before = await story.log("community")
        assert await story.store.put_back(story.now_us, later_than_us=story.now_us + JUMP_US) == PutBack()
        assert await story.log("community") == before
    finally:
        await story.store.close()


async def test_what_follows_an_undated_record_is_later_than_it(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path)
    try:
        ro = await story.centre("ro")
        story.now_us += 10_000_000
        said = an_indicator("198.51.100.1")
        undated = story.record(ro, said, at_us=0)
        withdrawn = story.record(ro, said["id"], at_us=story.now_us - 5_000_000)  # before the undated one is processed
        await story.carry([undated, withdrawn])
        assert await shown(story, "community") == {}
    finally:
        await story.store.close()


async def test_a_record_that_the_log_has_dated_far_ahead_counts_as_arrived_now(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path)
    try:
        ro = await story.centre("ro")
        story.now_us += 1_000_000
        await story.carry([story.record(ro, an_indicator("198.51.100.1"), at_us=story.now_us + YEARS_US)])
        async with story.store.reading() as conn:
            (arrived,) = (await conn.execute(select(t.contributions.c.stamp))).scalars().all()
        assert int.from_bytes(arrived[:8], "big") == story.now_us
        gone = story.record(ro, an_indicator("198.51.100.1")["id"], at_us=story.now_us + 2_000_000)
        story.now_us += 2_000_000
        await story.carry([gone])
        assert await shown(story, "community") == {}
    finally:
        await story.store.close()


@pytest.mark.parametrize("are_same", [False, True])
@pytest.mark.parametrize("rows_at_once", [1, 50])
async def test_reads_that_are_put_back_are_still_listed_the_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int, are_same: bool
) -> None:
    monkeypatch.setattr("hub.store.journal._ROWS_READ_AT_ONCE", rows_at_once)
    story = await Story.begin(tmp_path)
    try:
        reader, now_us = (await story.centre("ro")).no, story.now_us
        later_than_us = now_us + DAY_US + 9  # so that the entries of each row are of one hour
        for no in range(3):  # each writes one row
            late = JournalEntry("", reader, later_than_us + 1 + no, later_than_us, "taxii", None, "objects/")
            older = (later_than_us - no, now_us)
            same, different = late._replace(older_times=(older,)), late._replace(at_us=older[0], began_us=older[1])
            await story.store.journal.write(JournalBatch((same,) if are_same else (late, different)))
        await story.store.put_back(now_us, later_than_us=later_than_us)
        kept = [(later_than_us - no, now_us) for no in range(3)]
        assert [one[2:4] for one in await story.store.journal.entries(reader, limit=2)] == kept[:2]
        await story.store.journal.prune(now_us + 1 + KEPT_US)  # a row is as old as its newest entry
        found = await story.store.journal.entries(reader, limit=9)
        assert [(one.at_us, one.began_us) for one in found] == [*kept, *[(now_us, now_us)] * 3]
    finally:
        await story.close()


async def test_times_of_reads_and_of_webhooks_are_put_back(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path)
    try:
        now_us, late_us = story.now_us, story.now_us + YEARS_US
        reader = (await story.centre("ro")).no
        said = (None, "objects/", None, None, None, None, 200, "siem")
        reads = (
            JournalEntry("", reader, late_us, now_us, "taxii", *said),
            JournalEntry("", reader, 5, 5, "taxii", *said),
        )
        await story.store.journal.write(JournalBatch(reads, (FetchedUpTo(reader, "", 1, "taxii", Seq(1), late_us),)))
        failing = WebhookProgress(Seq(1), attempts=1, failed_us=late_us, due_us=late_us)
        url = "https://soc.example/"
        webhook = Webhook("a", reader, 1, CollectionName("public"), url, WebhookFilter(), late_us, failing)
        assert await story.store.webhooks.add(webhook, most=1)
        done = await story.store.put_back(now_us, later_than_us=now_us)
        assert done.changes >= 5
        entries = await story.store.journal.entries(reader, limit=10)
        assert [(one.at_us, one.began_us) for one in entries] == [(now_us, now_us), (5, 5)]
        assert [one.at_us for one in await story.store.journal.fetched(reader)] == [now_us]
        (found,) = await story.store.webhooks.all()
        assert (found.created_us, found.progress.failed_us, found.progress.due_us) == (now_us, now_us, now_us)
    finally:
        await story.close()


async def test_times_of_tokens_are_put_back_but_not_their_ends(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path)
    try:
        now_us, late_us = story.now_us, story.now_us + YEARS_US
        registry = Registry(story.store.registry, now_us=lambda: late_us)
        await registry.centres.add("ro", Terms(country="RO"))
        await registry.tokens.add("ro", "siem", until=stix_time(late_us + DAY_US))
        c, d = tt.tokens.c, tt.token_digests.c
        async with story.store.reading() as conn:
            digests = (await conn.execute(select(d.no))).scalars().all()
        use = TokenUse(late_us, late_us, TokenRefusal.NETWORK)
        await story.store.registry.note_uses(dict.fromkeys(digests, use))
        await story.store.put_back(now_us, later_than_us=now_us)
        async with story.store.reading() as conn:
            times = (await conn.execute(select(d.created_us, d.used_us, d.refused_us))).all()
            (siem,) = (await conn.execute(select(c.created_us, c.ends_us).where(c.name == "siem"))).all()
        assert set(times) == {(now_us, now_us, now_us)}
        assert tuple(siem) == (now_us, late_us + DAY_US)
    finally:
        await story.close()
