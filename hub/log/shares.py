"""Divides a batch equally between topics, so that the backlog of one centre does not delay the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from hub.log.port import StoredRecord, TopicPartition


class Waiting(Protocol):
    """The available records of one partition."""

    partition: TopicPartition

    def read(self, limit: int, limit_bytes: int) -> tuple[list[StoredRecord], int]:
        """Returns the next records (up to ``limit``, about ``limit_bytes``, one at least) and their size in bytes."""
        ...

    @property
    def more(self) -> bool:
        """Returns whether records are left."""
        ...


W = TypeVar("W", bound=Waiting)


def in_turn(waiting: Iterable[W], after: TopicPartition | None) -> list[W]:
    """Returns ``waiting`` in the order of names, starting after the partition that was served last."""
    ordered = sorted(waiting, key=lambda at: at.partition)
    if after is None:
        return ordered
    return [at for at in ordered if at.partition > after] + [at for at in ordered if at.partition <= after]


def share_out(waiting: Sequence[Waiting], *, limit: int, limit_bytes: int) -> list[StoredRecord]:
    """Returns up to ``limit`` records of about ``limit_bytes``, one at least, in equal shares. Unused shares go to
    partitions with more records.
    """
    records: list[StoredRecord] = []
    left_bytes = limit_bytes

    def full() -> bool:
        return len(records) >= limit or (left_bytes <= 0 and bool(records))

    while (hungry := [at for at in waiting if at.more]) and not full():
        share = max((limit - len(records)) // len(hungry), 1)
        share_bytes = left_bytes // len(hungry)
        for at in hungry:
            if full():
                break
            taken, size = at.read(share, share_bytes)
            records.extend(taken)
            left_bytes -= size
    return records


def size_of(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> int:
    """Returns the size of a record in bytes, as limits count it."""
    return len(key or b"") + len(value or b"") + sum(len(name) + len(said or b"") for name, said in headers)
