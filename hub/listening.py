"""The listening sockets of a process, with their connection limits and certificate."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from dataclasses import dataclass, replace

from starlette.types import ASGIApp

from hub.config import Config, is_loopback
from hub.doors.connections import ConnectionLimits, connections_allowed
from hub.doors.server import HttpServer
from hub.doors.tls import server_context
from hub.model.errors import Refused

_GONE_MS = 120_000
"""A peer that has acknowledged nothing for this long is considered gone."""
_INSIDE_CONNECTIONS = 64
"""Connections of METRICS_PORT, separate from those of the doors: health and metrics answer when the doors are full."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The listening sockets of this process; opening them refuses unusable settings before anything else starts."""

    http: socket.socket
    inside: socket.socket | None
    """The socket of METRICS_PORT."""
    tls: ssl.SSLContext | None
    limits: ConnectionLimits
    inside_is_loopback: bool

    @classmethod
    def opened(cls, config: Config, stack: contextlib.AsyncExitStack) -> Ports:
        """Open the sockets; ``stack`` closes them. Raises Refused, WrongUsage."""
        limits = connection_limits(config)
        tls = server_context(config.tls_cert, config.tls_key) if config.tls_cert and config.tls_key else None
        http = stack.enter_context(_listen(config.http_host, config.http_port, "HTTP"))
        inside = None
        if config.metrics_port is not None:
            inside = stack.enter_context(_listen(config.metrics_host, config.metrics_port, "METRICS"))
        return cls(http, inside, tls, limits, is_loopback(config.metrics_host))

    def servers(self, app: ASGIApp, inside: ASGIApp, *, drain_s: float) -> list[HttpServer]:
        """One server per socket, that of HTTP_PORT first. METRICS_PORT has no TLS on a loopback address."""
        found = [HttpServer(app, self.http, limits=self.limits, tls=self.tls, drain_s=drain_s)]
        if self.inside is not None:
            limits = replace(self.limits, connections=_INSIDE_CONNECTIONS, each_address=None)
            tls = None if self.inside_is_loopback else self.tls
            found.append(HttpServer(inside, self.inside, limits=limits, tls=tls, drain_s=drain_s))
        return found


def connection_limits(config: Config) -> ConnectionLimits:
    """The connection limits of HTTP_PORT. Raises WrongUsage."""
    connections = connections_allowed(config.max_connections)
    each = config.max_connections_per_address or max(1, connections // 4)
    return ConnectionLimits(
        connections=connections,
        each_address=None if config.behind_proxy else each,
        head_s=config.head_timeout.total_seconds(),
        idle_s=config.idle_timeout.total_seconds(),
    )


def _listen(host: str, port: int, name: str) -> socket.socket:
    """The listening socket, opened before anything else starts. Raises Refused if the port cannot be used.

    ``name``: the prefix of its options, ``HTTP`` or ``METRICS``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is given; otherwise every answer waits 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that receives nothing must not delay the shutdown
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            way_out = f"Stop it, or choose another port with {name}_PORT."
            raise Refused("port.taken", f"Something else listens on {where}.", way_out) from None
        raise Refused("port.unusable", f"Cannot listen on {where}: {error.strerror}.", f"See {name}_HOST.") from None
    return listening
