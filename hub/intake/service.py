"""From a request's bytes to durable records and a receipt; shared by all doors through which sources push.

A record with a receipt in its headers is exactly one received object, even if it looks like a bundle. If an object is
over the limit, or larger than the log accepts, only its beginning is appended, with its size in the headers: it will be
rejected, and the log need not store megabytes for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hub.core.sent import Sent, sent_of
from hub.intake.allowed_time import AllowedTime
from hub.intake.body import BLOCK_BYTES, EXCERPT_BYTES, Encoding, Form, NdjsonLines, Piece, Unpacked, objects_of
from hub.intake.budget import Budget, Share
from hub.intake.receipts import ReceiptCodec, ReceiptName, new_uid
from hub.intake.statuses import MOST_OBJECTS, StatusCodec, StatusName
from hub.log.port import EventLog, Record, RecordsTooLarge
from hub.model.errors import NotFound, Refused, TooLarge
from hub.model.event_log import MEMBERS_TOPIC
from hub.model.principals import Principal
from hub.model.problems import Code
from hub.model.record_headers import headers_of, with_source, withdrawal_headers
from hub.model.words import Limits, Positions, Withdrawal

T = TypeVar("T")

CHUNK_RECORDS = 1_000
CHUNK_BYTES = 4 << 20
"""The maximum size of an append: large enough to share one fsync, small enough to let other centres in between."""
_SLOWEST_BYTES_PER_S = 1_000
"""Slower than any line in use. After the first ``stall_s``, a body that arrives more slowly is refused."""
_INLINE_BYTES = 16 << 10
"""Smaller data is processed directly; a thread would cost more than it saves."""
_INLINE_COMPRESSED_BYTES = 2 << 10


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """The limits of requests."""

    objects: Limits = field(default_factory=Limits)
    push_bytes: int = 64 << 20
    """For one body, decompressed."""
    in_flight_bytes: int = 256 << 20
    """For all bodies of this process together."""
    wait_s: float = 10.0
    """How long a push waits for others before it gets TryAgain."""
    stall_s: float = 30.0
    """How long a body may pause before it is refused."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a push: everything in it is durable."""

    receipt: str
    received: int


@dataclass(frozen=True, slots=True)
class TakenWithStatus:
    """The result of a TAXII request that adds or deletes: everything in it is durable."""

    status: StatusName
    objects: Sequence[Sent]


