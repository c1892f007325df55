"""What principals can do on real brokers, tried with plain clients: exactly what the registry says, no more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AclOperation, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from confluent_kafka.admin import AdminClient as Admin

from hub.log.kafka import KafkaLog
from hub.log.kafka_topics import PREFIXES
from hub.log.port import Record, Topic
from hub.model.errors import Broken, TryAgain
from hub.model.principals import PLACEHOLDER_USER, PrincipalKind
from hub.model.words import CollectionName, SourceName
from hub.registry.broker import KafkaBroker
from hub.registry.kafka_admin import KafkaAdmin, _hub_error
from hub.registry.port import BrokerDifference, Entitlement, Entitlements
from hub.registry.tokens import Token, new_token
from tests.contracts.event_log import Store, take_count
from tests.servers.kafka import KafkaServer
from tests.waiting import WITHIN_S, until, wait_until


def a_centre(name: str, *collections: str, suspended: bool = False) -> Entitlement:
    return Entitlement(name, PrincipalKind.CENTRE, suspended, frozenset(map(CollectionName, collections)))


def a_member(name: str, *collections: str, suspended: bool = False) -> Entitlement:
    return replace(a_centre(name, *collections, suspended=suspended), kind=PrincipalKind.MEMBER)


def all_of(*principals: Entitlement, collections: Iterable[str] = ("community", "network")) -> Entitlements:
    centres = tuple(SourceName(principal.name) for principal in principals if principal.kind is PrincipalKind.CENTRE)
    return Entitlements(principals, centres, tuple(map(CollectionName, collections)))


RO = a_centre("ro", "community", "network")
IT = a_centre("it", "community", "network")
SOC1 = a_member("soc1", "community")
SOC10 = a_member("soc10", "community")
EVERYBODY = all_of(RO, IT, SOC1, SOC10)


def broker_of(kafka: KafkaServer, **options: str) -> KafkaBroker:
    options = {"username": kafka.admin_username, "password": kafka.admin_password, **options}
    return KafkaBroker(kafka.bootstrap, ca_file=str(kafka.ca_file), **options)  # type: ignore[arg-type]


@pytest.fixture
async def tokens(kafka: KafkaServer) -> dict[str, Token]:
    """A broker on which everybody has what the registry gives; their tokens by name."""
    broker = broker_of(kafka)
    tokens = {principal.name: new_token() for principal in EVERYBODY.principals}
    await broker.make_topics(EVERYBODY.centres, EVERYBODY.collections)
    await broker.grant(EVERYBODY.principals)
    for name, token in tokens.items():
        await broker.set_password(name, token)
    return tokens


class Clients:
    """Plain clients of one principal, as a peer would write them, with no code of the hub."""

    def __init__(self, kafka: KafkaServer, name: str, token: str) -> None:
        self._options = kafka.client_options(name, token)
        self._name = name

    @asynccontextmanager
    async def producer(self, **options: object) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(**self._options, **{"enable_idempotence": True, "acks": "all", **options})
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()

    @asynccontextmanager
    async def consumer(self, topic: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        group = f"{self._name}.soc" if group is None else group
        consumer = AIOKafkaConsumer(topic, **self._options, group_id=group, auto_offset_reset="earliest")
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()

    async def write(self, topic: str, value: bytes = b"{}", **options: object) -> None:
        async with self.producer(**options) as producer:
            await producer.send_and_wait(topic, value, key=b"indicator--1")

    async def read(self, topic: str, group: str | None = None) -> bytes | None:
        async with asyncio.timeout(WITHIN_S), self.consumer(topic, group) as consumer:
            return (await consumer.getone()).value  # type: ignore[no-any-return]


@pytest.fixture
def clients(kafka: KafkaServer, tokens: dict[str, Token]) -> dict[str, Clients]:
    clients = {name: Clients(kafka, name, token) for name, token in tokens.items()}
    clients["hub"] = Clients(kafka, kafka.admin_username, kafka.admin_password)
    return clients


# What is granted


async def test_a_centre_writes_its_intake_topic_and_reads_its_rejections(clients: dict[str, Clients]) -> None:
    await clients["ro"].write("intake.ro")
    await clients["hub"].write("rejected.ro", b"why")
    assert await clients["ro"].read("rejected.ro") == b"why"


@pytest.mark.parametrize("name", ["ro", "soc1"])
async def test_a_principal_reads_the_collections_of_its_groups(clients: dict[str, Clients], name: str) -> None:
    await clients["hub"].write("collection.community", b"shown")
    assert await clients[name].read("collection.community") == b"shown"


# What is not


@pytest.mark.parametrize("topic", ["intake.it", "rejected.ro", "collection.community", "intake.nobody", "elsewhere"])
async def test_a_centre_writes_nothing_but_its_intake_topic(clients: dict[str, Clients], topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await clients["ro"].write(topic)


async def test_a_member_writes_nothing(clients: dict[str, Clients]) -> None:
    with pytest.raises(ClusterAuthorizationFailedError):
        await clients["soc1"].write("intake.ro")
    with pytest.raises(TopicAuthorizationFailedError):
        await clients["soc1"].write("intake.ro", enable_idempotence=False)


@pytest.mark.parametrize("topic", ["collection.network", "intake.ro", "rejected.ro", "collection.nothing"])
async def test_a_member_reads_nothing_that_it_was_not_granted(clients: dict[str, Clients], topic: str) -> None:
    await clients["hub"].write("collection.network", b"secret")
    with pytest.raises(TopicAuthorizationFailedError):
        await clients["soc1"].read(topic)


@pytest.mark.parametrize("topic", ["intake.ro", "intake.it", "rejected.it"])
async def test_a_centre_reads_no_intake_and_no_rejections_of_another(clients: dict[str, Clients], topic: str) -> None:
    await clients["hub"].write(topic, b"secret")
    with pytest.raises(TopicAuthorizationFailedError):
        await clients["ro"].read(topic)


@pytest.mark.parametrize("group", ["soc10.soc", "soc1", "ro.x", "_ctihub.workers", "x"])
async def test_a_member_joins_no_group_of_another(clients: dict[str, Clients], group: str) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await clients["soc1"].read("collection.community", group)


async def test_a_centre_has_no_transactions(clients: dict[str, Clients]) -> None:
    with pytest.raises(TransactionalIdAuthorizationFailed):
        async with clients["ro"].producer(transactional_id="_ctihub.relay"):
            pass


async def test_nobody_comes_in_with_the_token_of_another(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    with pytest.raises(KafkaConnectionError):
        await Clients(kafka, "it", tokens["ro"]).write("intake.it")


# Changes


async def test_a_suspended_principal_is_cut_off_in_the_middle_and_comes_back_with_the_same_token(
    kafka: KafkaServer, clients: dict[str, Clients]
) -> None:
    broker = broker_of(kafka)
    async with clients["ro"].producer() as producer, clients["ro"].consumer("collection.community") as consumer:
        await producer.send_and_wait("intake.ro", b"{}")
        await clients["hub"].write("collection.community", b"before")
        assert (await consumer.getone()).value == b"before"
        await broker.grant([replace(RO, suspended=True, collections=frozenset())])
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait("intake.ro", b"{}")
            with pytest.raises((TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
                await consumer.getone()
    with pytest.raises((TopicAuthorizationFailedError, ClusterAuthorizationFailedError)):
        await clients["ro"].write("intake.ro")
    await broker.grant([RO])
    await clients["ro"].write("intake.ro")
    assert await clients["ro"].read("collection.community", "ro.again") == b"before"


async def test_leaving_a_group_takes_its_collections_away(kafka: KafkaServer, clients: dict[str, Clients]) -> None:
    await clients["hub"].write("collection.network", b"secret")
    await broker_of(kafka).grant([replace(SOC1, collections=frozenset({CollectionName("network")}))])
    assert await clients["soc1"].read("collection.network") == b"secret"
    await broker_of(kafka).grant([SOC1])
    with pytest.raises(TopicAuthorizationFailedError):
        await clients["soc1"].read("collection.network")


async def test_a_rotated_token_replaces_the_old_one(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    fresh = new_token()
    await broker_of(kafka).set_password("ro", fresh)
    await Clients(kafka, "ro", fresh).write("intake.ro")
    with pytest.raises(KafkaConnectionError):
        await Clients(kafka, "ro", tokens["ro"]).write("intake.ro")


async def test_a_removed_collection_is_gone_with_its_grants(kafka: KafkaServer, clients: dict[str, Clients]) -> None:
    broker = broker_of(kafka)
    await broker.remove_collection(CollectionName("community"))
    await broker.remove_collection(CollectionName("community"))
    without = all_of(
        *(replace(each, collections=each.collections - {"community"}) for each in EVERYBODY.principals),
        collections=["network"],
    )
    assert await broker.compare(without) == []


async def test_the_intake_topics_of_the_hub_s_log_are_the_same(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    log = await KafkaLog.open(
        kafka.bootstrap, username=kafka.admin_username, password=kafka.admin_password, ca_file=str(kafka.ca_file)
    )
    await log.create(Topic("intake.pl"))
    await log.close()
    pl = a_centre("pl", "community", "network")
    broker = broker_of(kafka)
    await broker.make_topics([SourceName("pl")], [])
    await broker.grant([pl])
    await broker.set_password("pl", new_token())
    assert await broker.compare(all_of(*EVERYBODY.principals, pl)) == []


# Comparing and mending


def said(differences: Iterable[BrokerDifference]) -> set[str]:
    return {difference.says for difference in differences}


async def test_a_broker_that_was_brought_up_has_no_difference(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    broker = broker_of(kafka)
    assert await broker.compare(EVERYBODY) == []
    await broker.make_topics(EVERYBODY.centres, EVERYBODY.collections)
    await broker.grant(EVERYBODY.principals)
    assert await broker.compare(EVERYBODY) == []


async def test_an_empty_broker_lacks_everything_and_only_passwords_cannot_be_mended(kafka: KafkaServer) -> None:
    broker = broker_of(kafka)
    wanted = all_of(RO, SOC1, collections=["community"])
    differences = await broker.compare(wanted)
    assert said(differences) >= {
        "There is no topic intake.ro.",
        "There is no topic rejected.ro.",
        "There is no topic collection.community.",
        "ro may not write topic intake.ro.",
        "soc1 may not read topic collection.community.",
        "soc1 may not read group soc1.*.",
        "centre ro has no password on the brokers.",
        "soc1 does not have the quotas of the hub.",
    }
    left = await broker.repair(wanted)
    assert said(left) == {
        "centre ro has no password on the brokers.",
        "member soc1 has no password on the brokers.",
    }
    assert all("rotate" in difference.way_out and not difference.repairable for difference in left)


async def test_what_somebody_changed_by_hand_is_found_and_mended(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    broker = broker_of(kafka)
    kafka.add_user(
        "soc1",
        tokens["soc1"],
        (AclOperation.READ, ResourceType.TOPIC, "intake.*"),
        (AclOperation.ALL, ResourceType.GROUP, "other"),
    )
    kafka.add_user("stranger", "secret", (AclOperation.READ, ResourceType.TOPIC, "coll*"))
    kafka.add_user("neighbour", "secret", (AclOperation.READ, ResourceType.TOPIC, "orders"))
    await _create_topics(kafka, "collection.gone", "intake.gone")
    await _set(kafka, "collection.community", {"cleanup.policy": "delete"})
    await _delete_topic(kafka, "rejected.it")
    found = {difference.says: difference.repairable for difference in await broker.compare(EVERYBODY)}
    by_hand = {
        "A grant that the hub did not make allows User:soc1 ALL on GROUP other from *.": False,
        "stranger, whom the registry does not know, may read topic coll*.": False,
        "intake.gone belongs to no centre.": False,
    }
    assert found == by_hand | {
        "soc1 may read topic intake.* and should not.": True,
        "collection.gone belongs to no collection.": True,
        "collection.community has cleanup.policy=delete instead of compact.": True,
        "There is no topic rejected.it.": True,
    }
    assert said(await broker.repair(EVERYBODY)) == by_hand.keys()
    assert said(await broker.compare(EVERYBODY)) == by_hand.keys()


async def _create_topics(kafka: KafkaServer, *names: str) -> None:
    admin = Admin(kafka.admin_options())
    futures = admin.create_topics([NewTopic(name, 1, 1) for name in names])
    await asyncio.to_thread(lambda: [future.result() for future in futures.values()])
    await until(lambda: set(names) <= admin.list_topics(timeout=WITHIN_S).topics.keys())


async def _delete_topic(kafka: KafkaServer, name: str) -> None:
    admin = Admin(kafka.admin_options())
    await asyncio.to_thread(lambda: admin.delete_topics([name])[name].result())
    await until(lambda: name not in admin.list_topics(timeout=WITHIN_S).topics)


async def _set(kafka: KafkaServer, topic: str, settings: dict[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin = Admin(kafka.admin_options())
    futures = admin.incremental_alter_configs([resource])
    await asyncio.to_thread(lambda: [future.result() for future in futures.values()])


async def test_a_principal_over_its_quota_is_slowed_down(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    """The broker says itself when it holds back an answer; the quota is so small that any machine exceeds it."""
    broker = KafkaBroker(
        kafka.bootstrap,
        username=kafka.admin_username,
        password=kafka.admin_password,
        ca_file=str(kafka.ca_file),
        quotas={"producer_byte_rate": 1_000, "consumer_byte_rate": 1 << 20},
    )
    assert "ro does not have the quotas of the hub." in said(await broker.compare(EVERYBODY))
    await broker.grant([RO])
    assert await asyncio.to_thread(_is_held_back, kafka, "ro", tokens["ro"])
    assert not await asyncio.to_thread(_is_held_back, kafka, "it", tokens["it"])
    assert await broker_of(kafka).repair(EVERYBODY) == []


def _is_held_back(kafka: KafkaServer, name: str, token: Token) -> bool:
    """Whether the broker slows down a principal that writes 200 kB."""
    told: list[object] = []
    came_in = {"sasl.username": name, "sasl.password": token}
    producer = Producer(kafka.admin_options() | came_in | {"throttle_cb": told.append})
    for _ in range(10):
        producer.produce(f"intake.{name}", random.randbytes(20_000))
    wait_until(lambda: producer.flush(0.1) == 0, what="everything is written")
    return bool(told)


# The hub's own users


async def test_a_hub_with_a_user_of_its_own_gets_what_it_needs_and_no_more(kafka: KafkaServer) -> None:
    broker = broker_of(kafka, hub_username="ctihub_hub")
    await broker.repair(EVERYBODY)
    kafka.add_user("ctihub_hub", "secret")
    log = await KafkaLog.open(kafka.bootstrap, username="ctihub_hub", password="secret", ca_file=str(kafka.ca_file))
    topic, store = Topic("intake.ro"), Store()
    await log.create(topic)
    await log.create(Topic("intake.new"))
    await log.append(topic, [Record(None, b"1"), Record(None, b"2")])
    consumer = log.consumer(store)
    (first, _) = await take_count(consumer, 2, store=store)
    assert await log.trim(store.positions, older_than=first.time.replace(year=first.time.year + 1)) == 2
    await consumer.close()
    await log.close()
    hub = Clients(kafka, "ctihub_hub", "secret")
    await hub.write("rejected.ro")
    async with hub.producer(transactional_id="_ctihub.relay") as producer, producer.transaction():
        await producer.send_and_wait("collection.community", b"{}", key=b"indicator--1")
    with pytest.raises(TopicAuthorizationFailedError):
        await hub.write("elsewhere")


async def test_no_principal_may_have_the_name_of_a_user_of_the_hub(kafka: KafkaServer) -> None:
    broker = broker_of(kafka, hub_username="hub")
    for name in ("hub", PLACEHOLDER_USER):
        with pytest.raises(Broken):
            await broker.set_password(name, new_token())
    with pytest.raises(Broken):
        await broker.grant([a_member("hub")])
    await broker.repair(all_of(a_member("hub"), collections=[]))
    assert said(await broker.compare(all_of(a_member("hub"), collections=[]))) == {
        "member hub has the name of a user of the hub."
    }


async def test_a_missing_placeholder_user_is_named_and_made(kafka: KafkaServer, tokens: dict[str, Token]) -> None:
    await asyncio.to_thread(KafkaAdmin(kafka.admin_options()).remove_passwords, [PLACEHOLDER_USER])
    broker = broker_of(kafka)
    assert said(await broker.compare(EVERYBODY)) == {
        f"There is no user {PLACEHOLDER_USER}, without which brokers can lose all others."
    }
    assert await broker.repair(EVERYBODY) == []
    assert await broker.compare(EVERYBODY) == []


async def test_an_administrator_who_may_not_make_the_placeholder_user_is_told_what_it_needs(
    kafka: KafkaServer, tokens: dict[str, Token]
) -> None:
    seen = [(AclOperation.DESCRIBE, ResourceType.TOPIC, prefix + "*") for prefix in PREFIXES]
    seen.append((AclOperation.DESCRIBE, ResourceType.BROKER, "kafka-cluster"))
    await asyncio.to_thread(kafka.add_user, "looks", "secret", *seen)
    await asyncio.to_thread(KafkaAdmin(kafka.admin_options()).remove_passwords, [PLACEHOLDER_USER])
    looks = broker_of(kafka, username="looks", password="secret")
    (left,) = (each for each in await looks.repair(EVERYBODY) if PLACEHOLDER_USER in each.says)
    assert not left.repairable
    assert "ALTER on the cluster" in left.way_out


async def test_the_placeholder_user_is_made_also_by_a_process_that_only_removes_users(
    kafka: KafkaServer, tokens: dict[str, Token]
) -> None:
    await asyncio.to_thread(KafkaAdmin(kafka.admin_options()).remove_passwords, [PLACEHOLDER_USER])
    await broker_of(kafka).remove_users(["soc1"])
    left = all_of(RO, IT, SOC10)
    assert await broker_of(kafka).compare(left) == []


async def test_brokers_that_are_away_or_refuse_are_told_apart(kafka: KafkaServer) -> None:
    kafka.add_user("nobody", "secret")
    with pytest.raises(Broken) as told:
        await broker_of(kafka, username="nobody", password="secret").grant([RO])
    assert told.value.code == "broker.not-allowed"
    with pytest.raises(Broken) as told:
        await broker_of(kafka, password="guess").grant([RO])
    assert told.value.code == "broker.not-allowed"
    kafka.kill()
    with pytest.raises(TryAgain):
        await broker_of(kafka).grant([RO])


# An administrator who may do little


async def test_an_administrator_without_rights_is_told_which_it_needs_and_what_was_not_checked(
    kafka: KafkaServer, tokens: dict[str, Token]
) -> None:
    seen = [(AclOperation.DESCRIBE, ResourceType.TOPIC, prefix + "*") for prefix in PREFIXES]
    await asyncio.to_thread(kafka.add_user, "limited", "secret", *seen)
    limited = broker_of(kafka, username="limited", password="secret")
    for refused, right in (
        (limited.set_password("ro", new_token()), "ALTER on the cluster"),
        (limited.make_topics([SourceName("pl")], []), "CREATE on the topic intake.pl"),
        (limited.grant([RO]), "DESCRIBE and ALTER on the cluster"),
    ):
        with pytest.raises(Broken) as told:
            await refused
        assert told.value.code == "broker.not-allowed"
        assert right in told.value.way_out
    notes = {each.says.split(":")[0] for each in await limited.compare(EVERYBODY) if each.note}
    assert notes >= {"Users cannot be checked", "Grants cannot be checked", "Quotas cannot be checked"}
    assert "The brokers' settings cannot be checked" in notes
    assert "The settings of intake.ro may not be read." in said(await limited.compare(EVERYBODY))
    assert not [each for each in await limited.repair(EVERYBODY) if not each.note]


async def test_a_topic_with_other_settings_than_the_hub_s_gets_them_when_its_centre_is_added(
    kafka: KafkaServer,
) -> None:
    await _create_topics(kafka, "intake.ro")
    broker = broker_of(kafka)
    await broker.make_topics([SourceName("ro")], [])
    await until(lambda: _has_our_settings(broker), what="the topic has the hub's settings")


async def _has_our_settings(broker: KafkaBroker) -> bool:
    return not [says for says in said(await broker.compare(all_of(RO))) if says.startswith("intake.ro has")]


async def test_settings_that_are_stricter_than_the_hub_s_are_no_difference(
    kafka: KafkaServer, tokens: dict[str, Token]
) -> None:
    await _set(kafka, "collection.community", {"segment.ms": "60000", "max.message.bytes": "9000000"})
    await _set(kafka, "rejected.ro", {"retention.ms": "-1"})
    assert await broker_of(kafka).compare(EVERYBODY) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaError.TOPIC_DELETION_DISABLED, "broker.no-deletion"),
        (KafkaError.POLICY_VIOLATION, "broker.settings-refused"),
        (KafkaError.INVALID_CONFIG, "broker.settings-refused"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "broker.replication"),
        (KafkaError.UNSUPPORTED_VERSION, "broker.too-old"),
        (KafkaError.UNSUPPORTED_SASL_MECHANISM, "broker.no-scram"),
        (KafkaError.SECURITY_DISABLED, "broker.open"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, "broker.not-allowed"),
    ],
)
def test_what_the_brokers_rule_out_has_a_code_and_a_way_out_and_is_not_away(error: int, code: str) -> None:
    told = _hub_error(KafkaError(error), "ALTER on the cluster", unknown=False)
    assert isinstance(told, Broken)
    assert told.code == code
    assert told.way_out
