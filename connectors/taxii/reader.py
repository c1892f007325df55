"""Reads collections of any TAXII 2.1 server, page by page, through taxii2-client: the only module that knows it.

Servers differ from the specification in ways that lose or repeat data, or loop; each rule below names who needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
from taxii2client import MEDIA_TYPE_TAXII_V21
from taxii2client.common import _HTTPConnection
from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import ApiRoot, Collection

from connectors.sdk.client import Notify, retries, retry_after_s
from connectors.sdk.errors import ConnectorError, SourceFailed, TryLater

TIMEOUT_S = (10.0, 120.0)
ANSWER_BYTES = 256 << 20
"""One page at most. OpenCTI serves pages of 500 objects, others whole collections in one answer."""
_DATE_LAST = "X-TAXII-Date-Added-Last"
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_EMPTY_AS_UTF16 = "\u7b7d"
"""What ``{}`` becomes where an answer of two bytes is guessed to be UTF-16 (met by XSOAR's client)."""

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

    objects: list[dict[str, Any]]
    position: Position
    date_last: str | None
    more: bool


@dataclass(frozen=True, slots=True)
class Readable:
    """A collection that the server lets us read."""

    url: str
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server."""

    url: str
    auth: requests.auth.AuthBase | None = field(default=None, repr=False)
    ca_file: str | None = None
    client_cert: str | None = None
    verify: bool = True
    patience_s: float | None = 300.0
    keep_host: bool = False
    """Take only paths from what the server advertises: a hub behind a forwarded port knows itself by another name."""


class TaxiiReader:
    """One server. Close it when done."""

    def __init__(self, access: Access, notify: Notify | None = None) -> None:
        self._access = access
        self._notify = notify or (lambda _: None)
        self._connection = _HTTPConnection(
            verify=access.ca_file or access.verify, version="2.1", auth=access.auth, cert=access.client_cert
        )
        session = self._connection.session
        session.hooks["response"] = [_bounded, _tolerated, self._remember]
        session.mount("http://", _WithTimeout())
        session.mount("https://", _WithTimeout())
        self._headers: Mapping[str, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def collections(self) -> list[Readable]:
        """What may be read, over all API roots: the address may be that of discovery, of a root, or of a collection."""
        url = self._access.url.rstrip("/") + "/"
        found = self._call(lambda: self._connection.get(url))
        if not isinstance(found, dict):
            raise self._strange()
        if "can_read" in found:
            return [Readable(url, str(found.get("id", "")), str(found.get("title", "")))] if found["can_read"] else []
        roots = [self._own(urljoin(url, root)) for root in found.get("api_roots") or ()]
        if not roots and "versions" in found:
            roots = [url]
        if not roots:
            raise self._strange()
        return [readable for root in roots for readable in self._of_root(root)]

    def _of_root(self, url: str) -> Iterator[Readable]:
        root = ApiRoot(url, conn=self._connection)
        self._call(root.refresh_collections)
        for collection in root.collections:
            if collection.can_read:
                yield Readable(self._own(collection.url), str(collection.id), str(collection.title))

    def pages(
        self, collection_url: str, position: Position, *, overlap_s: float = 0.0, **filters: Any
    ) -> Iterator[Page]:
        """The pages of one round after ``position``. Ends where the server says that there is no more.

        A new round (no cursor is kept) begins ``overlap_s`` before the last date of the round before.
        """
        collection = Collection(collection_url, conn=self._connection)
        if position.next is None:
            position = _round_after(position, overlap_s)
        cursors: set[bytes] = set()
        while True:
            page = self._page(collection, position, filters, first=not cursors)
            if page.more:
                page = self._way_on(page, position, cursors)
            yield page
            if not page.more:  # also where a cursor is given: OpenCTI always gives one
                return
            position = page.position

    def _page(self, collection: Collection, at: Position, filters: dict[str, Any], *, first: bool) -> Page:
        # The filters of the first page go with every page: medallion answers 400 where they are missing.
        wanted = {**filters, "added_after": at.added_after, "next": at.next}
        try:
            envelope = self._call(lambda: collection.get_objects(**wanted))
        except SourceFailed as error:
            if not (first and at.next and error.code in ("taxii.400", "taxii.404", "taxii.410", "taxii.422")):
                raise
            # A kept cursor that the server has forgotten (medallion, after a restart): begin the round anew.
            self._notify("The server no longer knows the cursor; reading on by date.")
            return self._page(collection, _round_after(at, 0.0), filters, first=True)
        return self._read(envelope, at)

    def _read(self, envelope: Any, at: Position) -> Page:
        if not envelope or envelope == _EMPTY_AS_UTF16:
            envelope = {}
        if not isinstance(envelope, dict) or not isinstance(envelope.get("objects", []), list):
            raise self._strange()
        header = self._headers.get(_DATE_LAST)
        date_last = earlier(header, 0.0) if header else None
        last = max(filter(None, (at.last, date_last)), default=None)
        cursor = envelope.get("next") if envelope.get("more") else None
        position = Position(at.added_after, str(cursor) if cursor else None, last)
        return Page(envelope.get("objects", []), position, date_last, bool(envelope.get("more")))

    def _way_on(self, page: Page, before: Position, cursors: set[bytes]) -> Page:
        """Make sure that the next request is another one: by a new cursor, else by date, else not at all."""
        cursor = page.position.next
        seen = hashlib.blake2b((cursor or "").encode(), digest_size=8).digest()
        if cursor and seen not in cursors:
            cursors.add(seen)
            return page
        if page.date_last and page.date_last > (before.added_after or ""):
            by_date = Position(added_after=page.date_last, last=page.position.last)
            return Page(page.objects, by_date, page.date_last, more=True)
        raise SourceFailed(
            "taxii.loop",
            f"The TAXII server at {self._access.url} promises more but gives no way on.",
            "What came so far is published; tell the server's operator.",
        )

    def _own(self, url: str) -> str:
        """An URL that the server named. Our credentials go to the configured host and nowhere else."""
        configured, named = urlsplit(self._access.url), urlsplit(url)
        if (configured.scheme, configured.netloc) == (named.scheme, named.netloc):
            return url
        if self._access.keep_host:
            return named._replace(scheme=configured.scheme, netloc=configured.netloc).geturl()
        raise SourceFailed(
            "taxii.other-host",
            f"The TAXII server at {self._access.url} sends us to another host, {named.netloc}.",
            "If that is right, name an address there as the url.",
        )

    def _remember(self, response: requests.Response, **_: Any) -> None:
        self._headers = response.headers

    def _call(self, request: Callable[[], T]) -> T:
        for attempt in retries(self._access.patience_s, self._notify):
            with attempt:
                try:
                    return request()
                except (requests.RequestException, TAXIIServiceException, ValueError) as error:
                    raise self._failed(error) from error
        raise AssertionError("unreachable: the last attempt raises")

    def _failed(self, error: Exception) -> ConnectorError:
        url = self._access.url
        response = getattr(error, "response", None)
        if response is not None:
            status = response.status_code
            says = f"The TAXII server at {url} answered {status} {response.reason}."
            if status in _RETRIED:
                wait_s = retry_after_s(response.headers.get("Retry-After"))
                return TryLater(f"taxii.{status}", says, retry_after_s=wait_s)
            return SourceFailed(f"taxii.{status}", says, _WAYS_OUT.get(status, ""))
        if isinstance(error, requests.exceptions.SSLError):
            return SourceFailed("taxii.tls", f"The certificate of {url} is not trusted: {error}.", "Set ca_file.")
        if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
            says = f"No answer from the TAXII server at {url}: {_cause(error)}."
            return TryLater("taxii.unreachable", says, "Check the address, and that the server runs.")
        return SourceFailed("taxii.unreadable", f"The TAXII server at {url} answered in a strange way: {error}.")

    def _strange(self) -> SourceFailed:
        return SourceFailed(
            "taxii.unreadable", f"{self._access.url} is not a TAXII 2.1 server.", "Name its discovery or its API root."
        )


def _cause(error: BaseException) -> str:
    """What the operating system said, below what the libraries made of it; else the error's own name."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.strerror:
            return below.strerror
        below = below.__cause__ or below.__context__
    return type(error).__name__


_WAYS_OUT = {
    401: "Check the user, the password or the token.",
    403: "Ask the server's operator for the right to read.",
    404: "Check the url; it ends in /taxii2/ in most cases.",
    406: "It may speak TAXII 2.0 only, which is not supported.",
}


class _WithTimeout(requests.adapters.HTTPAdapter):
    """requests waits for ever unless told otherwise, and taxii2-client does not say."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT_S
        return super().send(request, **kwargs)


def _round_after(position: Position, overlap_s: float) -> Position:
    """Where a round begins. Without any date from the server it begins where the one before did: repeats, no loss."""
    start = earlier(position.last, overlap_s) if position.last else position.added_after
    return Position(added_after=start, last=position.last)


def earlier(moment: str, seconds: float) -> str:
    """An RFC 3339 time so much earlier, in UTC with six digits (so that text compares as time).

    Further digits are cut, which repeats rather than loses. What cannot be read stays as it is.
    """
    try:
        parsed = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return moment
    return (parsed - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bounded(response: requests.Response, **_: Any) -> None:
    """Read the body, but not more of it than one page can be: a server must not fill our memory."""
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > ANSWER_BYTES:
            response.close()
            raise SourceFailed("taxii.too-large", f"An answer of {response.url} is over {ANSWER_BYTES} bytes.")
    response._content = bytes(body)


def _tolerated(response: requests.Response, **_: Any) -> None:
    """taxii2-client refuses an answer whose type is not exactly TAXII's; several servers say application/json."""
    response.encoding = "utf-8"
    kind = response.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if kind in ("application/json", "application/taxii+json", "application/stix+json"):
        response.headers["Content-Type"] = MEDIA_TYPE_TAXII_V21