class Intake:
    """Accepts what sources push. One per process; belongs to its event loop."""

    def __init__(self, log: EventLog, key: bytes, limits: IntakeLimits) -> None:
        """``key`` is the hub's secret, with which receipts and status ids are signed."""
        self.limits = limits
        self.codec = ReceiptCodec(key)
        self.statuses = StatusCodec(key)
        self._log = log
        self._budget = Budget(
            limits.in_flight_bytes,
            wait_s=limits.wait_s,
            code="push.overloaded",
            says="More is being pushed at once than the hub has room for.",
        )

    async def push(
        self, source: Principal, body: AsyncIterator[bytes], *, form: Form, encoding: Encoding, length: int | None
    ) -> Taken:
        """Append a body's objects to the log. ``length``: the size of the body as sent, if known.

        Raises TooLarge over ``push_bytes``, Refused for a bundle that cannot be read, TryAgain if there is no room or
        the log does not answer. With NDJSON, the objects before the error may already be appended. That is harmless:
        sent again, they are ``unchanged``.
        """
        self._require_fitting(encoding, length)
        async with self._budget.share(source.name) as share:
            blocks = _Blocks(body, encoding, self.limits)
            push = _Push(self._log, source, new_uid())
            match form:
                case Form.LINES:
                    await self._take_lines(blocks, push, share, length if encoding is Encoding.IDENTITY else None)
                case Form.DOCUMENT:
                    pieces, _ = await self._pieces(blocks, share, length)
                    await push.append(pieces)
            return self._taken(push)

    async def add(
        self, source: Principal, body: AsyncIterator[bytes], *, encoding: Encoding, length: int | None, at_ms: int
    ) -> TakenWithStatus:
        """Append the objects of a TAXII request: an envelope, a bundle or one object. ``at_ms``: when it was received.

        Raises as ``push``, and Refused for a body without objects. Nothing is appended then.
        """
        self._require_fitting(encoding, length)
        async with self._budget.share(source.name) as share:
            pieces, size = await self._pieces(_Blocks(body, encoding, self.limits), share, length)
            objects = await _work(size, lambda: _sent(pieces))
            is_alone = len(pieces) == 1 and pieces[0].size == size  # in a list or a bundle it would be shorter
            if not pieces or (is_alone and objects == [Sent()] and not pieces[0].cut):
                raise Refused("taxii.no-objects", "The body has no objects.", 'Send {"objects": […]}, or a bundle.')
            if len(pieces) > MOST_OBJECTS:
                raise TooLarge(Code.BUNDLE_TOO_LARGE, f"There are more than {MOST_OBJECTS:,} objects.", "Split them.")
            name = self.statuses.new(source.no, len(pieces), at_ms)
            await _Push(self._log, source, name.id).append(pieces)
            return TakenWithStatus(name, objects)

    async def delete(self, source: Principal, object_id: str, *, at_ms: int) -> TakenWithStatus:
        """Withdraw one contribution as ``withdraw`` does, with a status instead of a receipt."""
        name = self.statuses.new(source.no, 1, at_ms)
        await _Push(self._log, source, name.id).append_withdrawals([object_id], Withdrawal.STANDS)
        return TakenWithStatus(name, [Sent(object_id)])

    async def read(
        self, source: Principal, body: AsyncIterator[bytes], *, encoding: Encoding, length: int | None
    ) -> bytes:
        """A whole body of another kind, within the same limits. Raises TooLarge, Refused, TryAgain."""
        async with self._budget.share(source.name) as share:
            return bytes(await self._gather(_Blocks(body, encoding, self.limits), share, length))

    async def withdraw(self, source: Principal, ids: Sequence[str], withdrawal: Withdrawal) -> Taken:
        """Withdraw contributions by id, or take withdrawals back: appends null values keyed by id, with a header.

        Raises TryAgain if the log does not answer.
        """
        push = _Push(self._log, source, new_uid())
        for start in range(0, len(ids), CHUNK_RECORDS):
            await push.append_withdrawals(ids[start : start + CHUNK_RECORDS], withdrawal)
        return self._taken(push)

    def _require_fitting(self, encoding: Encoding, length: int | None) -> None:
        if encoding is Encoding.IDENTITY and length is not None and length > self.limits.push_bytes:
            raise _too_large(self.limits.push_bytes)

    def _taken(self, push: _Push) -> Taken:
        name = ReceiptName(push.source.no, push.uid, push.received, push.ends)
        return Taken(self.codec.encode(name), push.received)

    async def _take_lines(self, blocks: _Blocks, push: _Push, share: Share, length: int | None) -> None:
        # Memory is bounded for any size of body: a chunk, an unfinished line, a block.
        most = CHUNK_BYTES + self.limits.objects.object_bytes + 2 * BLOCK_BYTES
        await share.grow_to(most if length is None else min(length, most))
        lines = NdjsonLines(self.limits.objects, self.limits.push_bytes)
        waiting: list[Piece] = []
        async for block in blocks:
            if lines.held_bytes > self.limits.objects.object_bytes:  # a long bundle: its bytes, and its objects as well
                await share.grow_to(most + 2 * lines.held_bytes)
            waiting += await _work(len(block), lambda block=block: lines.feed(block))  # type: ignore[misc]
            if len(waiting) >= CHUNK_RECORDS or sum(len(piece.value) for piece in waiting) >= CHUNK_BYTES:
                await push.append(waiting)
                waiting = []
        await push.append(waiting + lines.end())

    async def _pieces(self, blocks: _Blocks, share: Share, length: int | None) -> tuple[Sequence[Piece], int]:
        """The objects of a whole document, and its size in bytes."""
        document = await self._gather(blocks, share, length)
        await share.grow_to(2 * len(document))  # for a moment both the document and its slices are in memory
        pieces = await _work(len(document), lambda: objects_of(bytes(document), self.limits.objects))
        return pieces, len(document)

    async def _gather(self, blocks: _Blocks, share: Share, length: int | None) -> bytearray:
        await share.grow_to(min(length or BLOCK_BYTES, self.limits.push_bytes))
        document = bytearray()
        async for block in blocks:
            if len(document) + len(block) > share.held_bytes:
                await share.grow_to(min(2 * (len(document) + len(block)), self.limits.push_bytes + BLOCK_BYTES))
            document += block
        return document


