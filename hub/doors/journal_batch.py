"""What the journal writes of answers: entries, and how far each reader has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from hub.doors.reads import SameReads, is_success
from hub.model.journal import KEPT_ENTRIES, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.policy import Collection
from hub.model.words import Seq

_ASKED_CHARS = 200
_ELLIPSIS = "…"
_FORMAT = "{format}"
_PLAIN = frozenset(
    {
        "added_after", "collapse", "defang", "from", "limit", "match[spec_version]", "match[type]", "match[version]",
        "min_confidence", "since", "type",
    }
)  # fmt: skip
"""Parameters whose values are no more than numbers, times and names of types."""
_NAMED = frozenset({"action", "as", "at", "collection", "match[id]", "next", "value", "zone"})
"""Other parameters that are named, without their values."""


class _FetchedKey(NamedTuple):
    """For each of these the journal keeps how far the reader has come."""

    reader: int
    token: str
    collection: int
    door: str


class BatchBuilder:
    """Builds a batch from reads."""

    def __init__(self, collections: Iterable[Collection], reads: Sequence[SameReads], *, zero_us: float) -> None:
        """``reads`` are all that will be added. ``zero_us``: when their clock was 0, in microseconds since 1970."""
        ended_s: defaultdict[int, list[float]] = defaultdict(list)
        for one in reads:
            ended_s[one.request.reader] += [ended for ended, _ in one.times_s]
        self.count = {reader: len(times) for reader, times in ended_s.items()}
        """The answers to each reader."""
        self._kept_from_s = {reader: sorted(times)[-KEPT_ENTRIES:][0] for reader, times in ended_s.items()}
        self._collections = {name: one for one in collections for name in (one.name, one.id)}
        self._zero_us = zero_us
        self._entries: list[JournalEntry] = []
        self._furthest: dict[_FetchedKey, tuple[int, int]] = {}
        """The highest change, and the latest time."""

    def add(self, reads: SameReads) -> None:
        """Add answers. A refused request may contain anything, so only its parameters are named; and no collection,
        since its reader may have no access to it.
        """
        request, (status, size_bytes, is_sent, (after, reached, objects, key)) = reads.request, reads.answer
        is_read = is_success(status)
        format = request.format if is_read else _ELLIPSIS
        asked = asked_of(request.template, format, request.query, shows_values=is_read)
        collection = self._collections.get(request.name) if is_read else None
        if not (is_read and is_sent):
            reached = None
        if collection is not None:
            fetched_key = _FetchedKey(request.reader, request.token, collection.no, request.door)
            self._advance(fetched_key, reached or 0, self._date_us(max(reads.times_s)[0]))
        if times := self._kept_times(reads):
            self._entries.append(
                JournalEntry(
                    key, request.reader, *times[0], request.door, collection.name if collection else None, asked, after,
                    reached, objects, size_bytes, status, request.client, request.address, request.token, times[1:],
                )
            )  # fmt: skip

    def batch(self, crowded: frozenset[int]) -> JournalBatch:
        """Returns what has been added; of each reader about as many of the newest answers as are kept."""
        fetched = [FetchedUpTo(*key, Seq(reached), at_us) for key, (reached, at_us) in self._furthest.items()]
        return JournalBatch(tuple(self._entries), tuple(fetched), crowded)

    def _kept_times(self, reads: SameReads) -> tuple[tuple[int, int], ...]:
        """Returns when those ended and began that are among the newest of their reader, the newest first."""
        from_s = self._kept_from_s[reads.request.reader]
        kept = sorted((times for times in reads.times_s if times[0] >= from_s), reverse=True)
        return tuple((self._date_us(ended_s), self._date_us(began_s)) for ended_s, began_s in kept)

    def _date_us(self, time_s: float) -> int:
        return round(self._zero_us + time_s * 1e6)

    def _advance(self, fetched_key: _FetchedKey, reached: int, at_us: int) -> None:
        furthest = self._furthest.get(fetched_key, (0, 0))
        self._furthest[fetched_key] = max(reached, furthest[0]), max(at_us, furthest[1])


def asked_of(template: str, format: str, query: bytes, *, shows_values: bool = True) -> str:
    """Returns the path below the collection and the parameters, without what may be a value.

    >>> asked_of("/v1/collections/{name}/export.{format}", "txt", b"type=ipv4-addr&zone=x.example")
    'export.txt?type=ipv4-addr&zone=…'
    """
    path = _path_of(template).replace(_FORMAT, format)
    if not query:
        return path
    said = [_parameter(*pair.partition("=")[::2], shows_values) for pair in query.decode("latin-1").split("&")]
    return f"{path}?{'&'.join(said)}"[:_ASKED_CHARS]


def _parameter(name: str, value: str, shows_value: bool) -> str:
    if "%" in name:
        name = unquote_plus(name)
    if shows_value and name in _PLAIN:
        return f"{name}={unquote_plus(value) if '%' in value else value}"
    return f"{name if name in _PLAIN or name in _NAMED else _ELLIPSIS}={_ELLIPSIS}"


@lru_cache(maxsize=1024)
def _path_of(template: str) -> str:
    """Returns the path of a route below the collection, with an ellipsis for all parameters but the format."""
    below = template.partition("/{name}/")[2] or template.partition("/{collection_id}/")[2] or template
    return "/".join(_ELLIPSIS if "{" in word.replace(_FORMAT, "") else word for word in below.split("/"))
