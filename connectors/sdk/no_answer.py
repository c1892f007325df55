"""Finds why a server gave no answer: the errors of the operating system and TLS below those of the libraries."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx


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


def other_scheme(url: str, error: BaseException) -> str | None:
    """Returns what to write instead if the server seems to use the other one of http and https."""
    speaks_tls = urlsplit(url).scheme == "https"
    if speaks_tls and any(isinstance(cause, ssl.SSLError) and _is_no_tls(cause) for cause in causes(error)):
        return "It speaks plain HTTP: write http:// if that is meant."
    if not speaks_tls and isinstance(error, httpx.RemoteProtocolError):
        return "It may speak TLS: try https://."
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an exception and its causes, the outermost first."""
    while error is not None:
        yield error
        below = error.__cause__ or error.__context__
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else below


def _is_no_tls(error: ssl.SSLError) -> bool:
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
