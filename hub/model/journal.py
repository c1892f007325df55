"""The journal of reads: what each reader has got from the hub, through which door, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hub.model.words import Seq

ANONYMOUS = 0
"""The reader number of all who send no credentials. Others have the number of their principal."""
WEBHOOK = "webhook"
"""The door of what the hub posts to webhooks."""
KEPT_ENTRIES = 1_000
"""How many entries of each reader are kept, the newest."""
KEPT_US = 90 * 86_400 * 1_000_000
"""How long an entry is kept, in microseconds: it has an address, which may be that of a person."""


class JournalEntry(NamedTuple):
    """An answer to a reader, in a batch also older ones that differ in their times only: a page, a list, a look-up; or
    a live stream, a Kafka consumer group or a webhook, as far as it is.

    It has no value that somebody has asked for, and nothing of what was answered.
    """

    key: str
    """32 hexadecimal digits of an entry that advances: it is written again, and replaces the one with the same key.
    Empty: the answer is complete."""
    reader: int
    at_us: int
    """When it ended, or last got something."""
    began_us: int
    door: str
    collection: str | None
    """The name of the collection; None if it is not one collection, or none that the reader may read."""
    asked: str
    """The path below the collection, with the parameters; an ellipsis stands for what may be a value."""
    after: Seq | None = None
    """The change after which it starts."""
    reached: Seq | None = None
    """The last change that the reader has: all changes up to it that it asked for, it has got."""
    objects: int | None = None
    size_bytes: int | None = None
    """The size of the body, as it was sent."""
    status: int | None = None
    """Of HTTP."""
    client: str = ""
    """How the program calls itself: ``User-Agent``, or the Kafka consumer group, or the host of a webhook."""
    address: str = ""
    token: str = ""
    """The name of the token that read; empty: the principal's own, a Kafka consumer group, or a webhook."""
    older_times: tuple[tuple[int, int], ...] = ()
    """In a batch: ``at_us`` and ``began_us`` of older answers that differ in nothing else. Read from the store, each is
    an entry of its own."""


class FetchedUpTo(NamedTuple):
    """How far a reader has come in a collection, through one door with one token. It is kept as long as the reader is
    there; what a removed token has read counts as read with the principal's own.
    """

    reader: int
    token: str
    """Its name; empty: the principal's own, all Kafka consumer groups, or all webhooks."""
    collection: int
    door: str
    reached: Seq
    """The highest change that it has got; 0: none yet."""
    at_us: int
    """When it last asked successfully, also if there was nothing new."""


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """What is written to the journal at once."""

    entries: tuple[JournalEntry, ...] = ()
    fetched: tuple[FetchedUpTo, ...] = ()
    """One for each reader, token, collection and door."""
    crowded: frozenset[int] = frozenset()
    """Readers that may have more than ``KEPT_ENTRIES``."""
