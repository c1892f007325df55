"""The description of a collection in responses of several doors."""

from __future__ import annotations

from hub.questions.catalogue import ListedCollection
from schemas.api import CollectionInfo


def collection_info(one: ListedCollection) -> CollectionInfo:
    """Returns the description of a collection."""
    collection = one.collection
    return CollectionInfo(
        name=collection.name,
        id=collection.id,
        tlp=collection.audience.level.label,  # type: ignore[arg-type] # the labels are the literals
        group=collection.audience.group,
        types=sorted(collection.types),
        kinds=sorted(collection.kinds),
        min_confidence=collection.min_confidence,
        alert=collection.alert,
        last_seq=one.last_seq,
    )
