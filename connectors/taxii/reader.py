"""Reads collections of any TAXII 2.1 server, page by page.

Servers deviate from the specification in ways that lose or repeat data, or cause loops; each rule below names the
servers that need it. A server may be malicious: a page is stored completely before its objects are returned, and all
sizes are bounded.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx
import orjson

from connectors.sdk.client import Notify, retries, retry_after_s
from connectors.sdk.encodings import as_utf8
from connectors.sdk.errors import SourceFailed, TryLater
from connectors.sdk.inputs import Input
from connectors.sdk.objects import split
from connectors.sdk.recognise import instead, not_a_feed
from connectors.taxii.envelope import EnvelopeError, EnvelopeScanner
from connectors.taxii.wire import Answer, ServerAccess, Wire, absolute_url

__all__ = ["Page", "Position", "Readable", "ServerAccess", "TaxiiReader", "earlier"]

ANSWER_BYTES = 256 << 20
"""The maximum size of a page, unpacked. OpenCTI sends pages of 500 objects, other servers whole collections."""
RESOURCE_BYTES = 4 << 20
"""The maximum size of a description of a server, root or collections, which is decoded in memory."""
EMPTY_PAGES = 200
"""The maximum number of consecutive empty pages. Servers that filter after paging send some, a malicious one no end."""
_CURSOR_CHARACTERS = 8_192
_SPOOL_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
_DATE_LAST = "X-TAXII-Date-Added-Last"
_RETRIED = {408, 425, 429, 500, 502, 503, 504}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """The position in one collection; part of the checkpoint."""

    added_after: str | None = None
    """The filter of the current round, the same for all its pages."""
    next: str | None = None
    """The server's cursor for the next page of the round."""
    last: str | None = None
    """The greatest date_added so far, where the next round begins."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Position:
        """Reads a position from a checkpoint."""
        return cls(*(kept.get(name) for name in ("added_after", "next", "last")))

    def as_json(self) -> dict[str, Any]:
        """Returns the data for a checkpoint."""
        return {"added_after": self.added_after, "next": self.next, "last": self.last}


@dataclass(frozen=True, slots=True)
class Page:
    """The objects of one response, and the position after it."""

    objects: Iterator[bytes]
    """Each object as one line of bytes, with bundles split. Read them before requesting the next page."""
    position: Position
    date_last: str | None
    more: bool
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Readable:
    """A collection that the server lets us read."""

    url: str
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A stored page: its properties, and its objects as bytes."""

    around: Mapping[str, Any]
    inside: IO[bytes]
    objects: int
    headers: Mapping[str, str] = field(repr=False)

    def split(self) -> Iterator[bytes]:
        """Yields the objects; those of a bundle instead of an envelope get its ``spec_version``."""
        kept = {name: self.around[name] for name in ("type", "id", "spec_version") if name in self.around}
        head = orjson.dumps(kept)[:-1] + (b"," if kept else b"") + b'"objects":['
        self.inside.seek(0)
        return split(chain((head,), iter(lambda: self.inside.read(_CHUNK_BYTES), b""), (b"]}",)))

    def close(self) -> None:
        """Delete the temporary file."""
        self.inside.close()


