"""Splits the records of the event log into arrivals: one for each object or withdrawal in a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hub.core.judge import objects_in
from hub.model.clock import JUMP_US
from hub.model.event_log import MEMBERS_TOPIC, StoredRecord
from hub.model.policy import NOBODY, Policy, Source
from hub.model.problems import Code, Problem, cut
from hub.model.record_headers import RecordHeaders, read_headers
from hub.model.times import to_us
from hub.model.words import Limits, Stamp, Withdrawal, stamp_of
from hub.model.writes import Held

_LONGEST_ID = 255
FORGOTTEN = Problem(
    Code.VALUE_FORGOTTEN, "", "It says something that the operator of this hub has had erased; do not send it again."
)
"""What a source is told. It does not repeat what was erased."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One received object, or one withdrawal (``value`` is None), with its origin."""

    source: Source
    value: bytes | None
    stix_id: str | None
    """The id in the record's key: always there for a withdrawal, for an object only if the record has a key."""
    stamp: Stamp
    at_us: int
    topic: str
    partition: int
    offset: int
    index: int
    """The index of the object in the push, or in the record."""
    receipt: str | None
    refused: Problem | None = None
    """A problem found before the object was parsed, such as a size over the limit."""
    withdrawal: Withdrawal = Withdrawal.SOFT
    """What it does if it has no value."""
    released: Code | None = None
    """The code for which it was held, if it was released since: what held it does not look at it again."""


def arrivals_in(
    records: Sequence[StoredRecord], policy: Policy, limits: Limits, now_us: int, unforeseen: Problem | None = None
) -> list[Arrival]:
    """The objects and withdrawals in the records, in order. ``unforeseen``: the problem that refuses all of them."""
    found: list[Arrival] = []
    times = _Times(now_us)
    for record in records:
        at_us = times.of(record)
        headers = read_headers(record.headers)
        source = _source_of(record, headers, policy)
        refused = unforeseen if source is not NOBODY else _of_nobody(record, headers)
        found.extend(_arrivals(record, headers, source, at_us, limits, refused))
    return found


def released_arrivals(held: Iterable[Held], policy: Policy) -> list[Arrival]:
    """What was held and is released, with its original content and stamp."""
    return [
        Arrival(
            policy.sources[one.source], one.value if one.withdrawal is None else None, one.stix_id, Stamp(one.stamp),
            one.at_us, "", 0, 0, one.index, None, None, one.withdrawal or Withdrawal.SOFT, Code(one.code),
        )
        for one in held
        if one.source in policy.sources
    ]  # fmt: skip


def _source_of(record: StoredRecord, headers: RecordHeaders, policy: Policy) -> Source:
    """The owner of a record's topic. In the topic of all members the headers decide, since only the hub writes there;
    nowhere else, since centres write any headers.
    """
    if record.topic == MEMBERS_TOPIC:
        return policy.members.get(headers.source or "", NOBODY)
    return policy.centre_of_topic.get(record.topic, NOBODY)


def _of_nobody(record: StoredRecord, headers: RecordHeaders) -> Problem:
    says = f"The topic {cut(record.topic)} belongs to no source here; add the centre, or stop the sender."
    if record.topic == MEMBERS_TOPIC:
        named = "no member" if headers.source is None else f"{cut(headers.source)}, which is no member of this hub"
        says = f"A record of {record.topic} names {named}; only the hub may write there, so find out who else did."
    return Problem(Code.RECORD_OF_NOBODY, "", says)


class _Times:
    """The times of receipt. A record without a time, or with a time in the future, counts as received now."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us
        self._misdated: dict[tuple[str, int], int] = {}

    def of(self, record: StoredRecord) -> int:
        """Microseconds since 1970. Records after a misdated one in its partition are never earlier than it."""
        at_us, partition = to_us(record.time), (record.topic, record.partition)
        if at_us == 0 or at_us > self._now_us + JUMP_US:
            at_us = self._misdated[partition] = self._now_us
        elif self._misdated:
            at_us = max(at_us, self._misdated.get(partition, 0))
        return at_us


def _arrivals(
    record: StoredRecord, headers: RecordHeaders, source: Source, at_us: int, limits: Limits, refused: Problem | None
) -> Iterator[Arrival]:
    values: Sequence[bytes | None] = [record.value]
    if refused is None:
        refused, values = _values(record, headers, limits)
    stix_id = _id_in(record.key) if record.key else None
    withdrawal = headers.withdrawal if isinstance(headers.withdrawal, Withdrawal) else Withdrawal.SOFT
    for i, value in enumerate(values):
        yield Arrival(
            source, value, stix_id, stamp_of(at_us, record.partition, record.offset, i), at_us, record.topic,
            record.partition, record.offset, headers.index + i, headers.receipt, refused, withdrawal,
        )  # fmt: skip


def _values(
    record: StoredRecord, headers: RecordHeaders, limits: Limits
) -> tuple[Problem | None, Sequence[bytes | None]]:
    """The objects of a record, or the problem that refuses it. Pushed objects have already been split."""
    if headers.is_erased and record.value is None:
        return FORGOTTEN, [None]
    if headers.size_bytes is not None:
        size, limit = headers.size_bytes, limits.object_bytes
        over = f"the limit is {limit}" if size > limit else "the event log's topic takes no record of this size"
        return Problem(Code.OBJECT_TOO_LARGE, "", f"The object has {size} bytes; {over}."), [record.value]
    if record.value is None:
        if record.key is None:
            says = "A record without key and value has no meaning; a withdrawal needs a key."
            return Problem(Code.RECORD_EMPTY, "", says), [None]
        return _unknown_withdrawal(headers.withdrawal), [None]
    if headers.receipt is not None:
        return None, [record.value]
    objects = objects_in(record.value, limits)
    return (objects, [record.value]) if isinstance(objects, Problem) else (None, objects)


def _unknown_withdrawal(said: Withdrawal | bytes) -> Problem | None:
    if isinstance(said, Withdrawal):
        return None
    says = f"The header withdrawal is stands, soft or restore, not {cut(said.decode('utf-8', 'replace'))}."
    return Problem(Code.WITHDRAWAL_KIND, "", says)


def _id_in(key: bytes) -> str:
    """The id in a record's key. A key that cannot be an id is quoted and cut to the length that the store accepts."""
    text = key.decode("utf-8", "replace")
    return text if len(text) <= _LONGEST_ID and text.strip().isprintable() else ascii(text)[:_LONGEST_ID]
