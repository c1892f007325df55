"""HTTP requests to one server, never to another one. Each response has a total deadline and a maximum size.

A server may be malicious, or a proxy may answer for it. asyncio is used internally because its deadlines cover
everything, including headers that arrive byte by byte. The interface is synchronous.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from connectors.sdk.client import USER_AGENT, is_loopback
from connectors.sdk.connector import SOURCE_PATIENCE_S
from connectors.sdk.errors import ConnectorError, SourceFailed, TryLater, WrongSettings
from connectors.sdk.inputs import Input
from connectors.sdk.no_answer import causes, distrusted, other_scheme, why
from connectors.taxii.origins import difference, on_same_server

MEDIA_TYPE = "application/taxii+json;version=2.1"
ANSWER_S = 60.0
"""The total time for one response. A timeout per read is no limit, since a single byte is a read. Other clients stop
after 30 (OpenCTI) or 60 seconds (Elastic)."""
_CONNECT_S = 10.0
_REDIRECTS = 5
_REDIRECTED = {301, 302, 303, 307, 308}
_LOOKS_LIKE_LOGIN = re.compile(r"log-?in|sign-?in|\bsso\b|saml|oauth|openid|adfs|\bauth\b|\bidp\b|accounts?\.", re.I)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Address and credentials of a server."""

    url: str
    authorization: str | None = field(default=None, repr=False)
    """The value of the Authorization header."""
    ca_file: str | None = None
    client_cert: str | None = None
    verify: bool = True
    patience_s: float | None = SOURCE_PATIENCE_S
    answer_s: float = ANSWER_S
    keep_host: bool = False
    """Use only the paths of the server's addresses: a hub behind a forwarded port has another address for itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose headers are received. ``body`` is read and unpacked as it arrives."""

    url: httpx.URL
    """The address after redirects."""
    status: int
    reason: str
    headers: httpx.Headers
    body: Input


class Wire:
    """GET requests with credentials. Close it after use."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access
        self.url = parsed(access.url)
        self._loop = asyncio.Runner()
        headers = {"Accept": MEDIA_TYPE, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        if access.authorization:
            headers["Authorization"] = access.authorization
        self._http = httpx.AsyncClient(
            headers=headers,
            verify=_tls(access),
            timeout=httpx.Timeout(access.answer_s, connect=_CONNECT_S),
            trust_env=not is_loopback(access.url),
        )

    def close(self) -> None:
        """Close the connections."""
        try:
            self._loop.run(self._http.aclose())
        finally:
            self._loop.close()

    @contextmanager
    def get(self, url: httpx.URL) -> Iterator[Answer]:
        """Gives the response, after redirects on the same server. Raises SourceFailed and TryLater.

        Only the time of waiting for the server counts.
        """
        clock = _Clock(self._access)
        for _ in range(_REDIRECTS + 1):
            response = self._run(self._http.send(self._http.build_request("GET", url), stream=True), clock)
            try:
                if response.status_code not in _REDIRECTED or "location" not in response.headers:
                    chunks = self._chunks(response, clock)
                    body = _Body(chunks, name=str(url))
                    yield Answer(url, response.status_code, response.reason_phrase, response.headers, body)
                    return
                url = self.own(absolute_url(url, response.headers["location"]), redirected=True)
            finally:
                self._run(response.aclose(), _Clock(self._access))
        raise SourceFailed(
            "taxii.unreadable",
            f"The TAXII server at {self._access.url} redirects without end.",
            "Name its discovery or its API root as the url.",
        )

    def own(self, named: httpx.URL, *, redirected: bool = False) -> httpx.URL:
        """Returns the address to request for one that the server named. Raises SourceFailed for another server.

        Credentials are sent only to the configured host, and only its responses are published.
        """
        if (ours := on_same_server(self.url, named)) is not None:
            return ours
        if self._access.keep_host and not redirected:
            return named.copy_with(
                scheme=self.url.scheme, host=self.url.host, port=self.url.port, username=None, password=None
            )
        way_out = "If that is right, name an address there as the url."
        if redirected and _LOOKS_LIKE_LOGIN.search(f"{named.host}{named.path}"):
            way_out = "It looks like a login page for people: check the credentials, and that the url is that of TAXII."
        raise SourceFailed(
            "taxii.other-host",
            f"The TAXII server at {self._access.url} sends us to {difference(self.url, named)}.",
            way_out,
        )

    def _chunks(self, response: httpx.Response, clock: _Clock) -> Generator[bytes, None, None]:
        stream = response.aiter_raw()

        async def following() -> bytes | None:
            return await anext(stream, None)

        begun = b""
        while (chunk := self._run(following(), clock)) is not None:
            begun += chunk
            if len(begun) > 1:  # two bytes show whether it is compressed
                yield begun
                begun = b""
        yield begun

    def _run(self, step: Coroutine[Any, Any, T], clock: _Clock) -> T:
        try:
            return self._loop.run(clock.bounded(step))
        except TimeoutError as error:
            raise TryLater(
                "taxii.too-slow",
                f"The TAXII server at {self._access.url} took more than {self._access.answer_s:g} s for one answer.",
                "Ask for less at once with page_objects, or set answer_seconds.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failed(self._access.url, error) from error


class _Clock:
    """The remaining time for one response."""

    def __init__(self, access: ServerAccess) -> None:
        self._left_s = access.answer_s

    async def bounded(self, step: Coroutine[Any, Any, T]) -> T:
        """Returns the result of a step. Raises TimeoutError when no time is left."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._left_s):
                return await step
        finally:
            self._left_s -= time.monotonic() - began


