"""How one batch is shared out between topics: equally, so that one centre's backlog keeps no other waiting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from hub.log.port import StoredRecord, TopicPartition


class Waiting(Protocol):
    """Records of one partition that are there to be taken."""

    partition: TopicPartition

    def read(self, limit: int, limit_bytes: int) -> tuple[list[StoredRecord], int]:
        """Move on over the next records, up to ``limit`` of about ``limit_bytes``, one at least; also their bytes."""
        ...

    @property
    def more(self) -> bool:
        """Whether there is anything left to read."""
        ...


W = TypeVar("W", bound=Waiting)


def in_turn(waiting: Iterable[W], after: TopicPartition | None) -> list[W]:
    """In the order of their names, beginning behind the one that was served last."""
    ordered = sorted(waiting, key=lambda at: at.partition)
    if after is None:
        return ordered
    return [at for at in ordered if at.partition > after] + [at for at in ordered if at.partition <= after]


def share_out(waiting: Sequence[Waiting], *, limit: int, limit_bytes: int) -> list[StoredRecord]:
    """Up to ``limit`` records of about ``limit_bytes``, one at least: in equal shares, the rest to who has more."""
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
    """The bytes of a record, as limits count them."""
    return len(key or b"") + len(value or b"") + sum(len(name) + len(said or b"") for name, said in headers)
