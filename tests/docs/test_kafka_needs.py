"""What the hub needs of Kafka stands in ``docs/kafka.md``, each setting with Kafka's own default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.log.kafka_connection import _OF_THE_BROKERS
from hub.log.kafka_needs import NEEDS, Need
from hub.log.kafka_topics import PREFIXES, settings_of

PAGE = (Path(__file__).parents[2] / "docs/kafka.md").read_text("utf-8")


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.setting)
def test_every_setting_that_is_checked_stands_in_the_table_with_kafka_s_default(need: Need) -> None:
    assert f"| `{need.setting}` | {need.default} |" in PAGE


def test_every_setting_of_a_topic_stands_in_the_table() -> None:
    table = PAGE[PAGE.index("### Settings of the topics") : PAGE.index("### Rights")]
    assert set(re.findall(r"`([a-z.]+\.[a-z]+)`", table)) >= {
        name for kind in PREFIXES for name in settings_of(kind, 3)
    }


@pytest.mark.parametrize("code", ["log.transaction-timeout", "log.no-coordinator", "log.few-replicas"])
def test_what_the_brokers_settings_rule_out_is_named_by_its_code(code: str) -> None:
    assert code in {known for known, _, _ in _OF_THE_BROKERS.values()}
    assert f"`{code}`" in PAGE
