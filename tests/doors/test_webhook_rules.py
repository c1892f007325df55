"""The rules of webhooks by themselves: what follows an attempt, what is in a message, who goes first, who delivers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.webhooks.batches import batch_of
from hub.doors.webhooks.leadership import Leadership, LeaseTimes
from hub.doors.webhooks.places import PlaceLimits, Places
from hub.model.webhooks import (
    GIVE_UP_US,
    LONGEST_WAIT_US,
    PauseReason,
    Webhook,
    WebhookAttempt,
    WebhookFilter,
    WebhookProgress,
    wait_after,
)
from hub.model.words import Seq, StixId
from hub.store.port import LogPage, LogRow, RowCause
from hub.store.sql import SqlStore
from tests.stores import a_store

NOW_US = 1_767_225_600_000_000
FAILED = WebhookAttempt(500, "The receiver answered 500.")
TAKEN = WebhookAttempt(204)
jitters = st.floats(0, 1)


def a_webhook(
    name: str = "w", principal: int = 1, collection: int = 2, attempts: int = 0, position: int = 0
) -> Webhook:
    progress = WebhookProgress(Seq(position), attempts=attempts)
    return Webhook(name, principal, collection, "community", "https://soc.example/", WebhookFilter(), 0, progress)


# ---------------------------------------------------------------- what follows an attempt


@given(attempts=st.integers(1, 1_000), jitter=jitters)
def test_waits_grow_and_have_an_end(attempts: int, jitter: float) -> None:
    assert 0 < wait_after(attempts, jitter) <= LONGEST_WAIT_US
    assert wait_after(attempts, jitter) <= wait_after(attempts + 1, jitter)
    assert wait_after(attempts, 1.0) >= wait_after(attempts, 0.0) * 0.74


@given(waits=st.lists(st.integers(0, 7_200_000_000), max_size=100), jitter=jitters, retry_after_s=st.integers(0, 10**9))
def test_a_batch_is_tried_for_three_days_and_no_longer(waits: list[int], jitter: float, retry_after_s: int) -> None:
    now_us, progress = NOW_US, WebhookProgress(Seq(7)).begun(Seq(9))
    for wait_us in [*waits, *[7_200_000_000] * 100]:
        progress = progress.after(replace(FAILED, retry_after_s=retry_after_s), Seq(9), now_us, jitter)
        assert (progress.position, progress.batch_to) == (7, 9)
        if progress.paused is not None:
            break
        assert now_us < progress.due_us <= NOW_US + GIVE_UP_US
        now_us = progress.due_us + wait_us
    assert progress.paused is PauseReason.UNREACHABLE
    assert now_us >= NOW_US + GIVE_UP_US
    again = progress.resumed()
    assert (again.position, again.batch_to, again.paused, again.due_us) == (7, 9, None, 0)
    assert again.after(FAILED, Seq(9), now_us, jitter).failed_us == now_us


def test_a_success_forgets_what_failed() -> None:
    failed = WebhookProgress(Seq(7)).begun(Seq(9)).after(FAILED, Seq(9), NOW_US, 0.5)
    assert failed.after(TAKEN, Seq(9), NOW_US + 1, 0.5) == WebhookProgress(Seq(9), delivered_us=NOW_US + 1)


def test_gone_pauses_at_once() -> None:
    assert WebhookProgress(Seq(0)).after(WebhookAttempt(410), Seq(1), NOW_US, 0).paused is PauseReason.GONE


@given(retry_after_s=st.integers(0, 10**9))
def test_a_receiver_may_ask_for_more_time_but_not_for_any(retry_after_s: int) -> None:
    due_us = WebhookProgress(Seq(0)).after(replace(FAILED, retry_after_s=retry_after_s), Seq(1), NOW_US, 0).due_us
    assert NOW_US + min(retry_after_s * 1_000_000, LONGEST_WAIT_US) <= due_us <= NOW_US + LONGEST_WAIT_US


# ---------------------------------------------------------------- what is in a message


def a_page(first: int, count: int, *, more: bool = False, step: int = 1) -> LogPage:
    seqs = range(first, first + count * step, step)
    rows = [LogRow(Seq(n), NOW_US + n, NOW_US + n, StixId(f"note--{n}"), "note", False, True, 2) for n in seqs]
    return LogPage(rows, [b"{}"] * count, more)


@given(position=st.integers(0, 50), begun=st.integers(1, 60), count=st.integers(1, 60), step=st.integers(1, 3))
def test_a_batch_that_was_begun_ends_where_it_ended_however_much_has_come_since(
    position: int, begun: int, count: int, step: int
) -> None:
    webhook = a_webhook(position=position)
    first = batch_of(webhook, a_page(position + 1, begun, step=step), {})
    begun_webhook = replace(webhook, progress=webhook.progress.begun(first.last))
    again = batch_of(begun_webhook, a_page(position + 1, begun + count, step=step), {})
    assert (again.body, again.last, again.id_for(begun_webhook)) == (first.body, first.last, first.id_for(webhook))


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=9), step=st.integers(1, 3))
def test_batches_tile_the_log_and_no_two_have_one_id(sizes: list[int], step: int) -> None:
    webhook, found, ids, at = a_webhook(), [], set(), 1
    for no, size in enumerate(sizes, 1):
        batch = batch_of(webhook, a_page(at, size, more=no < len(sizes), step=step), {})
        data = orjson.loads(batch.body)["data"]
        assert data["from"] == webhook.progress.position + 1
        found += [change["seq"] for change in data["changes"]]
        ids.add(batch.id_for(webhook))
        webhook = replace(webhook, progress=WebhookProgress(batch.last))
        at += size * step
    assert found == list(range(1, sum(sizes) * step + 1, step))
    assert len(ids) == len(sizes)
    assert batch_of(a_webhook("other"), a_page(1, sizes[0]), {}).id_for(a_webhook("other")) not in ids


def test_new_changed_and_withdrawn_are_told_apart() -> None:
    rows = [LogRow(Seq(n), NOW_US, NOW_US, StixId("note--1"), "note", n == 3, n == 1, 2 * (n < 3)) for n in (1, 2, 3)]
    causes = {Seq(1): RowCause(None, 5), Seq(2): RowCause(Seq(1), None), Seq(3): RowCause(Seq(2), None)}
    batch = batch_of(a_webhook(), LogPage(rows, [b"{}", b"{}", b""], False), causes)
    changes = orjson.loads(batch.body)["data"]["changes"]
    assert [one["change"] for one in changes] == ["new", "changed", "withdrawn"]
    assert ["object" in one for one in changes] == [True, True, False]
    assert batch.received_us == ((NOW_US, 5),)


def test_a_version_that_the_filter_leaves_out_is_told_as_withdrawn_when_older_ones_may_have_been_deleted() -> None:
    webhook = replace(a_webhook(), filter=WebhookFilter(min_confidence=50))
    bodies = [b'{"confidence":10}'] * 3
    rows = [
        LogRow(Seq(n), NOW_US, NOW_US, StixId(f"indicator--{n}"), "indicator", False, n != 3, len(bodies[0]))
        for n in (1, 2, 3)
    ]
    changes = orjson.loads(batch_of(webhook, LogPage(rows, bodies, False), {}, Seq(1)).body)["data"]["changes"]
    assert [(one["seq"], one["change"]) for one in changes] == [(1, "withdrawn"), (3, "withdrawn")]


def test_a_value_is_told_only_if_the_object_is_about_no_other() -> None:
    patterns = ["[ipv4-addr:value = '192.0.2.1']", "[ipv4-addr:value = '192.0.2.1' OR (a:b = 1 AND c:d = 2)]"]
    objects: list[dict[str, Any]] = [{"type": "indicator", "pattern_type": "stix", "pattern": one} for one in patterns]
    objects += [{"type": "file", "hashes": {"SHA-256": "ab"}}, {"type": "autonomous-system", "number": 5}]
    rows = [
        LogRow(Seq(n), NOW_US, NOW_US, StixId("x"), str(one["type"]), False, True, 9)
        for n, one in enumerate(objects, 1)
    ]
    batch = batch_of(a_webhook(), LogPage(rows, [orjson.dumps(one) for one in objects], False), {})
    changes = orjson.loads(batch.body)["data"]["changes"]
    assert [one.get("value") for one in changes] == ["192.0.2.1", None, "ab", None]


# ---------------------------------------------------------------- who goes first


def test_places_are_kept_for_alert_lanes_and_no_principal_takes_all() -> None:
    places = Places(PlaceLimits(all=6, not_alerts=4, failing=1, each=2))
    assert [places.enter(a_webhook(str(n)), is_alert=False) for n in range(3)] == [True, True, False]
    others = [places.enter(a_webhook(f"o{n}", principal=n), is_alert=False) for n in range(2, 5)]
    assert others == [True, True, False]
    assert [places.enter(a_webhook(f"a{n}"), is_alert=True) for n in range(3)] == [True, True, False]
    places.leave("0")
    assert places.enter(a_webhook("0", attempts=1), is_alert=False)
    places.leave("o2")
    assert not places.enter(a_webhook("o2", principal=2, attempts=1), is_alert=False)
    assert places.enter(a_webhook("o2", principal=2), is_alert=False)


def test_those_whose_last_place_is_longest_ago_come_before_the_others() -> None:
    places, webhooks = Places(), [a_webhook(name, collection=2 + (name == "d")) for name in "abcd"]
    for webhook in webhooks[:2]:
        places.enter(webhook, is_alert=False)
        places.leave(webhook.id)
    assert [one.id for one in places.in_order(webhooks, {3})] == ["d", "c", "a", "b"]


# ---------------------------------------------------------------- which process delivers


class Election:
    """Two processes on one store, each with a clock of its own that a test moves."""

    def __init__(self, store: SqlStore) -> None:
        self.clocks = {"one": 1_000.0, "two": 5.0}
        self.one = Leadership(store.webhooks, LeaseTimes(), lambda: self.clocks["one"])
        self.two = Leadership(store.webhooks, LeaseTimes(), lambda: self.clocks["two"])

    def pass_s(self, seconds: float) -> None:
        for name in self.clocks:
            self.clocks[name] += seconds

    @staticmethod
    async def turn(process: Leadership) -> bool:
        return await process.is_open() and await process.take()


@pytest_asyncio.fixture
async def election(tmp_path: Path) -> AsyncIterator[Election]:
    store = await a_store(tmp_path / "hub.db", now_us=NOW_US)
    try:
        yield Election(store)
    finally:
        await store.close()


async def test_one_of_two_processes_delivers_as_long_as_it_counts(election: Election) -> None:
    assert await election.turn(election.one)
    for _ in range(20):
        election.pass_s(2)
        assert await election.turn(election.one)
        assert not await election.turn(election.two)
        assert (election.one.is_current, election.two.is_current) == (True, False)


async def test_when_a_process_dies_another_takes_over_after_it_must_have_stopped(election: Election) -> None:
    assert await election.turn(election.one)
    assert not await election.turn(election.two)
    passed_s = 0
    while not await election.turn(election.two):
        assert passed_s < 60
        election.pass_s(1)
        passed_s += 1
    assert not election.one.is_current
    assert passed_s >= LeaseTimes().stale_s > LeaseTimes().valid_s > LeaseTimes().beat_s
    assert not await election.turn(election.one)


async def test_a_process_that_stops_lets_another_take_over_at_once(election: Election) -> None:
    assert await election.turn(election.one)
    assert not await election.turn(election.two)
    await election.one.release()
    assert await election.turn(election.two)
    assert not election.one.is_current
