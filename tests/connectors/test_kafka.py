"""Publishing to a real Kafka with a centre's rights, and reading a collection's topic with a member's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka.admin import AclOperation, AdminClient, NewTopic, ResourceType

from connectors.sdk import CheckpointFile, PublishRefused, Runner, TryLater
from connectors.sdk.kafka import KafkaAccess, KafkaFollower, KafkaPublisher
from connectors.stix_file import StixFileConnector, StixFileSettings
from hub.cli import run
from tests.servers.kafka import KafkaServer
from tests.waiting import WITHIN_S, until

SECRET = "centre-token"


@pytest.fixture
def broker(kafka: KafkaServer) -> KafkaAccess:
    """cert-ro with the grants of a centre, soc-1 with those of a member, and their topics."""
    admin = AdminClient(kafka.admin_options())
    compacted = {"cleanup.policy": "compact"}
    topics = [
        NewTopic("intake.cert-ro", 1, 1, config={"max.message.bytes": "1100000"}),
        NewTopic("intake.cert-it", 1, 1),
        NewTopic("collection.community", 1, 1, config=compacted),
    ]
    for future in admin.create_topics(topics).values():
        future.result(WITHIN_S)
    kafka.add_user("cert-ro", SECRET, (AclOperation.WRITE, ResourceType.TOPIC, "intake.cert-ro"))
    kafka.add_user(
        "soc-1",
        SECRET,
        (AclOperation.READ, ResourceType.TOPIC, "collection.community"),
        (AclOperation.READ, ResourceType.GROUP, "soc-1.*"),
    )
    return KafkaAccess(kafka.bootstrap, "cert-ro", SECRET, str(kafka.ca_file))


@pytest.fixture
def publisher(broker: KafkaAccess) -> Iterator[KafkaPublisher]:
    with KafkaPublisher(broker, patience_s=WITHIN_S) as one:
        yield one


async def records(kafka: KafkaServer, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    consumer = AIOKafkaConsumer(topic, **kafka.client_options(), auto_offset_reset="earliest")
    await consumer.start()
    found: list[tuple[bytes | None, bytes | None]] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            while len(found) < count:
                batch = await consumer.getmany(timeout_ms=200)
                found += [(record.key, record.value) for part in batch.values() for record in part]
    finally:
        await consumer.stop()
    return found


def numbered(count: int) -> list[bytes]:
    return [b'{"type":"indicator","id":"indicator--%d"}' % number for number in range(count)]


async def test_objects_arrive_in_order_under_their_ids(kafka: KafkaServer, publisher: KafkaPublisher) -> None:
    bodies = [*numbered(2_000), b"not json", b'{"id":7}']
    acknowledged = await asyncio.to_thread(publisher.publish, bodies)
    assert acknowledged.received == len(bodies)
    found = await records(kafka, "intake.cert-ro", len(bodies))
    assert [value for _, value in found] == bodies
    assert [key for key, _ in found[:2]] == [b"indicator--0", b"indicator--1"]
    assert [key for key, _ in found[-2:]] == [None, None]


async def test_what_a_source_lists_no_more_is_withdrawn_by_null_values(
    kafka: KafkaServer, publisher: KafkaPublisher
) -> None:
    await asyncio.to_thread(publisher.publish, numbered(1))
    acknowledged = await asyncio.to_thread(publisher.withdraw, ["indicator--0", "indicator--1"])
    assert acknowledged.received == 2
    found = await records(kafka, "intake.cert-ro", 3)
    assert found[1:] == [(b"indicator--0", None), (b"indicator--1", None)]


async def test_an_object_that_the_topic_does_not_take_is_noted_and_the_others_arrive(
    kafka: KafkaServer, publisher: KafkaPublisher
) -> None:
    import os

    noise = os.urandom(1_500_000).hex().encode()  # what can be compressed would pass
    bodies = [*numbered(3), b'{"x":"' + noise + b'"}', *numbered(3), b"y" * (17 << 20), *numbered(3)]
    acknowledged = await asyncio.to_thread(publisher.publish, bodies)
    assert acknowledged.received == 9
    assert len(publisher.too_large) == 2
    assert [value for _, value in await records(kafka, "intake.cert-ro", 9)] == numbered(3) * 3


def test_a_centre_cannot_write_where_it_has_no_right(broker: KafkaAccess) -> None:
    with KafkaPublisher(broker, centre="cert-it", patience_s=WITHIN_S) as publisher:
        with pytest.raises(PublishRefused, match=r"cert-ro has no right on the topic intake\.cert-it") as raised:
            publisher.publish(numbered(1))
        assert raised.value.code == "kafka.not-allowed"


def test_a_wrong_token_is_told_once_patience_ends(broker: KafkaAccess) -> None:
    wrong = KafkaAccess(broker.bootstrap, "cert-ro", "wrong", broker.ca_file)
    with KafkaPublisher(wrong, patience_s=0.1) as publisher:
        with pytest.raises(TryLater, match="does not take what is sent") as raised:
            publisher.publish(numbered(1))
        assert "token" in raised.value.way_out


async def test_a_broker_that_is_killed_while_a_connector_runs_loses_nothing(
    kafka: KafkaServer, publisher: KafkaPublisher, tmp_path: Path
) -> None:
    bodies = numbered(3_000)
    (tmp_path / "feed.ndjson").write_bytes(b"\n".join(bodies))
    connector = StixFileConnector(StixFileSettings(path=str(tmp_path / "feed.ndjson")))
    checkpoints = CheckpointFile(tmp_path / "state.json", connector="stix-file")
    runner = Runner(connector, publisher, checkpoints, batch_objects=100)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(asyncio.to_thread(runner.run))
        await until(lambda: runner.report.objects >= 500)
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(kafka.restart)
    assert running.result().objects == 3_000
    found = [value for _, value in await records(kafka, "intake.cert-ro", 3_000)]
    assert list(dict.fromkeys(found)) == bodies


async def write_changes(kafka: KafkaServer, seqs: list[int]) -> None:
    """As the hub's relay does: in a transaction, with ``seq``; every fifth change withdraws."""
    producer = AIOKafkaProducer(**kafka.client_options(), transactional_id="relay")
    await producer.start()
    try:
        for commit in (False, True):  # what was aborted must not be read
            await producer.begin_transaction()
            for seq in seqs:
                value = None if seq % 5 == 0 else b'{"n":%d}' % seq
                headers = [("seq", b"%d" % (seq if commit else seq + 1_000))]
                key = b"indicator--%d" % seq
                await producer.send_and_wait("collection.community", value, key=key, headers=headers)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def test_a_member_reads_what_is_committed_each_change_once(kafka: KafkaServer, broker: KafkaAccess) -> None:
    await write_changes(kafka, [1, 2, 3, 3, 2, 4, 5, 6])  # a relay that began anew repeats
    member = KafkaAccess(broker.bootstrap, "soc-1", SECRET, broker.ca_file)
    follower = KafkaFollower(member, "community", after=1)
    found = []
    async with asyncio.timeout(WITHIN_S), aclosing(follower.changes()) as changes:
        async for change in changes:
            found.append((change.seq, change.object, change.withdrawn))
            if change.seq == 6:
                break
    assert found == [
        (2, b'{"n":2}', None),
        (3, b'{"n":3}', None),
        (4, b'{"n":4}', None),
        (5, None, "indicator--5"),
        (6, b'{"n":6}', None),
    ]
    assert follower.seq == 6


