"""Which collections the caller may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hub.model.policy import Collection
from hub.model.words import Seq
from hub.store.port import LogEnd, LogReader


class ListedCollection(NamedTuple):
    """A collection, and the number of its newest change; 0 before the first."""

    collection: Collection
    last_seq: Seq


async def list_collections(logs: LogReader, readable: Sequence[Collection]) -> list[ListedCollection]:
    """The current state of these collections, which the caller may read."""
    return listed(readable, await logs.ends())


def listed(collections: Sequence[Collection], ends: Mapping[int, LogEnd]) -> list[ListedCollection]:
    """These collections with the last numbers of their logs."""
    return [ListedCollection(one, ends[one.no].seq if one.no in ends else Seq(0)) for one in collections]
