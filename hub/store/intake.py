"""Reads positions, receipts and held objects. See ``hub/store/port.IntakeReader``."""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Sequence

import orjson
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.breaker import Trip
from hub.model.held import HeldState
from hub.model.words import TopicPartition
from hub.model.writes import ReceiptCounts
from hub.store import breakers
from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.intake_port import ObjectProblem, OwnHeld, PushedObject, Reached
from hub.store.waiting import read_released


class SqlIntake:
    """See the port."""

    def __init__(self, database: Dialect) -> None:
        self._database = database

    async def reached(self) -> dict[TopicPartition, Reached]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await conn.execute(select(t.positions))
            return {TopicPartition(row.topic, row.partition): Reached(row.next, row.moved_us) for row in rows}

    async def counts(self) -> dict[int, ReceiptCounts]:
        """See the port."""
        async with self._database.reading() as conn:
            rows = await conn.execute(select(t.counts))
            return {row.source: ReceiptCounts(row.accepted, row.unchanged, row.held, row.rejected) for row in rows}

    async def receipt_counts(self, receipt: str, source: int) -> ReceiptCounts:
        """See the port."""
        p = t.receipt_parts.c
        sums = [func.coalesce(func.sum(column), 0) for column in (p.accepted, p.unchanged, p.held, p.rejected)]
        async with self._database.reading() as conn:
            row = (await conn.execute(select(*sums).where(_are_of(receipt, source)))).one()
        return ReceiptCounts(*(int(value) for value in row))

    async def problems(
        self, receipt: str, source: int, *, from_index: int, in_one_partition: bool
    ) -> AsyncGenerator[ObjectProblem, None]:
        """See the port. Parts are read one after another, since each may be large.

        The parts of several partitions overlap; a heap merges them.
        """
        part_of = and_(_are_of(receipt, source), t.receipt_parts.c.problems != b"[]")
        async with self._database.reading() as conn:
            starts = await _starts(conn, part_of)
            if in_one_partition:  # parts do not overlap: skip those that are entirely below
                below = [no for no, start in enumerate(starts) if start < from_index]
                starts = starts[below[-1] :] if below else starts
            heap: list[tuple[int, int, int, ObjectProblem]] = []
            for no, start in enumerate(starts):
                while heap and heap[0][0] < start:
                    yield heapq.heappop(heap)[3]
                for place, problem in enumerate(await _problems_from(conn, part_of, start)):
                    if problem.index >= from_index:
                        heapq.heappush(heap, (problem.index, no, place, problem))
            while heap:
                yield heapq.heappop(heap)[3]

    async def objects(self, receipt: str, source: int) -> list[PushedObject]:
        """See the port."""
        p = t.receipt_parts.c
        here = select(p.objects, p.problems).where(_are_of(receipt, source), p.objects.is_not(None))
        async with self._database.reading() as conn:
            rows = (await conn.execute(here)).all()
        stored = [(row.objects, row.problems) for row in rows]
        return await asyncio.to_thread(_objects_in, stored) if stored else []

    async def waiting(self) -> int:
        """See the port."""
        waits = t.held.c.state == HeldState.WAITING
        async with self._database.reading() as conn:
            return int((await conn.execute(select(func.count()).where(waits))).scalar_one())

    async def held_of(self, source: int, states: Collection[HeldState], after: int, limit: int) -> list[OwnHeld]:
        """See the port."""
        h = t.held.c
        query = select(h.no, h.stix_id, h.code, h.says, h.at_us, h.state, h.receipt, h.withdrawal)
        query = query.where(h.source == source, h.state.in_(sorted(states)), h.no > after).order_by(h.no).limit(limit)
        async with self._database.reading() as conn:
            rows = (await conn.execute(query)).all()
        return [
            OwnHeld(
                no=row.no,
                stix_id=row.stix_id,
                code=row.code,
                says=row.says,
                at_us=row.at_us,
                state=HeldState(row.state),
                receipt=row.receipt,
                is_withdrawal=row.withdrawal is not None,
            )
            for row in rows
        ]

    async def trips(self) -> Sequence[Trip]:
        """See the port."""
        async with self._database.reading() as conn:
            return await breakers.trips(conn)

    async def released(self, known: Collection[int]) -> dict[int, bytes]:
        """See the port."""
        return await read_released(self._database, known)


def _are_of(receipt: str, source: int) -> ColumnElement[bool]:
    p = t.receipt_parts.c
    return and_(p.receipt == receipt, p.source == source)


async def _starts(conn: AsyncConnection, part_of: ColumnElement[bool]) -> list[int]:
    """Returns the distinct indexes at which parts with problems begin."""
    first = t.receipt_parts.c.first_index
    return list((await conn.execute(select(first).where(part_of).order_by(first).distinct())).scalars())


async def _problems_from(conn: AsyncConnection, part_of: ColumnElement[bool], start: int) -> list[ObjectProblem]:
    """Returns the problems of the parts that begin at this index."""
    p = t.receipt_parts.c
    rows = await conn.execute(select(p.problems).where(part_of, p.first_index == start))
    return [problem for row in rows for problem in _problems_in(row.problems)]


def _problems_in(stored: bytes) -> list[ObjectProblem]:
    return [
        ObjectProblem(said["index"], said["id"], said["state"], said["code"], said["message"])
        for said in orjson.loads(stored)
    ]


def _objects_in(stored: Sequence[tuple[bytes, bytes]]) -> list[PushedObject]:
    """Returns the objects of parts, of each of which its objects and its problems are stored. Each index is there once,
    also where a source has written it to its topic a second time: the counts of a status must add up.
    """
    problems: dict[int, list[ObjectProblem]] = defaultdict(list)
    for _, of_part in stored:
        for problem in _problems_in(of_part):
            problems[problem.index].append(problem)
    said = {one[0]: one for objects, _ in stored for one in orjson.loads(objects)}
    return [PushedObject(index, id_, version, problems.get(index, ())) for index, id_, version in sorted(said.values())]
