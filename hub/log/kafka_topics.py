"""The settings of the hub's topics on Kafka, in one table for creating and checking topics."""

from __future__ import annotations

from collections.abc import Mapping

from hub.log.port import INTAKE_PREFIX

REJECTED_PREFIX = "rejected."
COLLECTION_PREFIX = "collection."
PREFIXES = (INTAKE_PREFIX, REJECTED_PREFIX, COLLECTION_PREFIX)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_ALL = {
    # Larger than the largest object (1 MiB), with a margin for bundles; Kafka's default would refuse such objects.
    "max.message.bytes": str(8 << 20),
}
_INTAKE = {
    "cleanup.policy": "delete",
    # The time of a record is when the log stored it, not the time of the centre's clock: it orders contested ids.
    "message.timestamp.type": "LogAppendTime",
    # The hub itself deletes records when they are in its store; Kafka must not delete them by age or size.
    "retention.ms": "-1",
    "retention.bytes": "-1",
}
_READ_BY_OTHERS = {
    # Keep the relay's gzip: brokers that recompress may choose a codec that some clients cannot read.
    "compression.type": "producer",
}
_REJECTED = {
    **_READ_BY_OTHERS,
    "cleanup.policy": "delete",
    # A centre that reads less often gets its rejections over HTTP: the store keeps them.
    "retention.ms": str(90 * DAY_MS),
    "retention.bytes": "-1",
}
_COLLECTION = {
    **_READ_BY_OTHERS,
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": "0",
    # Withdrawn objects, such as those marked too low, remain in the topic for about this long.
    "max.compaction.lag.ms": str(HOUR_MS),
    "segment.ms": str(HOUR_MS),
    # A member that reads less often may miss tombstones: it must read the topic from its start into an empty state.
    "delete.retention.ms": str(30 * DAY_MS),
}


def settings_of(topic: str, replication: int) -> Mapping[str, str]:
    """Returns the settings for ``topic``. With three replicas or more, min.insync.replicas is 2."""
    kind = (
        _INTAKE if topic.startswith(INTAKE_PREFIX) else _REJECTED if topic.startswith(REJECTED_PREFIX) else _COLLECTION
    )
    return {**_ALL, **kind, "min.insync.replicas": "2" if replication > 2 else "1"}


def fits(name: str, said: str, right: str, replication: int) -> bool:
    """Returns whether the value ``said`` of a setting is at least as good as ``right``."""
    match name:
        case "retention.ms" | "retention.bytes":
            return said == "-1" or (right != "-1" and int(said) >= int(right))
        case "max.message.bytes" | "delete.retention.ms":
            return int(said) >= int(right)
        case "max.compaction.lag.ms" | "segment.ms":
            return int(said) <= int(right)
        case "min.insync.replicas":
            return int(right) <= int(said) <= replication
        case "compression.type":
            return said in {"producer", "gzip", "uncompressed"}
        case _:
            return said == right
