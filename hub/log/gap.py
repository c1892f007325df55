"""The error that every adapter raises when the store and the event log do not match."""

from __future__ import annotations

from hub.log.port import TopicPartition
from hub.model.errors import Broken


def gap(partition: TopicPartition, position: int) -> Broken:
    """Returns the error for a stored position that the log does not have. Continuing would silently skip records."""
    return Broken(
        "log.gap",
        f"The store continues at {partition.topic} {position}, which the event log does not have.",
        "Restore the event log and the store from the same backup.",
    )
