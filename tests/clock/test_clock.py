"""The clock of a process: what it gives while it is trusted, in doubt, and right again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.clock import IN_DOUBT, Clock, examine, wall_clock_us
from hub.log.embedded import EmbeddedLog
from hub.log.port import Record, Topic, TopicPartition
from hub.model.clock import StoredTimes, Witness
from hub.model.errors import TryAgain
from hub.model.times import DAY_US, from_us, parse_us

NOW_US = parse_us("2026-11-28T09:00:00Z")
HOUR_US = DAY_US // 24
AT = TopicPartition(Topic("intake.ro"), 0)


@dataclass
class Machine:
    """A machine with a store, whose clock can be set."""

    wall_us: int = NOW_US
    passed_us: int = 0
    seen_us: int = NOW_US
    witness: Witness = field(default_factory=Witness)

    async def stored_times(self) -> StoredTimes:
        """See ``TimesStore``."""
        return StoredTimes(self.seen_us, {})

    def clock(self) -> Clock:
        """A process's clock on it."""
        return Clock(
            self, wall_us=lambda: self.wall_us, passed_us=lambda: self.passed_us, witness=lambda _: self.witness
        )

    def wait(self, us: int) -> None:
        """Time passes."""
        self.wall_us += us
        self.passed_us += us


async def test_nothing_is_dated_before_the_clock_was_judged() -> None:
    with pytest.raises(TryAgain) as raised:
        Machine().clock().now_us()
    assert raised.value.code == IN_DOUBT


async def test_a_clock_that_fits_the_store_gives_the_time() -> None:
    machine = Machine(seen_us=NOW_US - HOUR_US)
    clock = machine.clock()
    assert await clock.judge() is None
    machine.wait(90 * DAY_US)  # a store that is away for long is no jump
    assert clock.now_us() == NOW_US + 90 * DAY_US


@pytest.mark.parametrize("jump_us", [3650 * DAY_US, -3650 * DAY_US, DAY_US + HOUR_US, -DAY_US - HOUR_US])
async def test_a_jump_while_the_process_runs_is_a_doubt_at_once_and_until_it_is_trusted_again(jump_us: int) -> None:
    machine = Machine()
    clock = machine.clock()
    await clock.judge()
    machine.wall_us += jump_us
    with pytest.raises(TryAgain, match="The clock says") as raised:
        clock.now_us()
    assert raised.value.code == IN_DOUBT
    machine.wall_us -= jump_us
    found, _ = await clock.look()
    assert found is None
    with pytest.raises(TryAgain):  # what the doubt has left is cleared away first
        clock.now_us()
    clock.trust()
    assert clock.now_us() == NOW_US


@pytest.mark.parametrize("jump_us", [HOUR_US, -HOUR_US, DAY_US, -DAY_US])
async def test_a_clock_may_be_set_by_up_to_a_day(jump_us: int) -> None:
    machine = Machine()
    clock = machine.clock()
    await clock.judge()
    machine.wall_us += jump_us
    assert clock.now_us() == NOW_US + jump_us


async def test_a_change_by_an_operator_is_never_dated_ahead_of_the_truth() -> None:
    machine = Machine(wall_us=NOW_US + 3650 * DAY_US)
    clock = machine.clock()
    assert await clock.judge() is not None
    assert clock.change_us() == NOW_US
    machine.wall_us = NOW_US - 3650 * DAY_US
    assert await clock.judge() is not None
    assert clock.change_us() == machine.wall_us


def test_the_kernel_vouches_for_no_time_but_its_own() -> None:
    here = examine(wall_clock_us())
    far = examine(wall_clock_us() + 3650 * DAY_US)
    assert not far.synchronised
    assert far.boot == here.boot


async def test_records_that_come_in_doubt_have_no_time_until_they_are_given_one(tmp_path: Path) -> None:
    doubts = [False]
    log = await EmbeddedLog.open(tmp_path / "log.sqlite", in_doubt=lambda: doubts[0])
    try:
        await log.create(AT.topic)
        for body, in_doubt in ((b"1", False), (b"2", True), (b"3", True)):
            doubts[0] = in_doubt
            await log.append(AT.topic, [Record(None, body)])
        assert [each.year for each in await times(log)] == [from_us(wall_clock_us()).year, 1970, 1970]
        doubts[0] = False
        now = from_us(wall_clock_us())
        assert await log.put_back(now, later_than=now + timedelta(days=1)) == 2
        assert await log.put_back(now, later_than=now + timedelta(days=1)) == 0
        await log.append(AT.topic, [Record(None, b"4")])
        found = await times(log)
        assert found == sorted(found)
        assert all(abs(each - now) < timedelta(hours=1) for each in found)
    finally:
        await log.close()


async def times(log: EmbeddedLog) -> list[datetime]:
    """Of all records."""

    async def from_the_start(_: object) -> dict[TopicPartition, int]:
        return {}

    consumer = log.consumer(from_the_start)
    try:
        return [each.time for each in (await consumer.take(limit=10, limit_bytes=1 << 20, wait_s=0)).records]
    finally:
        await consumer.close()


async def test_records_that_a_wrong_clock_has_dated_are_dated_now_and_later_ones_follow(tmp_path: Path) -> None:
    log = await EmbeddedLog.open(tmp_path / "log.sqlite")
    try:
        await log.create(AT.topic)
        await log.append(AT.topic, [Record(None, b"1"), Record(None, b"2")])
        wall_us = wall_clock_us()
        assert await log.put_back(from_us(wall_us), later_than=from_us(wall_us + DAY_US)) == 0
        long_ago = from_us(wall_us) - timedelta(days=3650)  # to a clock that is so far behind, the records are ahead
        assert await log.put_back(long_ago, later_than=long_ago + timedelta(days=1)) == 2
        await log.append(AT.topic, [Record(None, b"3")])

        async def from_the_start(_: object) -> dict[TopicPartition, int]:
            return {}

        consumer = log.consumer(from_the_start)
        try:
            records = (await consumer.take(limit=10, limit_bytes=1 << 20, wait_s=0)).records
        finally:
            await consumer.close()
        assert [record.value for record in records] == [b"1", b"2", b"3"]
        assert [record.time - long_ago < timedelta(seconds=1) for record in records] == [True, True, False]
        assert abs(records[2].time - from_us(wall_us)) < timedelta(hours=1)
    finally:
        await log.close()
