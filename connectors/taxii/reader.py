"""Reads collections of any TAXII 2.1 server, page by page.

Servers differ from the specification in ways that lose or repeat data, or loop; each rule below names who needs it.
Others are malicious: a page is stored whole before an object of it is given out, and everything about it is bounded.
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
"""One page at most, unpacked. OpenCTI serves pages of 500 objects, others whole collections in one answer."""
RESOURCE_BYTES = 4 << 20
"""What describes a server, a root or its collections at most: it is decoded in memory."""
EMPTY_PAGES = 200
"""So many pages in a row may bring no object: servers that filter after paging give some, a hostile one without end."""
_CURSOR_CHARACTERS = 8_192
_SPOOL_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
_DATE_LAST = "X-TAXII-Date-Added-Last"
_RETRIED = {408, 425, 429, 500, 502, 503, 504}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """How far one collection was read; goes into the checkpoint."""

    added_after: str | None = None
    """The filter of the present round; stays the same from page to page."""
    next: str | None = None
    """The server's cursor for the next page of the round."""
    last: str | None = None
    """The greatest date_added seen, where the following round begins."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Position:
        """From a checkpoint."""
        return cls(*(kept.get(name) for name in ("added_after", "next", "last")))

    def as_json(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"added_after": self.added_after, "next": self.next, "last": self.last}


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer held, and where to go on after it."""

    objects: Iterator[bytes]
    """Each as one line of bytes, bundles taken apart. To be read before the next page is asked for."""
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
    """A page as it was spooled: what stands around its objects, and these as bytes."""

    around: Mapping[str, Any]
    inside: IO[bytes]
    objects: int
    headers: Mapping[str, str] = field(repr=False)

    def split(self) -> Iterator[bytes]:
        """The objects; those of an envelope that is a bundle get its ``spec_version``."""
        kept = {name: self.around[name] for name in ("type", "id", "spec_version") if name in self.around}
        head = orjson.dumps(kept)[:-1] + (b"," if kept else b"") + b'"objects":['
        self.inside.seek(0)
        return split(chain((head,), iter(lambda: self.inside.read(_CHUNK_BYTES), b""), (b"]}",)))

    def close(self) -> None:
        """Give the spool back."""
        self.inside.close()


class TaxiiReader:
    """One server. Close it when done."""

    def __init__(self, access: ServerAccess, notify: Notify | None = None) -> None:
        self._access = access
        self._notify = notify or (lambda _: None)
        self._wire = Wire(access)
        self.hidden: list[str] = []
        """Titles of collections that the server names and does not let us read."""

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def collections(self) -> list[Readable]:
        """What may be read, over all API roots: the address may be that of discovery, of a root, or of a collection."""
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
        """The pages of one round after ``position``. Ends where the server says that there is no more.

        A new round (no cursor is kept) begins ``overlap_s`` before the last date of the round before.
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
                # what it gave is published before it is given up; the position stays, since nobody knows what is next
                yield onward or replace(page, position=position)
            if onward is None:
                raise self._loop("promises more but gives no way on")
            page = onward
            if not page.more:  # also where a cursor is given: OpenCTI always gives one
                return
            empty = empty + 1 if page.is_empty else 0
            if empty >= EMPTY_PAGES:
                raise self._loop(f"gave {EMPTY_PAGES} pages in a row without an object")
            position = page.position

    def _page(self, url: httpx.URL, at: Position, filters: Mapping[str, Any], *, first: bool) -> _Envelope:
        # The filters of the first page go with every page: medallion answers 400 where they are missing.
        asked = url.copy_merge_params(_parameters({**filters, "added_after": at.added_after, "next": at.next}))
        try:
            return self._call(lambda: self._spooled(asked))
        except SourceFailed as error:
            if not (first and at.next and error.code in ("taxii.400", "taxii.404", "taxii.410", "taxii.422")):
                raise
            # A kept cursor that the server has forgotten (medallion, after a restart): begin the round anew.
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
        """The bytes of an answer. Raises SourceFailed, in the words of TAXII, where they cannot be unpacked."""
        try:
            yield from body.chunks()
        except SourceFailed as error:
            raise self._no_taxii(f"cannot be read: {error.says}") from error

    def _resource(self, url: httpx.URL) -> tuple[dict[str, Any], httpx.URL]:
        """What describes something, and where it was found."""
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
        """Make sure that the next request is another one: by a new cursor, else by date; None where neither is."""
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
        """Raises TryLater or SourceFailed for an answer that is no success."""
        status = answer.status
        if status < 300:
            return
        says = f"The TAXII server at {self._access.url} answered {status} {answer.reason}.".replace(" .", ".")
        if status in _RETRIED:
            raise TryLater(f"taxii.{status}", says, retry_after_s=retry_after_s(answer.headers.get("Retry-After")))
        raise SourceFailed(f"taxii.{status}", says, _WAYS_OUT.get(status, _NAME_IT))

    def _no_taxii(self, why: str, body: Input | None = None) -> SourceFailed:
        """Something else than TAXII, called by its name where it is known."""
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
    """An address with a slash at the end of its path, so that others can be relative to it."""
    return url if url.path.endswith("/") else url.copy_with(path=url.path + "/")


def _parameters(asked: Mapping[str, Any]) -> dict[str, str]:
    """The query of a page. Source: TAXII 2.1, sections 3.4 and 3.5 (``match`` with values apart by commas)."""
    own = ("limit", "added_after", "next")
    found = {}
    for name, value in asked.items():
        if value:
            text = ",".join(value) if isinstance(value, list | tuple) else str(value)
            found[name if name in own else f"match[{name}]"] = text
    return found


def _round_after(position: Position, overlap_s: float) -> Position:
    """Where a round begins. Without any date from the server it begins where the one before did: repeats, no loss."""
    start = earlier(position.last, overlap_s) if position.last else position.added_after
    return Position(added_after=start, last=position.last)


def _moment(header: str | None) -> str | None:
    """A date of a header as text that compares as time; None where it is none."""
    moment = earlier(header or "", 0.0)
    return moment if moment != header or moment.endswith("Z") else None


def earlier(moment: str, seconds: float) -> str:
    """An RFC 3339 time so much earlier, in UTC with six digits (so that text compares as time).

    Further digits are cut, which repeats rather than loses. What cannot be read stays as it is.
    """
    try:
        parsed = datetime.fromisoformat(moment).astimezone(UTC)
        return (parsed - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):  # years 1 and 9999 have no hour before and after
        return moment