class _Push:
    """One push while it is appended to the log."""

    def __init__(self, log: EventLog, source: Principal, uid: str) -> None:
        self.source = source
        self.uid = uid
        self.received = 0
        self.ends: dict[int, int] = {}
        self._log = log
        self._topic = source.intake_topic

    async def append(self, pieces: Sequence[Piece]) -> None:
        for chunk in _chunks(pieces):
            await self._append([_record(piece, self.uid, no) for no, piece in enumerate(chunk, self.received)])

    async def append_withdrawals(self, ids: Sequence[str], withdrawal: Withdrawal) -> None:
        numbered = enumerate(ids, self.received)
        await self._append(
            [Record(one.encode(), None, withdrawal_headers(self.uid, no, withdrawal)) for no, one in numbered]
        )

    async def _append(self, records: Sequence[Record]) -> None:
        if not records:
            return
        try:
            self._reach(await self._stored(records))
        except RecordsTooLarge as refused:
            self._reach(refused.positions)
            self._reach(await self._stored([self._cut(records[index], index) for index in refused.indices]))
        self.received += len(records)

    async def _stored(self, records: Sequence[Record]) -> Positions:
        if self._topic == MEMBERS_TOPIC:
            records = [with_source(record, self.source.name) for record in records]
        try:
            return await self._log.append(self._topic, records)
        except NotFound:  # the source was added only just now
            await self._log.create(self._topic)
            return await self._log.append(self._topic, records)

    def _cut(self, record: Record, index: int) -> Record:
        """The beginning of an object that is too large for the log; it will be rejected."""
        value = record.value or b""
        headers = headers_of(self.uid, self.received + index, too_large_bytes=len(value))
        return Record(None, value[:EXCERPT_BYTES], headers)

    def _reach(self, positions: Positions) -> None:
        for at, position in positions.items():
            self.ends[at.partition] = max(position, self.ends.get(at.partition, 0))


def _chunks(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    chunk: list[Piece] = []
    size = 0
    for piece in pieces:
        if chunk and (len(chunk) == CHUNK_RECORDS or size + len(piece.value) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(piece)
        size += len(piece.value)
    if chunk:
        yield chunk


def _sent(pieces: Sequence[Piece]) -> list[Sent]:
    return [Sent() if piece.cut else sent_of(piece.value) for piece in pieces]


def _record(piece: Piece, receipt: str, index: int) -> Record:
    if piece.cut:
        return Record(None, piece.value, headers_of(receipt, index, too_large_bytes=piece.size))
    return Record(_key(piece.value), piece.value, headers_of(receipt, index))


def _key(value: bytes) -> bytes | None:
    """The object's id, if it can be read quickly: with several partitions, records with the same key stay in order."""
    found = sent_of(value).id
    return None if found is None else found.encode()


class _Blocks:
    """A body's blocks, decompressed and in UTF-8. Raises TooLarge above ``push_bytes`` in total, Refused for corrupt
    data or if the sender stalls, WrongType for an archive.
    """

    def __init__(self, body: AsyncIterator[bytes], encoding: Encoding, limits: IntakeLimits) -> None:
        self._body = body
        self._unpacked = Unpacked(encoding)
        self._inline_bytes = _INLINE_BYTES if encoding is Encoding.IDENTITY else _INLINE_COMPRESSED_BYTES
        self._limits = limits
        self._total = 0
        self._time = AllowedTime(limits.stall_s, slowest_bytes_per_s=_SLOWEST_BYTES_PER_S)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._receive()) is not None:
            blocks = self._unpacked.blocks(data)
            inline = len(data) <= self._inline_bytes or self._inline_bytes == _INLINE_BYTES
            while True:
                block = next(blocks, None) if inline else await asyncio.to_thread(next, blocks, None)
                if block is None:
                    break
                yield self._counted(block)
        if last := self._unpacked.end():
            yield self._counted(last)

    def _counted(self, block: bytes) -> bytes:
        self._total += len(block)
        if self._total > self._limits.push_bytes:
            raise _too_large(self._limits.push_bytes)
        return block

    async def _receive(self) -> bytes | None:
        """The next part."""
        try:
            async with self._time.wait():
                data = await anext(self._body, None)
        except TimeoutError:
            raise Refused("push.stalled", "The body stopped coming, or came too slowly.", "Send it again.") from None
        self._time.moved(len(data or b""))
        return data


async def _work(size_bytes: int, work: Callable[[], T]) -> T:
    """Do work whose duration grows with the number of bytes; in a thread if there are many."""
    return work() if size_bytes <= _INLINE_BYTES else await asyncio.to_thread(work)


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        "push.too-large",
        f"The body has more than {limit_bytes:,} bytes, decompressed.",
        "Send it in parts; what was taken of it already counts as unchanged then.",
    )
