"""Administration with real brokers: users, topics and grants follow each command; ``doctor --fix`` mends the rest."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka.admin import AdminClient

from tests.cli.admin import Shell
from tests.servers.kafka import KafkaServer


@pytest.fixture
def scaled(shell: Shell, kafka: KafkaServer) -> Shell:
    """A shell whose hub has Kafka."""
    options = {"BOOTSTRAP": kafka.bootstrap, "USERNAME": kafka.admin_username, "PASSWORD": kafka.admin_password}
    for name, value in (options | {"CA_FILE": str(kafka.ca_file)}).items():
        shell.patch.setenv(f"CTIHUB_KAFKA_{name}", value)
    return shell


def _write(kafka: KafkaServer, name: str, token: str, topic: str) -> None:
    """As a centre with a plain client."""

    async def work() -> None:
        producer = AIOKafkaProducer(**kafka.client_options(name, token), acks="all")
        try:
            await producer.start()
            await producer.send_and_wait(topic, b"{}")
        finally:
            await producer.stop()

    asyncio.run(work())


def _may_read(kafka: KafkaServer, name: str, token: str, topic: str) -> bool:
    """Whether a plain client may read a topic, empty as it is."""

    async def work() -> bool:
        options = kafka.client_options(name, token)
        consumer = AIOKafkaConsumer(topic, **options, group_id=f"{name}.x")
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=500)
        except TopicAuthorizationFailedError:
            return False
        finally:
            await consumer.stop()
        return True

    return asyncio.run(work())


def test_a_centre_writes_and_a_member_reads_with_the_tokens_that_were_printed(
    scaled: Shell, kafka: KafkaServer
) -> None:
    centre = scaled.done("centre", "add", "ro-cert", "--country", "RO")
    member = scaled.done("member", "add", "soc", "--accredited-by", "ro-cert")
    _write(kafka, "ro-cert", centre["token"], "intake.ro-cert")
    assert _may_read(kafka, "soc", member["token"], "collection.community")
    assert not _may_read(kafka, "soc", member["token"], "collection.network")
    with pytest.raises(TopicAuthorizationFailedError):
        _write(kafka, "soc", member["token"], "intake.ro-cert")
    scaled.done("member", "suspend", "soc")
    assert not _may_read(kafka, "soc", member["token"], "collection.community")
    scaled.done("member", "resume", "soc")
    assert _may_read(kafka, "soc", member["token"], "collection.community")


def test_doctor_finds_and_mends_what_somebody_changed_at_the_broker(scaled: Shell, kafka: KafkaServer) -> None:
    scaled.done("centre", "add", "ro-cert", "--country", "RO")
    before = scaled("doctor", "--fix", "--json")
    assert before.code == 0, before
    admin = AdminClient(kafka.admin_options())
    admin.delete_topics(["rejected.ro-cert"])["rejected.ro-cert"].result()
    found = [each for each in json.loads(scaled("doctor", "--json").out) if each["state"] == "bad"]
    assert [each["message"] for each in found] == ["There is no topic rejected.ro-cert."]
    assert found[0]["way_out"] == "ctihub doctor --fix"
    assert scaled("doctor", "--fix", "--json").code == 0
    assert scaled("doctor", "--json").code == 0


def test_while_the_brokers_are_away_a_centre_gets_its_token_and_the_operator_is_told(
    scaled: Shell, kafka: KafkaServer
) -> None:
    kafka.kill()
    answer = scaled("centre", "add", "ro-cert", "--country", "RO", "--json")
    assert answer.code == 1
    assert answer.json["token"].startswith("ctihub_")
    assert "doctor --fix" in answer.err
    assert "Traceback" not in answer.err
    kafka.restart()
    fixed = scaled("doctor", "--fix", "--json")
    left = [each for each in fixed.json if each["state"] == "bad"]
    assert [each["way_out"] for each in left] == ["Give it a new token: ctihub centre rotate ro-cert."]
    rotated = scaled.done("centre", "rotate", "ro-cert")
    assert scaled("doctor", "--json").code == 0
    _write(kafka, "ro-cert", rotated["token"], "intake.ro-cert")
