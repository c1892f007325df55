"""What every adapter raises where a store and a log do not belong together."""

from __future__ import annotations

from hub.log.port import TopicPartition
from hub.model.errors import Broken


def gap(partition: TopicPartition, position: int) -> Broken:
    """The store's position and the log do not belong together; going on would drop records in silence."""
    return Broken(
        "log.gap",
        f"The store continues at {partition.topic} {position}, which the event log does not have.",
        "Restore the event log and the store from the same backup.",
    )
