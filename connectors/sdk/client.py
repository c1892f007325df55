"""A client of the hub's HTTP interface, with credentials, retries for a limited time, and readable errors.

It is synchronous, with one connection pool and timeouts. The commands and the HTTP publisher use it.
"""

from __future__ import annotations

import gzip
import math
import secrets
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
import stamina
from pydantic import ValidationError

from connectors.sdk.errors import ConnectorError, PublishRefused, TryLater, WrongSettings
from connectors.sdk.no_answer import distrusted, may_be_done, other_scheme, why
from schemas.api import (
    Body,
    CollectionInfo,
    CollectionList,
    OwnClaimInfo,
    OwnClaimPage,
    ProblemDetails,
    PushAccepted,
    Receipt,
    Status,
)
from schemas.explanation import Explanation
from schemas.feedback import SightingBody, VerdictBody
from schemas.lookup import MOST_VALUES, CollectionChange, CollectionChanges, LookupAnswer

DEFAULT_URL = "http://127.0.0.1:8480"
PATIENCE_S = 300.0
"""How many seconds a request is retried; long enough for a restart of the hub."""
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_RETRY_AFTER_AT_MOST_S = 300.0
"""The maximum of ``Retry-After`` that is honoured: a peer may be wrong or malicious."""
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_MAKING_TIMEOUT = httpx.Timeout(600.0, connect=10.0)
"""For lists: the hub makes a list before it sends the first byte."""
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_COMPRESSION_LEVEL = 1
_PAGE_CHANGES = 10_000

BodyT = TypeVar("BodyT", bound=Body)
Notify = Callable[[str], None]