class TaxiiReader:
    """Reads from one server. Close it after use."""

    def __init__(self, access: ServerAccess, notify: Notify | None = None) -> None:
        self._access = access
        self._notify = notify or (lambda _: None)
        self._wire = Wire(access)
        self.hidden: list[str] = []
        """Titles of collections that the server lists but does not allow to read."""

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def collections(self) -> list[Readable]:
        """Returns the readable collections of all API roots. The URL may be of discovery, a root, or a collection."""
        self.hidden.clear()
        found, url = self._resource(_folder(self._wire.url))
        if "can_read" in found:
            return self._readable([found], lambda _: url)
        named = found.get("api_roots") or ([found["default"]] if "default" in found else [])
        roots = [self._wire.own(absolute_url(url, root)) for root in named] if isinstance(named, list) else []
        if not roots and "versions" in found:
            roots = [url]
        if not roots:
            raise self._no_taxii("is JSON, but neither a discovery, nor an API root, nor a collection")
        return [readable for root in roots for readable in self._of_root(_folder(root))]

    def _of_root(self, root: httpx.URL) -> list[Readable]:
        found, _ = self._resource(absolute_url(root, "collections/"))
        listed = found.get("collections") or []
        if not isinstance(listed, list):
            raise self._no_taxii("names its collections in a strange way")
        return self._readable(
            listed, lambda one: absolute_url(root, f"collections/{quote(str(one.get('id', '')), safe='')}/")
        )

    def _readable(self, listed: list[Any], url: Callable[[Mapping[str, Any]], httpx.URL]) -> list[Readable]:
        found = []
        for one in listed:
            if not isinstance(one, dict):
                raise self._no_taxii("names its collections in a strange way")
            title = str(one.get("title") or one.get("id") or "")
            if one.get("can_read", True) is False:
                self.hidden.append(title)
            else:
                found.append(Readable(str(self._wire.own(url(one))), str(one.get("id", "")), title))
        return found

    def pages(
        self, collection_url: str, position: Position, *, overlap_s: float = 0.0, **filters: Any
    ) -> Iterator[Page]:
        """Yields the pages of one round after ``position``, until the server reports that there are no more.

        A new round (without a stored cursor) begins ``overlap_s`` before the last date of the previous round.
        """
        url = absolute_url(httpx.URL(collection_url), "objects/")
        if position.next is None:
            position = _round_after(position, overlap_s)
        cursors: set[bytes] = set()
        empty = 0
        while True:
            with closing(self._page(url, position, filters, first=not cursors)) as envelope:
                page = self._read(envelope, position)
                onward = self._way_on(page, position, cursors) if page.more else page
                # publish the page before raising; the position is unchanged, since the next page is unknown
                yield onward or replace(page, position=position)
            if onward is None:
                raise self._loop("promises more but gives no way on")
            page = onward
            if not page.more:  # even if there is a cursor: OpenCTI always sends one
                return
            empty = empty + 1 if page.is_empty else 0
            if empty >= EMPTY_PAGES:
                raise self._loop(f"gave {EMPTY_PAGES} pages in a row without an object")
            position = page.position

    def _page(self, url: httpx.URL, at: Position, filters: Mapping[str, Any], *, first: bool) -> _Envelope:
        # Every page needs the filters of the first page: medallion answers 400 without them.
        asked = url.copy_merge_params(_parameters({**filters, "added_after": at.added_after, "next": at.next}))
        try:
            return self._call(lambda: self._spooled(asked))
        except SourceFailed as error:
            if not (first and at.next and error.code in ("taxii.400", "taxii.404", "taxii.410", "taxii.422")):
                raise
            # The server does not know the stored cursor any more (medallion, after a restart): restart the round.
            self._notify("The server no longer knows the cursor; reading on by date.")
            return self._page(url, _round_after(at, 0.0), filters, first=True)

    def _spooled(self, url: httpx.URL) -> _Envelope:
        with self._wire.get(url) as answer, ExitStack() as unless_whole:
            self._refuse_errors(answer)
            scanner, size = EnvelopeScanner(), 0
            inside = unless_whole.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))
            try:
                for chunk in as_utf8(self._content(answer.body)):
                    size += len(chunk)
                    if size > ANSWER_BYTES:
                        raise self._too_large(ANSWER_BYTES)
                    inside.write(scanner.feed(chunk))
                around = scanner.close()
            except EnvelopeError as error:
                raise self._no_taxii(str(error), answer.body) from error
            if around and not around.keys() & {"objects", "more", "next"} and around.get("type") != "bundle":
                raise self._no_taxii("is no envelope", answer.body)
            unless_whole.pop_all()
            return _Envelope(around, inside, scanner.objects, answer.headers)

    def _content(self, body: Input) -> Iterator[bytes]:
        """Yields the bytes of a response. Raises SourceFailed if they cannot be unpacked."""
        try:
            yield from body.chunks()
        except SourceFailed as error:
            raise self._no_taxii(f"cannot be read: {error.says}") from error

    def _resource(self, url: httpx.URL) -> tuple[dict[str, Any], httpx.URL]:
        """Returns a description (of discovery, a root or collections) and its final address."""
        return self._call(lambda: self._decoded(url))

    def _decoded(self, url: httpx.URL) -> tuple[dict[str, Any], httpx.URL]:
        with self._wire.get(url) as answer:
            self._refuse_errors(answer)
            body = bytearray()
            for chunk in as_utf8(self._content(answer.body)):
                body += chunk
                if len(body) > RESOURCE_BYTES:
                    raise self._too_large(RESOURCE_BYTES)
        try:
            found = orjson.loads(bytes(body).strip().removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise self._no_taxii("is not JSON", answer.body) from error
        if not isinstance(found, dict):
            raise self._no_taxii("is JSON, but not what TAXII answers", answer.body)
        return found, _folder(answer.url)

    def _read(self, envelope: _Envelope, at: Position) -> Page:
        around = envelope.around
        cursor, more = around.get("next"), around.get("more") is True or around.get("more") in ("true", "True")
        objects = around.get("objects")
        if isinstance(cursor, dict | list) or len(str(cursor)) > _CURSOR_CHARACTERS or objects not in (None, []):
            raise self._no_taxii("is no envelope")
        date_last = _moment(envelope.headers.get(_DATE_LAST))
        last = max(filter(None, (at.last, date_last)), default=None)
        position = Position(at.added_after, str(cursor) if cursor and more else None, last)
        return Page(envelope.split(), position, date_last, more, is_empty=not envelope.objects)

    def _way_on(self, page: Page, before: Position, cursors: set[bytes]) -> Page | None:
        """Returns the page with a position that differs from earlier ones, by cursor or date; None if there is none."""
        cursor = page.position.next
        seen = hashlib.blake2b((cursor or "").encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if cursor and seen not in cursors:
            cursors.add(seen)
            return page
        if page.date_last and page.date_last > (before.added_after or ""):
            by_date = Position(added_after=page.date_last, last=page.position.last)
            return Page(page.objects, by_date, page.date_last, more=True, is_empty=page.is_empty)
        return None

    def _loop(self, what: str) -> SourceFailed:
        return SourceFailed(
            "taxii.loop",
            f"The TAXII server at {self._access.url} {what}.",
            "What came so far is published; tell the server's operator.",
        )

    def _call(self, request: Callable[[], T]) -> T:
        for attempt in retries(self._access.patience_s, self._notify):
            with attempt:
                return request()
        raise AssertionError("unreachable: the last attempt raises")

    def _refuse_errors(self, answer: Answer) -> None:
        """Raises TryLater or SourceFailed for an error response."""
        status = answer.status
        if status < 300:
            return
        says = f"The TAXII server at {self._access.url} answered {status} {answer.reason}.".replace(" .", ".")
        if status in _RETRIED:
            raise TryLater(f"taxii.{status}", says, retry_after_s=retry_after_s(answer.headers.get("Retry-After")))
        raise SourceFailed(f"taxii.{status}", says, _WAYS_OUT.get(status, _NAME_IT))

    def _no_taxii(self, why: str, body: Input | None = None) -> SourceFailed:
        """Returns the error for content that is not TAXII, with a description if it is recognised."""
        url, start = self._access.url, body.start if body else b""
        if (page := not_a_feed(start)) is not None:
            if page.is_login:
                way_out = (
                    "Set user and password, or a token (CTIHUB_TAXII_TOKEN), and check that the url is that of TAXII."
                )
                return SourceFailed("taxii.login-page", f"{url} answers with {page.what}, not with TAXII.", way_out)
            return SourceFailed("taxii.unreadable", f"{url} answers with {page.what}, not with TAXII 2.1.", _NAME_IT)
        told = f"; it is {instead(start).what}" if why.startswith("is ") and start.strip() else ""
        says = f"{url} is not a TAXII 2.1 server, or a broken one: it gives an answer that {why}{told}."
        return SourceFailed("taxii.unreadable", says, _NAME_IT)

    def _too_large(self, limit_bytes: int) -> SourceFailed:
        says = f"The TAXII server at {self._access.url} gives an answer of over {limit_bytes >> 20} MiB."
        return SourceFailed("taxii.too-large", says, "Ask for less at once with page_objects.")


_NAME_IT = "Name its discovery or its API root as the url."
_WAYS_OUT = {
    401: "Check the user, the password or the token.",
    403: "Ask the server's operator for the right to read.",
    404: "Check the url; it ends in /taxii2/ in most cases.",
    406: "It may speak TAXII 2.0 only, which is not supported.",
}


def _folder(url: httpx.URL) -> httpx.URL:
    """Returns an address with a slash at the end of its path, for resolving relative addresses."""
    return url if url.path.endswith("/") else url.copy_with(path=url.path + "/")


def _parameters(asked: Mapping[str, Any]) -> dict[str, str]:
    """Returns the query of a page. Source: TAXII 2.1, sections 3.4 and 3.5 (``match`` with comma-separated values)."""
    own = ("limit", "added_after", "next")
    found = {}
    for name, value in asked.items():
        if value:
            text = ",".join(value) if isinstance(value, list | tuple) else str(value)
            found[name if name in own else f"match[{name}]"] = text
    return found


def _round_after(position: Position, overlap_s: float) -> Position:
    """Returns the start of a round. Without dates from the server it is that of the previous round, which repeats."""
    start = earlier(position.last, overlap_s) if position.last else position.added_after
    return Position(added_after=start, last=position.last)


def _moment(header: str | None) -> str | None:
    """Returns a date of a header as text that sorts by time; None if it is not a date."""
    moment = earlier(header or "", 0.0)
    return moment if moment != header or moment.endswith("Z") else None


def earlier(moment: str, seconds: float) -> str:
    """Returns an RFC 3339 time ``seconds`` earlier, in UTC with six digits, so that the text sorts by time.

    Further digits are cut, which may repeat objects but loses none. Unreadable text is returned unchanged.
    """
    try:
        parsed = datetime.fromisoformat(moment).astimezone(UTC)
        return (parsed - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):  # near the years 1 and 9999 the result is out of range
        return moment
