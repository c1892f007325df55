"""What the journal writes of answers: entries, and how far each reader has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from hub.doors.reads import KeptRequest, ReadRequest, SentAnswer, request_of
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


class _Asked(NamedTuple):
    """What the entries of all answers to the same request have in common."""

    request: ReadRequest
    is_success: bool
    fetched_key: _FetchedKey | None
    collection: str | None
    asked: str


class BatchBuilder:
    """Builds a batch from answers, the newest first. This takes most of the time of the journal. Most requests within a
    second are the same, so each different one is interpreted only once.
    """

    def __init__(self, collections: Iterable[Collection], *, zero_us: float, behind_proxy: bool) -> None:
        """``zero_us``: when the clock of the answers was 0, in microseconds since 1970."""
        self.count: Counter[int] = Counter()
        """The answers to each reader."""
        self._collections = {name: one for one in collections for name in (one.name, one.id)}
        self._zero_us = zero_us
        self._behind_proxy = behind_proxy
        self._entries: list[JournalEntry] = []
        self._furthest: dict[_FetchedKey, list[int]] = {}
        """The highest change, and the latest time."""
        self._asked: dict[object, _Asked | None] = {}

    def add_sent(self, kept: KeptRequest, answer: SentAnswer) -> None:
        """Add an answer, unless it reads no collection."""
        is_success = answer.is_success
        reader, token, method, _, _, path, query, client, user_agent, forwarded = kept
        key = reader, token, method, path, query, client, user_agent, forwarded, is_success
        try:
            asked = self._asked[key]
        except KeyError:
            request = request_of(kept, behind_proxy=self._behind_proxy)
            asked = None if request is None else self._asked_of(request, is_success=is_success)
            self._asked[key] = asked
        if asked is not None:
            self._add(asked, answer)

    def add(self, request: ReadRequest, answer: SentAnswer) -> None:
        """Add an answer to a request that is interpreted already."""
        self._add(self._asked_of(request, is_success=answer.is_success), answer)

    def batch(self, crowded: frozenset[int]) -> JournalBatch:
        """Returns what has been added; of each reader at most as many entries as are kept."""
        fetched = [
            FetchedUpTo(*fetched_key, Seq(reached), at_us) for fetched_key, (reached, at_us) in self._furthest.items()
        ]
        return JournalBatch(tuple(self._entries), tuple(fetched), crowded)

    def _asked_of(self, request: ReadRequest, *, is_success: bool) -> _Asked:
        """Returns what is written of a request. A refused one may contain anything, so only its parameters are named;
        and no collection, since the reader may have no access to it.
        """
        format = request.format if is_success else _ELLIPSIS
        asked = asked_of(request.template, format, request.query, shows_values=is_success)
        collection = self._collections.get(request.name) if is_success else None
        if collection is None:
            return _Asked(request, is_success, None, None, asked)
        fetched_key = _FetchedKey(request.reader, request.token, collection.no, request.door)
        return _Asked(request, is_success, fetched_key, collection.name, asked)

    def _add(self, asked: _Asked, answer: SentAnswer) -> None:
        (reader, token, door, _, _, _, _, client, address), is_success, fetched_key, collection, what = asked
        began_s, ended_s, status, size_bytes, is_sent, (after, reached, objects, key) = answer
        if not (is_sent and is_success):
            reached = None
        at_us = round(self._zero_us + ended_s * 1e6)
        if fetched_key is not None:
            self._advance(fetched_key, reached or 0, at_us)
        self.count[reader] += 1
        if self.count[reader] <= KEPT_ENTRIES:
            began_us = round(self._zero_us + began_s * 1e6)
            self._entries.append(
                JournalEntry(
                    key, reader, at_us, began_us, door, collection, what, after, reached, objects, size_bytes,
                    status, client, address, token,
                )
            )  # fmt: skip

    def _advance(self, fetched_key: _FetchedKey, reached: int, at_us: int) -> None:
        furthest = self._furthest.get(fetched_key)
        if furthest is None:
            self._furthest[fetched_key] = [reached, at_us]
        elif reached > furthest[0] or at_us > furthest[1]:
            furthest[:] = max(reached, furthest[0]), max(at_us, furthest[1])


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
