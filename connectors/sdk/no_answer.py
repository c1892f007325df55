"""Finds why a server gave no answer: the errors of the operating system and TLS below those of the libraries."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from connectors.sdk.errors import TryLater

_HANDSHAKE_S = 3.0
_NOT_DONE = {425, 429}
"""Statuses with which a hub says that it has not done what was asked for. 503 is none: a database that is lost during a
commit may have committed.
"""
_REFUSED_BEFORE = {"http.too-many-connections", "push.overloaded", "webhook.moved", "webhook.testing"}
"""Codes of a 503 with which the hub refuses a request before it has written or sent anything."""


def why(error: BaseException) -> str:
    """Returns the cause, without a full stop.

    >>> why(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 8480)"))
    'Connection refused'
    """
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, socket.gaierror | ssl.SSLError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return str(error).rstrip(".") or type(error).__name__


def distrusted(error: BaseException) -> str | None:
    """Returns why the certificate is not trusted; None for another cause."""
    found = (cause for cause in causes(error) if isinstance(cause, ssl.SSLCertVerificationError))
    return next((cause.verify_message for cause in found), None)


class OtherScheme(NamedTuple):
    """That a server uses the other one of http and https. ``says`` follows its address."""

    says: str
    way_out: str


def other_scheme(url: str, error: BaseException) -> OtherScheme | None:
    """Returns what a server speaks if the error shows that it is not what the URL says. A server that ends a plain
    connection without an answer is asked whether it speaks TLS.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and any(
        isinstance(cause, ssl.SSLError) and _is_no_tls(cause) for cause in causes(error)
    ):
        return OtherScheme("speaks plain HTTP", "Write http:// if that is meant.")
    ended = httpx.RemoteProtocolError | httpx.ReadError
    if parts.scheme == "http" and isinstance(error, ended) and _speaks_tls(parts.hostname or "", parts.port or 80):
        return OtherScheme("speaks TLS", "Write https://.")
    return None


def _speaks_tls(host: str, port: int) -> bool:
    """Returns whether a TLS handshake succeeds, with any certificate. Nothing else is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_HANDSHAKE_S) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an exception and its causes, the outermost first."""
    while error is not None:
        yield error
        below = error.__cause__ or error.__context__
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else below


def _is_no_tls(error: ssl.SSLError) -> bool:
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def may_be_done(error: TryLater) -> bool:
    """Whether the hub may have done what was asked for all the same."""
    if isinstance(error.__cause__, httpx.TransportError):
        return not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
    return error.status not in _NOT_DONE and error.code not in _REFUSED_BEFORE
