"""The results of what a source sent: the receipt of one push with its problems, and the source's rejections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from hub.intake.receipts import ReceiptCodec, ReceiptName, unknown_receipt
from hub.model.policy import LOG_OF_NOBODY, rejections_log
from hub.model.principals import SOURCE_KINDS, Principal, PrincipalKind
from hub.model.words import Seq
from hub.model.writes import ReceiptCounts
from hub.store.intake_port import IntakeReader, ObjectProblem
from hub.store.port import Store

PROBLEM_PAGE = 1_000
"""The maximum number of problems in one answer."""


@dataclass(frozen=True, slots=True, order=True)
class ProblemPlace:
    """A position among the problems of a receipt: after ``count`` problems of the object ``index``."""

    index: int = -1
    count: int = 0

    def __str__(self) -> str:
        return f"{self.index}.{self.count}"


@dataclass(frozen=True, slots=True)
class ToldProblems:
    """The next problems of a receipt, by index."""

    problems: tuple[ObjectProblem, ...]
    more: ProblemPlace | None
    """The position of the next page; None if there are no more problems."""


@dataclass(frozen=True, slots=True)
class ToldReceipt:
    """The results of a push so far."""

    complete: bool
    received: int
    counts: ReceiptCounts
    first: ToldProblems


@dataclass(frozen=True, slots=True)
class ToldRejections:
    """A source's rejections in order, as stored (JSON), and the number to continue after."""

    rejections: Sequence[bytes]
    next_after: Seq
    more: bool


async def receipt(store: Store, codec: ReceiptCodec, source: Principal, text: str) -> ToldReceipt:
    """The results of a push of this source. Raises NotFound, also for a receipt of another source.

    The positions are read first: everything up to them is then counted, whatever is committed in between.
    """
    name = _own(codec, source, text)
    ends = name.positions(source.intake_topic)
    reached = await store.positions(list(ends))
    complete = all(reached.get(at, 0) >= end for at, end in ends.items())
    counts = await store.intake.receipt_counts(name.uid, name.source)
    return ToldReceipt(complete, name.received, counts, await _problems(store.intake, name, ProblemPlace()))


async def problems(
    store: Store, codec: ReceiptCodec, source: Principal, text: str, *, after: ProblemPlace
) -> ToldProblems:
    """The next ``PROBLEM_PAGE`` problems of a receipt of this source. Raises NotFound."""
    return await _problems(store.intake, _own(codec, source, text), after)


async def rejections(store: Store, principal: Principal, after: Seq, *, limit: int, limit_bytes: int) -> ToldRejections:
    """The rejections of this source after a number; for an operator those of records that belong to no source."""
    operator = principal.kind is PrincipalKind.OPERATOR
    name = LOG_OF_NOBODY if operator else rejections_log(SOURCE_KINDS[principal.kind], principal.name)
    log = await store.logs.number(name)
    if log is None:
        return ToldRejections((), after, more=False)
    page = await store.logs.page(log, after, limit=limit, limit_bytes=limit_bytes)
    return ToldRejections(page.bodies, page.rows[-1].seq if page.rows else after, page.more)


def _own(codec: ReceiptCodec, source: Principal, text: str) -> ReceiptName:
    name = codec.decode(text)
    if name.source != source.no:
        raise unknown_receipt()
    return name


async def _problems(intake: IntakeReader, name: ReceiptName, after: ProblemPlace) -> ToldProblems:
    found: list[ObjectProblem] = []
    place = after
    at, passed = after.index, 0
    ordered = intake.problems(name.uid, name.source, from_index=after.index, in_one_partition=len(name.ends) <= 1)
    async with aclosing(ordered):
        async for problem in ordered:
            at, passed = problem.index, passed + 1 if problem.index == at else 1
            if ProblemPlace(problem.index, passed) <= after:
                continue
            if len(found) == PROBLEM_PAGE:
                return ToldProblems(tuple(found), place)
            found.append(problem)
            place = ProblemPlace(problem.index, passed)
    return ToldProblems(tuple(found), None)