class _Body(Input):
    """The body of a response, read as it arrives."""

    def __init__(self, chunks: Generator[bytes, None, None], *, name: str) -> None:
        self._chunks = chunks
        self.name = name
        self.start = b""

    def share_read(self) -> float | None:
        return None

    def _raw(self) -> Generator[bytes, None, None]:
        yield from self._chunks


def parsed(url: str) -> httpx.URL:
    """Parses a configured address. Raises WrongSettings if it is not valid."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise WrongSettings(
            "url.invalid", f"{url!r} is no address: {error}.", "Write it like https://…/taxii2/."
        ) from error
    if found.scheme not in ("http", "https") or not found.host:
        raise WrongSettings(
            "url.invalid", f"{url!r} is not the address of a server.", "Write it like https://…/taxii2/."
        )
    return found


def absolute_url(base: httpx.URL, named: object) -> httpx.URL:
    """Resolves an address that a server named, relative to ``base``. Raises SourceFailed if it is not valid."""
    try:
        return base.join(str(named))
    except httpx.InvalidURL as error:
        raise SourceFailed(
            "taxii.unreadable", f"The TAXII server at {base} names an invalid address: {error}.", _TELL
        ) from error


_TELL = "Tell the server's operator."


def _tls(access: ServerAccess) -> ssl.SSLContext:
    ca_file = access.ca_file
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise WrongSettings("ca-file.unreadable", f"The CA file {ca_file} cannot be read: {error}.") from error
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_cert:
        try:
            context.load_cert_chain(access.client_cert)
        except (OSError, ssl.SSLError) as error:
            raise WrongSettings(
                "client-cert.unreadable",
                f"The client certificate {access.client_cert} cannot be read: {error}.",
                "It is a PEM file with the certificate and its key.",
            ) from error
    return context


def _failed(url: str, error: Exception) -> ConnectorError:
    if reason := distrusted(error):
        return SourceFailed("taxii.tls", f"The certificate of {url} is not trusted: {reason}.", "Set ca_file.")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return SourceFailed("taxii.unreadable", f"The TAXII server at {url} names an invalid address.", _TELL)
    if other := other_scheme(url, error):
        return SourceFailed("taxii.scheme", f"The TAXII server at {url} {other.says}.", other.way_out)
    says = f"No answer from the TAXII server at {url}: {why(error)}."
    if any(isinstance(cause, ssl.SSLError) for cause in causes(error)):
        return SourceFailed("taxii.tls", says, "Check the port, and client_cert.")
    return TryLater("taxii.unreachable", says, "Check the address, and that the server runs.")