async def test_a_member_without_the_right_is_told_so(broker: KafkaAccess) -> None:
    member = KafkaAccess(broker.bootstrap, "soc-1", SECRET, broker.ca_file)
    async with asyncio.timeout(WITHIN_S), aclosing(KafkaFollower(member, "network").changes()) as changes:
        with pytest.raises(PublishRefused, match=r"soc-1 has no right on the topic collection\.network"):
            await anext(changes)


def test_the_commands_speak_kafka_when_they_are_told_to(
    kafka: KafkaServer,
    broker: KafkaAccess,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CTIHUB_TOKEN", SECRET)
    (tmp_path / "feed.ndjson").write_bytes(b"\n".join(numbered(5)))
    reach = ["--bootstrap", kafka.bootstrap, "--ca-file", str(kafka.ca_file)]
    connect = ["connect", "stix-file", f"path={tmp_path}/feed.ndjson", "--state", str(tmp_path / "state.json")]
    assert run([*connect, "--to", "kafka", "--user", "cert-ro", *reach]) == 0
    assert "sent 5" in capfd.readouterr().err
    assert len(asyncio.run(records(kafka, "intake.cert-ro", 5))) == 5
    asyncio.run(write_changes(kafka, [1, 2]))
    subscribe = ["subscribe", "community", "--via", "kafka", "--user", "soc-1", "--until-idle", "10"]
    assert run([*subscribe, *reach]) == 0
    assert capfd.readouterr().out == '{"n":1}\n{"n":2}\n'