class HubClient:
    """The calls of one principal. Every method raises PublishRefused (a retry does not help) or TryLater."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        patience_s: float | None = PATIENCE_S,
        notify: Notify | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.url = checked_url(url)
        self._patience_s = patience_s
        self._notify = notify or (lambda _: None)
        self._compress = not is_loopback(self.url)
        self._http = httpx.Client(
            headers=request_headers(token),
            timeout=_TIMEOUT,
            verify=tls(self.url, ca_file),
            trust_env=not is_loopback(self.url),  # a proxy cannot reach this machine's loopback
        )

    def push(self, lines: Sequence[bytes]) -> PushAccepted:
        """Publish objects as NDJSON; durable when this returns. The body has gzip, except over loopback."""
        body = b"\n".join(lines)
        headers = {"Content-Type": "application/x-ndjson"}
        if self._compress:
            body = gzip.compress(body, _COMPRESSION_LEVEL)
            headers["Content-Encoding"] = "gzip"
        return self._call(PushAccepted, "POST", "/v1/intake", content=body, headers=headers)

    def withdraw(self, ids: Sequence[str], *, soft: bool = False, restore: bool = False) -> PushAccepted:
        """Withdraw the caller's contributions with these STIX ids, so that they stay out. ``soft``: the source merely
        lists them no more. ``restore``: take back withdrawals that stand.
        """
        body = {"ids": list(ids), **({"soft": True} if soft else {}), **({"restore": True} if restore else {})}
        return self._call(PushAccepted, "POST", "/v1/withdrawals", json=body)

    def report_sightings(self, reports: Sequence[SightingBody]) -> PushAccepted:
        """Says that the caller has seen things; at most 1,000 at once."""
        body = [one.model_dump(exclude_none=True) for one in reports]
        return self._call(PushAccepted, "POST", "/v1/sightings", json=body)

    def report_verdicts(self, reports: Sequence[VerdictBody]) -> PushAccepted:
        """Says what the caller thinks of things; at most 1,000 at once."""
        body = [one.model_dump(exclude_none=True) for one in reports]
        return self._call(PushAccepted, "POST", "/v1/feedback", json=body)

    def own_claims(self, about: str) -> Iterator[OwnClaimInfo]:
        """Yields the caller's own claims about a value, a pattern or a STIX id, withdrawn ones too."""
        after: str | None = ""
        while after is not None:
            query = urlencode({"about": about, "after": after})
            page = self._call(OwnClaimPage, "GET", f"/v1/claims?{query}")
            yield from page.claims
            after = page.next_after

    def receipt(self, status_url: str) -> Receipt:
        """Returns the receipt of a push, by the ``status_url`` in its response."""
        return self._call(Receipt, "GET", own_path(status_url))

    def completed(self, status_url: str, *, within_s: float) -> Receipt:
        """Waits for the complete receipt and returns it. Raises TryLater after ``within_s`` seconds."""
        deadline, wait_s = time.monotonic() + within_s, 0.02
        while (receipt := self.receipt(status_url)).state != "complete":
            if time.monotonic() + wait_s > deadline:
                raise TryLater(
                    "receipt.pending",
                    f"The hub has not finished with the push within {within_s:g} s.",
                    f"What it acknowledged is safe; ask again at {self.url}{own_path(status_url)}.",
                )
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, 1.0)
        return receipt

    def collections(self) -> list[CollectionInfo]:
        """Returns the collections that the caller may read, by name."""
        return self._call(CollectionList, "GET", "/v1/collections").collections

    def explain(
        self, asked: str, *, reader: str | None = None, at: int | None = None, collection: str | None = None
    ) -> Explanation:
        """Returns where a thing comes from; ``asked`` is a STIX id, a value or a pattern. ``reader``: as this one sees
        it, for operators. ``at``: as it stood at this change of the ``collection``.
        """
        said = {"as": reader, "at": at, "collection": collection}
        query = urlencode({name: value for name, value in said.items() if value is not None})
        path = f"/v1/explain/{quote(asked, safe='')}"
        return self._call(Explanation, "GET", f"{path}?{query}" if query else path)

    def download(self, path: str, to: BinaryIO) -> Mapping[str, str]:
        """Writes the complete body of an answer to the file ``to``; returns its headers, by names in lower case."""
        for attempt in retries(self._patience_s, self._notify):
            with attempt:
                to.seek(0)
                to.truncate()
                try:
                    with self._http.stream("GET", self.url + path, timeout=_MAKING_TIMEOUT) as response:
                        if not response.is_success:
                            response.read()
                            raise failure(response)
                        for part in response.iter_bytes():
                            to.write(part)
                        return {name.lower(): value for name, value in response.headers.items()}
                except httpx.TransportError as error:
                    raise unreachable(self.url, error) from error
        raise AssertionError("unreachable: the last attempt raises")

    def look_up(self, values: Sequence[str]) -> Iterator[LookupAnswer]:
        """Yields what the caller's collections show of each value, in the order of the values."""
        for start in range(0, len(values), MOST_VALUES):
            some = list(values[start : start + MOST_VALUES])
            lines = self._lines("/v1/lookup", some)
            if len(lines) != len(some):
                raise PublishRefused(
                    "answer.unreadable", f"The hub answered {len(lines)} of {len(some)} values.", "Ask again."
                )
            yield from lines

    def changes(self, collection: str, since: str) -> Iterator[CollectionChange]:
        """Yields what has changed in a collection after the number of a change, or after a time (RFC 3339)."""
        more = True
        while more:
            query = urlencode({"since": since, "limit": _PAGE_CHANGES})
            path = f"/v1/collections/{quote(collection, safe='')}/changes"
            page = self._call(CollectionChanges, "GET", f"{path}?{query}")
            yield from page.changes
            since, more = str(page.next), page.more

    def call(self, answer: type[BodyT], path: str, method: str = "GET", *, json: object = None) -> BodyT:
        """Returns the answer of any other path, such as ``/v1/webhooks``. A POST is not repeated when it may have been
        done: what is pushed or reported is the same when it comes twice, but other things would be there twice.
        """
        return self._call(answer, method, path, json=json, repeats=method != "POST")

    def status(self) -> Status:
        """Returns flow, lag, rejections, collections and doors, as far as the caller may see them."""
        return self._call(Status, "GET", "/v1/status")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._http.close()

    def _call(
        self,
        answer: type[BodyT],
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        json: object = None,
        headers: dict[str, str] | None = None,
        repeats: bool = True,
    ) -> BodyT:
        for attempt in retries(self._patience_s, self._notify):
            with attempt:
                request = self._http.build_request(method, self.url + path, content=content, json=json, headers=headers)
                try:
                    return self._read(answer, self._send(request))
                except TryLater as error:
                    if repeats or not may_be_done(error):
                        raise
                    says = f"The hub may have done it all the same: {error.says}"
                    raise PublishRefused("answer.lost", says, "See what is there before you try again.") from error
        raise AssertionError("unreachable: the last attempt raises")

    def _lines(self, path: str, values: list[str]) -> list[LookupAnswer]:
        for attempt in retries(self._patience_s, self._notify):
            with attempt:
                request = self._http.build_request("POST", self.url + path, json=values)
                response = self._send(request)
                return [self._parsed(LookupAnswer, line) for line in response.content.splitlines()]
        raise AssertionError("unreachable: the last attempt raises")

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if not response.is_success:
            raise failure(response)
        return response

    def _read(self, answer: type[BodyT], response: httpx.Response) -> BodyT:
        return self._parsed(answer, response.content)

    def _parsed(self, answer: type[BodyT], body: bytes) -> BodyT:
        try:
            return answer.read(body)
        except ValidationError as error:
            raise PublishRefused(
                "answer.unreadable",
                f"{self.url} answered with something that is not a hub's {answer.__name__}.",
                "Check that --url names a ctihub of this version.",
            ) from error


