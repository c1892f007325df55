"""The log and a whole hub on three brokers as a provider runs them.

No topic makes itself, two of three copies are asked for, records end at 1 MB, and the hub's user may neither read nor
alter settings.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.log.kafka import KafkaLog
from hub.log.kafka_consumer import OTHER_SESSIONS_MS
from hub.log.port import EventLog, RecordsTooLarge, Topic
from hub.model.errors import TryAgain
from tests.contracts.event_log import Store, a_record, take, take_count
from tests.contracts.foreign import KafkaLogContract, killed_and_equal
from tests.contracts.test_kafka_log import address_of
from tests.crash.scaled import ScaledHub
from tests.registry.test_broker import RO, all_of, broker_of, said
from tests.servers.brokers import ManagedBrokers, managed_brokers
from tests.story import an_indicator
from tests.waiting import WITHIN_S, until


@pytest.fixture(scope="module")
def _brokers() -> Iterator[ManagedBrokers]:
    with managed_brokers() as brokers:
        yield brokers


@pytest.fixture
def brokers(_brokers: ManagedBrokers) -> ManagedBrokers:
    """Empty, with the provider's and the customer's user."""
    _brokers.wipe()
    return _brokers


class TestKafkaLogAsManaged(KafkaLogContract):
    @pytest.fixture(autouse=True)
    def _the_brokers(self, brokers: ManagedBrokers) -> None:
        self.kafka = brokers


def test_a_hub_whose_parts_are_killed_loses_and_doubles_nothing(
    tmp_path: Path, brokers: ManagedBrokers, postgres_url: str
) -> None:
    brokers.make_topics("rejected.ro", "collection.public")  # as the provider makes them
    brokers.make_topics("intake.ro", max_message_bytes="100000")
    killed_and_equal(tmp_path, brokers, postgres_url, then=too_large_is_rejected)


def too_large_is_rejected(hub: ScaledHub) -> None:
    """What the topic does not take even alone; the rest of the push is taken."""
    large = an_indicator("198.51.100.9", "ro", description=random.randbytes(150_000).hex())
    lines = [json.dumps(each).encode() for each in (an_indicator("198.51.100.8", "ro"), large)]
    with hub.doors.client("ro") as client:
        receipt = client.completed(client.push(lines).status_url, within_s=WITHIN_S)
    assert (receipt.received, receipt.accepted, receipt.rejected) == (2, 1, 1)
    (problem,) = receipt.problems
    assert (problem.index, problem.code) == (1, "object.too-large")
    assert "the event log's topic takes no record of this size" in problem.message


async def test_a_worker_takes_the_session_that_the_brokers_allow_whether_they_tell_or_not(
    brokers: ManagedBrokers,
) -> None:
    """6.5 s at least, here: a user that may read it asks for that, any other for the next longer time that it tries."""
    provider = brokers.nodes[0]
    asked = [
        (brokers.admin_username, brokers.admin_password, OTHER_SESSIONS_MS[0]),
        (provider.admin_username, provider.admin_password, 6_500),
    ]
    for username, password, session_ms in asked:
        log = await KafkaLog.open(**address_of(brokers, username=username, password=password))  # type: ignore[arg-type]
        await log.create(Topic("intake.ro"))
        consumer = log.consumer(Store())
        await take(consumer)
        assert consumer._kafka._session_timeout_ms == session_ms  # type: ignore[union-attr]
        await consumer.close()
        await log.close()


async def test_of_an_append_only_the_records_that_the_topic_does_not_take_are_refused(brokers: ManagedBrokers) -> None:
    await asyncio.to_thread(brokers.make_topics, "intake.ro")
    log = await KafkaLog.open(**address_of(brokers))  # type: ignore[arg-type]
    small = [a_record(random.randbytes(2_000), b"%d" % number) for number in range(1_000)]
    large = a_record(random.randbytes(1_010_000), b"large")
    with pytest.raises(RecordsTooLarge) as told:
        await log.append(Topic("intake.ro"), [*small[:500], large, *small[500:], large])
    assert told.value.indices == [500, 1_001]
    assert set(told.value.positions.values()) == {1_000}
    await log.append(Topic("intake.ro"), [a_record(b"x" * 1_048_576, b"packed")])
    consumer = log.consumer(Store())
    read = await take_count(consumer, 1_001)
    assert [record.value for record in read[:-1]] == [record.value for record in small]
    assert read[-1].key == b"packed"
    await consumer.close()
    await log.close()


async def test_with_one_of_three_brokers_nothing_is_acknowledged_and_the_reason_is_told(
    brokers: ManagedBrokers,
) -> None:
    topic = Topic("intake.ro")
    log = await KafkaLog.open(**{**address_of(brokers), "append_within_s": 2.0})  # type: ignore[arg-type]
    await log.create(topic)
    await log.append(topic, [a_record(b"0")])
    for node in brokers.nodes[1:]:
        node.kill()
    try:
        told = await until(lambda: _told(log, topic), what="the missing copies")
        assert "intake.ro has 1 of 3 replicas in sync." in told.says
        assert "min.insync.replicas" in told.way_out
    finally:
        for node in brokers.nodes[1:]:
            await asyncio.to_thread(node.restart)
    await until(lambda: _appends(log, topic))
    await log.close()


async def _told(log: EventLog, topic: Topic) -> TryAgain | None:
    try:
        await log.append(topic, [a_record(b"1")])
    except TryAgain as error:
        return error if error.code == "log.few-replicas" else None
    return None


async def _appends(log: EventLog, topic: Topic) -> bool:
    try:
        await log.append(topic, [a_record(b"2")])
    except TryAgain:
        return False
    return True


async def test_what_may_not_be_read_is_a_note_and_what_may_not_be_mended_is_left_with_the_way_out(
    brokers: ManagedBrokers,
) -> None:
    await asyncio.to_thread(brokers.make_topics, "intake.ro")
    customer = broker_of(brokers)
    wanted = all_of(RO)
    left = {each.says: each for each in await customer.repair(wanted)}
    assert not any(each.repairable for each in left.values())
    retention = left["intake.ro has retention.ms=604800000 instead of -1."]
    assert "ALTER_CONFIGS on the topic intake.ro" in retention.way_out
    assert left["The brokers' settings cannot be checked: the hub's administrator may not read them."].note
    assert any(says.startswith("Quotas cannot be checked") and each.note for says, each in left.items())
    wrong = {says for says, each in left.items() if not each.note}
    assert {says for says in wrong if "intake.ro has " not in says} == {"centre ro has no password on the brokers."}
    provider = brokers.nodes[0]
    owner = broker_of(brokers, username=provider.admin_username, password=provider.admin_password)
    assert "broker" not in {says for says in said(await owner.repair(wanted)) if "has no password" not in says}
