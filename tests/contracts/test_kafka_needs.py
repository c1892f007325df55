"""What of the brokers' settings the hub complains of, and what it asks for where they allow little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.log.kafka_consumer import HEARTBEATS, LONGEST_HEARTBEAT_MS, OTHER_SESSIONS_MS
from hub.log.kafka_needs import (
    GROUPS_TOPIC,
    NEEDS,
    SESSION_TIMEOUT_MS,
    TRANSACTIONS_TOPIC,
    Brokers,
    judged,
    session_within,
)
from hub.log.kafka_topics import PREFIXES, fits, settings_of

AS_KAFKA_HAS_THEM = {need.setting: need.default for need in NEEDS}


def brokers(*differences: dict[str, str], topics: tuple[str, ...] = ()) -> Brokers:
    """So many brokers with Kafka's own settings, but for these."""
    settings = {no: AS_KAFKA_HAS_THEM | said for no, said in enumerate(differences, 1)}
    return Brokers(settings, len(settings), frozenset(topics))


def test_three_brokers_with_kafka_s_own_settings_work_and_one_note_is_made() -> None:
    assert [(each.says, each.stops) for each in judged(brokers({}, {}, {}))] == [
        ("Kafka has auto.create.topics.enable=true, so a client that misspells the name of a topic makes one.", False)
    ]


@pytest.mark.parametrize(
    ("setting", "value", "stops"),
    [
        ("group.min.session.timeout.ms", "6001", False),
        ("group.max.session.timeout.ms", "5999", False),
        ("transaction.max.timeout.ms", "9999", True),
        ("offsets.topic.replication.factor", "4", True),
        ("transaction.state.log.replication.factor", "4", True),
        ("transaction.state.log.min.isr", "4", True),
        ("offsets.retention.minutes", "1439", False),
        ("socket.request.max.bytes", "16777215", True),
        ("unclean.leader.election.enable", "true", False),
        ("delete.topic.enable", "false", False),
    ],
)
def test_a_setting_that_does_not_fit_is_told_with_its_value_and_the_way_out(
    setting: str, value: str, stops: bool
) -> None:
    quiet = {"auto.create.topics.enable": "false"}
    (told,) = judged(brokers(quiet, quiet | {setting: value}, quiet))
    assert told.says.startswith(f"broker 2 of Kafka has {setting}={value}, ")
    assert told.stops is stops
    assert told.way_out


def test_one_broker_with_kafka_s_own_settings_has_no_groups_and_transactions_until_their_topics_are_there() -> None:
    said = [each.says for each in judged(brokers({})) if each.stops]
    assert len(said) == 3
    assert all("so there are no" in each for each in said)
    there = brokers({"transaction.state.log.min.isr": "1"}, topics=(GROUPS_TOPIC, TRANSACTIONS_TOPIC))
    assert not any(each.stops for each in judged(there))


@given(st.integers(1, 100_000), st.integers(0, 3_000_000), st.integers(1, 3))
def test_the_session_is_ours_or_the_nearest_that_every_broker_allows(least: int, more: int, count: int) -> None:
    limits = {"group.min.session.timeout.ms": f"{least}", "group.max.session.timeout.ms": f"{least + more}"}
    said = session_within(brokers(*[{}] * (count - 1), limits))
    assert said is not None
    assert said in {SESSION_TIMEOUT_MS, least, least + more}
    assert said <= least + more
    assert said == SESSION_TIMEOUT_MS or not least <= SESSION_TIMEOUT_MS <= least + more


def test_where_settings_may_not_be_read_there_is_nothing_to_complain_of_and_no_session_known() -> None:
    silent = Brokers({}, 3, frozenset())
    assert judged(silent) == []
    assert session_within(silent) is None


def test_a_dead_worker_is_noticed_and_its_group_told_within_8_seconds() -> None:
    heartbeat_ms = min(SESSION_TIMEOUT_MS // HEARTBEATS, LONGEST_HEARTBEAT_MS)
    assert SESSION_TIMEOUT_MS + 2 * heartbeat_ms < 8_000
    assert all(3 * min(ms // HEARTBEATS, LONGEST_HEARTBEAT_MS) < ms for ms in OTHER_SESSIONS_MS)


# Topics


@pytest.mark.parametrize("topic", PREFIXES)
@pytest.mark.parametrize("replication", [1, 2, 3])
def test_a_topic_as_the_hub_makes_it_fits(topic: str, replication: int) -> None:
    assert all(fits(name, value, value, replication) for name, value in settings_of(topic, replication).items())


@pytest.mark.parametrize(
    ("name", "said", "right", "good"),
    [
        ("retention.ms", "-1", "-1", True),
        ("retention.ms", "604800000", "-1", False),
        ("retention.ms", "-1", "604800000", True),
        ("retention.ms", "604800000", "604800001", False),
        ("max.message.bytes", "9000000", "8388608", True),
        ("max.message.bytes", "1048588", "8388608", False),
        ("delete.retention.ms", "86400000", "2592000000", False),
        ("max.compaction.lag.ms", "9223372036854775807", "3600000", False),
        ("segment.ms", "60000", "3600000", True),
        ("min.insync.replicas", "3", "2", True),
        ("min.insync.replicas", "4", "2", False),
        ("min.insync.replicas", "1", "2", False),
        ("compression.type", "gzip", "producer", True),
        ("compression.type", "zstd", "producer", False),
        ("message.timestamp.type", "CreateTime", "LogAppendTime", False),
    ],
)
def test_what_is_stricter_than_the_hub_asks_is_as_good(name: str, said: str, right: str, good: bool) -> None:
    assert fits(name, said, right, 3) is good
