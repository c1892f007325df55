"""Posts one signed message to one URL, and connects to no address that the rules do not permit.

Each attempt resolves the name once, checks *all* its addresses, and connects to one of those that were checked; the
name stays in ``Host`` and in the TLS handshake. So a name that resolves to something else a moment later (DNS
rebinding) changes nothing. Redirects are not followed, proxies of the environment are not used, and the bodies of
answers are not read.

Source: Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import ada_url
import httpcore
from standardwebhooks import Webhook as Signer

from hub.doors.targets import IpAddress, TargetRules
from hub.doors.version import VERSION
from hub.model.errors import Refused, WrongUsage
from hub.model.webhooks import WebhookAttempt

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[IpAddress]]]
"""Gives all addresses of a host. Raises OSError."""

DEADLINE_S = 15.0
"""How long an attempt may take, from the name to the status. Source: Standard Webhooks, "15-30 seconds"."""
_RESOLVERS = 32
"""Threads for names. They are not the hub's other threads: a slow name server would take them from other doors."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret


def secret_of(key: bytes, webhook_id: str) -> str:
    """The secret that a webhook is signed with, derived from the hub's key: the store has no secret of a webhook.

    Source: Standard Webhooks, "Signature scheme": ``whsec_`` and base64 of 24 to 64 bytes.
    """
    derived = hmac.digest(key, b"webhook secret " + webhook_id.encode(), hashlib.sha256)
    return SECRET_PREFIX + base64.b64encode(derived).decode()


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """What is posted. It has a secret, so it has no ``repr``."""

    id: str
    body: bytes
    secret: str


class TargetRefused(Exception):
    """A name has an address that is not permitted, or none."""


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to permitted addresses only."""

    def __init__(self, rules: TargetRules, resolve: Resolve) -> None:
        self._rules = rules
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See httpcore. ``host`` is replaced by the addresses that were checked, tried in their order."""
        failed: Exception = httpcore.ConnectError("no address")
        for address in await self._permitted(host, port):
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failed = error
        raise failed

    async def _permitted(self, host: str, port: int) -> Sequence[IpAddress]:
        try:
            found = await self._resolve(host, port)
        except OSError:
            raise TargetRefused(f"{host} cannot be resolved") from None
        if not found:
            raise TargetRefused(f"{host} has no address")
        if not all(self._rules.permits(address) for address in found):
            raise TargetRefused(f"{host} has an address that is not public")
        return found


class WebhookSender:
    """Posts messages, as many at once as its callers want; none is kept."""

    def __init__(
        self,
        rules: TargetRules,
        *,
        resolve: Resolve | None = None,
        ca_file: Path | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """``ca_file``: certificates (PEM) to trust besides the system's."""
        self._rules = rules
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(_RESOLVERS, "webhook-names")
        self._resolve = resolve or self._look_up
        self._ca_file = ca_file
        self._opened: httpcore.AsyncConnectionPool | None = None

    async def post(self, url: str, message: Message) -> WebhookAttempt:
        """Post a message once; returns what came of it. Never raises for what a receiver does."""
        try:
            url = self._rules.checked(url)  # the rules may be stricter than when it was added
            async with asyncio.timeout(self._deadline_s):
                return await self._post(url, message)
        except TimeoutError:
            return WebhookAttempt(None, f"No answer within {self._deadline_s:g} s.")
        except TargetRefused as error:
            return WebhookAttempt(None, f"Not sent: {error}.")
        except Refused as error:
            return WebhookAttempt(None, f"Not sent: {error.says}")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return WebhookAttempt(None, _why(error))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _post(self, url: str, message: Message) -> WebhookAttempt:
        pool = await self._pool()
        headers = await asyncio.to_thread(_headers, url, message)  # it hashes up to some megabytes
        request = pool.stream("POST", url, headers=headers, content=message.body)
        async with request as response:
            wait = dict(response.headers).get(b"retry-after", b"")
            return WebhookAttempt(
                response.status,
                "" if 200 <= response.status < 300 else f"The receiver answered {response.status}.",
                int(wait) if wait.isdigit() and len(wait) < 9 else 0,
            )

    async def open(self) -> None:
        """Load the certificates. Raises WrongUsage when ``ca_file`` cannot be used."""
        await self._pool()

    async def _pool(self) -> httpcore.AsyncConnectionPool:
        if self._opened is None:
            context = await asyncio.to_thread(_tls, self._ca_file)  # it reads files
            self._opened = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=0,  # the next attempt resolves and checks again
                network_backend=_CheckedNetwork(self._rules, self._resolve),
            )
        return self._opened

    async def _look_up(self, host: str, port: int) -> list[IpAddress]:
        def find() -> list[IpAddress]:
            # as bytes: for text Python raises UnicodeError when a label is empty or too long
            found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(ipaddress.ip_address(each[4][0]) for each in found))

        return await asyncio.get_running_loop().run_in_executor(self._threads, find)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            says = f"WEBHOOK_CA_FILE {ca_file} cannot be used: {error.strerror or error}."
            raise WrongUsage("webhook.ca-file", says, "It has certificates in PEM.") from None
    return context


def _headers(url: str, message: Message) -> list[tuple[bytes, bytes]]:
    now = datetime.now(UTC)
    signature = Signer(message.secret).sign(message.id, now, message.body.decode())
    said = {
        "host": str(ada_url.URL(url).host),
        "content-type": "application/json",
        "content-length": str(len(message.body)),
        "user-agent": f"ctihub/{VERSION}",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return [(name.encode(), value.encode()) for name, value in said.items()]


def _why(error: Exception) -> str:
    """One sentence, without what the other side says: it may be anything."""
    match error:
        case httpcore.ConnectError() if isinstance(error.__context__, ssl.SSLError):
            return "The TLS handshake failed; the certificate may not be valid for this name."
        case httpcore.ConnectError():
            return "The connection was not accepted."
        case httpcore.ProtocolError():
            return "The answer is not HTTP."
        case _:
            return "The connection broke."