def retries(patience_s: float | None, notify: Notify) -> Iterable[stamina.Attempt]:
    """Yields attempts with backoff and jitter while TryLater is raised, honouring ``Retry-After``.

    ``patience_s`` None: no limit; 0: one attempt. A ``Retry-After`` beyond the limit ends the attempts at once.
    """
    if patience_s == 0:
        return stamina.retry_context(on=lambda _: False, attempts=1)
    began = time.monotonic()

    def again(error: Exception) -> bool | float:
        if not isinstance(error, TryLater):
            return False
        wait_s = error.retry_after_s
        if wait_s is not None and patience_s is not None and time.monotonic() - began + wait_s > patience_s:
            return False
        notify(f"{error.says} Trying again.")
        if wait_s is None:
            return True
        return wait_s + secrets.randbelow(250) / 1_000  # jitter, so that clients do not retry at the same time

    return stamina.retry_context(
        on=again, attempts=None, timeout=patience_s, wait_initial=0.1, wait_max=10.0, wait_jitter=0.5
    )


def failure(response: httpx.Response) -> ConnectorError:
    """Returns an error response as an exception, with the text of its problem details if there are any."""
    status = response.status_code
    code, says, way_out = f"http.{status}", f"The hub answered {status} {response.reason_phrase}.", ""
    try:
        problem = ProblemDetails.read(response.content)
    except ValidationError:
        way_out = _WAYS_OUT.get(status, "")
    else:
        code, says = problem.code, problem.detail
        way_out = problem.way_out or _WAYS_OUT.get(status, "")
    if status == _UNAUTHORISED and "authorization" in response.request.headers:
        says, way_out = _token_refused(response)
    if status in _RETRIED:
        wait_s = retry_after_s(response.headers.get("Retry-After"))
        return TryLater(code, says, way_out, retry_after_s=wait_s, status=status)
    return PublishRefused(code, says, way_out, status=status)


def _token_refused(response: httpx.Response) -> tuple[str, str]:
    """The hub tells nobody what is wrong with a token; its operator finds that in the log."""
    asked = response.request.url
    says = f"The token (CTIHUB_TOKEN or --token) is not valid at {asked.scheme}://{asked.netloc.decode()}."
    return says, (
        "Is it mistyped, replaced, ended, suspended, or not allowed from here? The hub's operator sees which in its log"
        " (auth.refused)."
    )


USER_AGENT = "ctihub"
_UNAUTHORISED = 401
_WAYS_OUT = {
    401: "Check --token (or CTIHUB_TOKEN).",
    403: "Ask the hub's operator for the right.",
    404: "Check --url, and the name.",
    413: "Send less at once.",
}


def unreachable(url: str, error: Exception) -> ConnectorError:
    """Returns the error for a hub that does not answer. A retry does not help where it uses the other scheme."""
    if other := other_scheme(url, error):
        return WrongSettings("url.scheme", f"The address {url} {other.says}.", other.way_out)
    way_out = "Give --ca-file." if distrusted(error) else "Check --url, and that the hub runs."
    return TryLater("hub.unreachable", f"No answer from the hub at {url}: {why(error)}.", way_out)


def retry_after_s(header: str | None) -> float | None:
    """Returns the seconds of a ``Retry-After`` header, limited to 0 to 300; None if it is missing or unreadable.

    Source: RFC 9110, section 10.2.3 (seconds, or a date).
    """
    try:
        asked = float(header or "")
    except ValueError:
        asked = _seconds_until(header or "")
    return None if math.isnan(asked) else min(max(asked, 0.0), _RETRY_AFTER_AT_MOST_S)


def _seconds_until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return math.nan


def checked_url(url: str) -> str:
    """Returns the hub's address without a slash at the end. Raises WrongSettings if it is not valid."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongSettings("url.invalid", f"{url!r} is not the address of a hub.", f"Write it like {DEFAULT_URL}.")
    return url.strip().rstrip("/")


def is_loopback(url: str) -> bool:
    """Returns whether an address is on this machine."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def own_path(status_url: str) -> str:
    """Returns the path of a URL from the hub, so that the token is only sent to the configured host.

    A hub behind a proxy or a forwarded port may have another address than its caller uses.
    """
    at = status_url.find("/v1/")
    if at < 0:
        raise PublishRefused("answer.unreadable", f"The hub named a strange place for its receipt: {status_url!r}.")
    return status_url[at:]


def request_headers(token: str | None) -> dict[str, str]:
    """Returns the headers of every request: what the program calls itself, by which the hub's journal tells clients
    apart, and the token, if there is one.
    """
    called = {"User-Agent": USER_AGENT}
    if not token:
        return called
    if not token.isascii() or not token.isprintable() or " " in token:
        raise WrongSettings("token.invalid", "The token holds characters that no token has.", "Copy it once more.")
    return {**called, "Authorization": f"Bearer {token}"}


def tls(url: str, ca_file: str | None) -> bool | ssl.SSLContext:
    """Returns the TLS settings for httpx. Loading the CAs takes 20 ms, so it is done only for https."""
    if urlsplit(url).scheme != "https":
        return False
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise WrongSettings("ca-file.unreadable", f"The CA file {ca_file} cannot be read: {error}.") from error
