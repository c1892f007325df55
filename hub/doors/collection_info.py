"""A collection as the interface shows it, for every door that does."""

from __future__ import annotations

from hub.model.policy import Collection
from hub.store.port import LogEnd
from schemas.api import CollectionInfo


def collection_info(collection: Collection, end: LogEnd | None) -> CollectionInfo:
    """What a reader is told of a collection; ``end`` is None where its change log is empty."""
    return CollectionInfo(
        name=collection.name,
        id=collection.id,
        tlp=collection.audience.level.label,  # type: ignore[arg-type] # the labels are the literals
        group=collection.audience.group,
        types=sorted(collection.types),
        kinds=sorted(collection.kinds),
        min_confidence=collection.min_confidence,
        last_seq=end.seq if end else 0,
    )
