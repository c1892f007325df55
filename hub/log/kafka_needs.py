"""The broker settings that the hub needs, one table for ``ctihub doctor``, ``ctihub status`` and ``docs/kafka.md``.

Settings of topics are in ``kafka_topics``: they are set on the topic, independent of the brokers' defaults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from hub.log.kafka_connection import KafkaConnection
from hub.log.port import Complaint

SESSION_TIMEOUT_MS = 6_000
"""The shortest session that a broker with default settings allows. A dead worker is noticed after one session; after
the rebalance others have taken over its partitions, within 8 s in total."""
TRANSACTION_TIMEOUT_MS = 10_000
"""How long an abandoned transaction hides later records from readers."""
LARGEST_REQUEST_BYTES = 16 << 20
"""The largest group of appends to one topic, with a margin."""
REFRESH_S = 12 * 3600.0
"""How often offsets are committed again. Kafka deletes the offsets of a group without members after
``offsets.retention.minutes``."""
GROUPS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Brokers:
    """The brokers and their current settings."""

    settings: Mapping[int, Mapping[str, str]]
    """The settings of each broker, by number. Empty if the hub's user may not read them."""
    count: int
    topics: frozenset[str]


@dataclass(frozen=True, slots=True)
class Need:
    """One broker setting that the hub depends on."""

    setting: str
    default: str
    """The default of Kafka."""
    fits: Callable[[int, Brokers], bool]
    """Returns whether a value is suitable: a number, or 1 for true and 0 for false."""
    otherwise: str
    """The consequence of an unsuitable value: the end of a sentence that starts with the setting."""
    way_out: str
    stops: bool
    """Whether a part of the hub does not work with such a value."""


def _copies_of(topic: str) -> Callable[[int, Brokers], bool]:
    """Returns a check: the topic exists, or there are enough brokers for its replicas."""
    return lambda copies, brokers: topic in brokers.topics or copies <= brokers.count


NEEDS: tuple[Need, ...] = (
    Need(
        "group.min.session.timeout.ms", "6000", lambda ms, _: ms <= SESSION_TIMEOUT_MS,
        "so the share of a worker that died is taken over only after that time",
        f"Set it to {SESSION_TIMEOUT_MS} or less.", False,
    ),
    Need(
        "group.max.session.timeout.ms", "1800000", lambda ms, _: ms >= SESSION_TIMEOUT_MS,
        "so a worker that is slow for a moment loses its share",
        f"Set it to {SESSION_TIMEOUT_MS} or more.", False,
    ),
    Need(
        "transaction.max.timeout.ms", "900000", lambda ms, _: ms >= TRANSACTION_TIMEOUT_MS,
        "so the relay cannot start and no topic of a collection is filled",
        f"Set it to {TRANSACTION_TIMEOUT_MS} or more.", True,
    ),
    Need(
        "offsets.topic.replication.factor", "3", _copies_of(GROUPS_TOPIC),
        "more than there are brokers, so there are no groups and no worker reads",
        "Set it to the number of brokers, 3 at most.", True,
    ),
    Need(
        "transaction.state.log.replication.factor", "3", _copies_of(TRANSACTIONS_TOPIC),
        "more than there are brokers, so there are no transactions and the relay cannot start",
        "Set it to the number of brokers, 3 at most.", True,
    ),
    Need(
        "transaction.state.log.min.isr", "2", lambda copies, brokers: copies <= brokers.count,
        "more than there are brokers, so there are no transactions and the relay cannot start",
        "Set it to 1 with one broker, to 2 with three.", True,
    ),
    Need(
        "offsets.retention.minutes", "10080", lambda minutes, _: minutes * 60 >= 2 * REFRESH_S,
        "so the relay's positions are forgotten and its topics are read back at each start",
        "Set it to 1440 or more.", False,
    ),
    Need(
        "socket.request.max.bytes", "104857600", lambda size, _: size >= LARGEST_REQUEST_BYTES,
        "so large pushes fail for ever",
        f"Set it to {LARGEST_REQUEST_BYTES} or more.", True,
    ),
    Need(
        "unclean.leader.election.enable", "false", lambda on, _: not on,
        "so records that were acknowledged can be lost",
        "Set it to false.", False,
    ),
    Need(
        "auto.create.topics.enable", "true", lambda on, _: not on,
        "so a client that misspells the name of a topic makes one",
        "Set it to false; the hub makes its topics itself.", False,
    ),
    Need(
        "delete.topic.enable", "true", lambda on, _: bool(on),
        "so the topic of a removed collection stays",
        "Set it to true.", False,
    ),
)  # fmt: skip


def judged(brokers: Brokers) -> list[Complaint]:
    """Returns a complaint for each unsuitable broker setting."""
    found = []
    for need in NEEDS:
        there = {no: said[need.setting] for no, said in brokers.settings.items() if need.setting in said}
        wrong = {no: value for no, value in there.items() if not need.fits(_number(value), brokers)}
        if wrong:
            which = "Kafka" if wrong.keys() == there.keys() else f"broker {min(wrong)} of Kafka"
            says = f"{which} has {need.setting}={wrong[min(wrong)]}, {need.otherwise}."
            found.append(Complaint(says, need.way_out, need.stops))
    return found


def session_within(brokers: Brokers) -> int | None:
    """Returns the session time nearest to the default that every broker allows; None if settings cannot be read."""
    least = [int(said["group.min.session.timeout.ms"]) for said in brokers.settings.values()]
    most = [int(said["group.max.session.timeout.ms"]) for said in brokers.settings.values()]
    return min(max(SESSION_TIMEOUT_MS, *least), *most) if least else None


async def brokers_of(kafka: KafkaConnection) -> Brokers:
    """Reads the brokers' settings, if the hub's user may. Raises errors of aiokafka and TimeoutError."""
    async with asyncio.timeout(ANSWER_WITHIN_S), kafka.admin() as admin:
        nodes = [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]]
        topics = frozenset(await admin.list_topics())
        return Brokers(await _settings(admin, nodes), len(nodes), topics)


async def _settings(admin: AIOKafkaAdminClient, nodes: Sequence[int]) -> dict[int, dict[str, str]]:
    found = {}
    for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, str(no)) for no in nodes]):
        for code, _, _, node, entries in answer.resources:
            if code:
                _pass_over(for_code(code))
                return {}
            found[int(node)] = {name: value for name, value, *_ in entries if value is not None}
    return found


def _pass_over(error: type[KafkaError]) -> None:
    """Ignores a refusal; raises errors that a retry may resolve."""
    if error.retriable:
        raise error


def _number(value: str) -> int:
    return int(value == "true") if value in {"true", "false"} else int(value)
