"""The log and a whole hub on a broker with the settings that Kafka ships; only listeners and users are ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connectors.sdk import PublishRefused, TryLater
from connectors.sdk.kafka import KafkaAccess, KafkaPublisher
from hub.log.kafka import GROUP, UNREAD, KafkaLog
from hub.log.port import Topic
from hub.model.errors import Broken
from hub.registry.port import NO_GRANTS
from hub.registry.tokens import new_token
from tests.contracts.event_log import Store, take
from tests.contracts.foreign import KafkaLogContract, killed_and_equal
from tests.contracts.test_kafka_log import address_of
from tests.registry.test_broker import RO, all_of, broker_of
from tests.servers.brokers import ForeignServer, foreign_broker
from tests.waiting import WITHIN_S, until


@pytest.fixture(scope="module")
def _broker() -> Iterator[ForeignServer]:
    with foreign_broker() as broker:
        yield broker


@pytest.fixture
def broker(_broker: ForeignServer) -> ForeignServer:
    """Empty, with nobody but its administrator."""
    _broker.wipe()
    return _broker


async def test_an_operator_is_told_whether_anybody_reads(broker: ForeignServer) -> None:
    log = await KafkaLog.open(**address_of(broker))  # type: ignore[arg-type]
    await log.create(Topic("intake.ro"))
    unread, noted = UNREAD, "auto.create.topics.enable=true"
    told = await log.complaints()
    assert unread in told
    assert any(noted in each.says for each in told)
    consumer = log.consumer(Store())
    await take(consumer)
    told = await log.complaints()
    assert unread not in told
    assert any(noted in each.says for each in told)
    await consumer.close()
    await log.close()


async def test_a_topic_that_a_client_made_by_asking_for_it_gets_the_hub_s_settings(broker: ForeignServer) -> None:
    await _ask_for(broker, "intake.ro")
    admin = broker_of(broker)
    wanted = all_of(RO, collections=[])
    before = {each.says for each in await admin.compare(wanted)}
    assert "intake.ro has message.timestamp.type=CreateTime instead of LogAppendTime." in before
    await admin.make_topics(wanted.centres, wanted.collections)
    assert not any(each.says.startswith("intake.ro has") for each in await admin.compare(wanted))


async def _ask_for(broker: ForeignServer, topic: str) -> None:
    """As a plain client does: for a topic that is not there."""
    admin = AdminClient(broker.admin_options() | {"allow.auto.create.topics": "true"})
    await until(lambda: topic in admin.list_topics(topic, timeout=WITHIN_S).topics and _is_there(admin, topic))


def _is_there(admin: AdminClient, topic: str) -> bool:
    return topic in admin.list_topics(timeout=WITHIN_S).topics


def test_a_connector_that_misspells_its_centre_is_told_and_makes_no_topic(
    broker: ForeignServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sdk.kafka._REQUEST_TIMEOUT_MS", 2_000)
    told = KafkaAccess(broker.bootstrap, broker.admin_username, broker.admin_password, str(broker.ca_file))
    with KafkaPublisher(told, centre="rro", patience_s=0.1) as publisher, pytest.raises((PublishRefused, TryLater)):
        publisher.publish([b"{}"])
    assert not _is_there(AdminClient(broker.admin_options()), "intake.rro")


async def test_brokers_that_enforce_no_grants_are_told_and_work(broker: ForeignServer) -> None:
    admin = broker_of(broker)
    wanted = all_of(RO)
    await admin.make_topics(wanted.centres, wanted.collections)
    with pytest.raises(Broken) as refused:
        await admin.grant(wanted.principals)
    assert refused.value.code == NO_GRANTS
    await admin.set_password("ro", new_token())
    wrong = [each for each in await admin.repair(wanted) if not each.note]
    assert [each.says for each in wrong if "quotas" not in each.says] == [refused.value.says]


@pytest.fixture(scope="class")
def _company(_broker: ForeignServer) -> Iterator[None]:
    """Somebody is in the workers' group already, so that no test waits for three seconds."""
    options = {name: value for name, value in _broker.client_options().items() if isinstance(value, str)}
    words = [json.dumps(options | {"ca_file": str(_broker.ca_file)}), GROUP]
    child = subprocess.Popen([sys.executable, "-m", "tests.contracts.company", *words], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"joined\n"
        yield
    finally:
        child.terminate()
        child.communicate()


class TestKafkaLogAsShipped(KafkaLogContract):
    @pytest.fixture(autouse=True)
    def _the_broker(self, broker: ForeignServer, _company: None) -> None:
        self.kafka = broker


def test_a_hub_whose_parts_are_killed_loses_and_doubles_nothing(
    tmp_path: Path, broker: ForeignServer, postgres_url: str
) -> None:
    killed_and_equal(tmp_path, broker, postgres_url)
