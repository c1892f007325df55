"""The HTTP server: an ASGI application on a listening socket, with the limits of ``connections``.

This module accepts connections itself: a limit must count a connection before its TLS handshake, whereas uvicorn's
protocol starts after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from hub.doors import metrics
from hub.doors.connections import ConnectionLimits, OpenConnections
from hub.doors.protocol import LimitedProtocol, answer
from hub.model.errors import TryAgain

_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 0.2
"""Seconds between attempts to accept when the process has no free file descriptor."""
_LOOK_EVERY_S = 5.0
_REQUEST_BYTES = 16 << 10
_log = structlog.get_logger()


class HttpServer:
    """Serves one application on one socket; ``run`` serves until ``stop``."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        limits: ConnectionLimits,
        tls: ssl.SSLContext | None = None,
        drain_s: float = 10.0,
    ) -> None:
        """The caller opens and closes ``listening``. ``drain_s``: seconds for open responses when stopping."""
        self._limits = limits
        self._listening = listening
        self._tls = tls
        self._open = OpenConnections(limits)
        self._config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            http=LimitedProtocol,
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(drain_s),
            timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type] # passed to the loop unchanged
        )
        self._server = _Server(self._config)
        self._stopping = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether the server accepts connections."""
        return self._server.started

    def stop(self) -> None:
        """Accept no more connections, and finish open requests within ``drain_s``."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until ``stop``."""
        self._listening.setblocking(False)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self._server.serve(sockets=[]))
            while not (self.started or serving.done()):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            beside = [tasks.create_task(work()) for work in (self._accept, self._look)]
            stopping = tasks.create_task(self._stopping.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*beside, stopping):
                task.cancel()
            self._server.should_exit = True

    async def _accept(self) -> None:
        """Accept connections. A handshake that is in progress at the end is aborted."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as greeting:
            while True:
                try:
                    connection, address = await loop.sock_accept(self._listening)
                except OSError as error:
                    if error.errno in _NO_MORE_FILES:
                        metrics.CONNECTIONS_REFUSED.labels("files").inc()
                        _log.error("connection.no_file", code=errno.errorcode[error.errno], way_out=_WAY_OUT)
                        await asyncio.sleep(_PAUSE_S)
                    elif self._listening.fileno() < 0:
                        return
                    continue
                peer = str(address[0]) if address else ""
                if (ceiling := self._open.full(peer)) is not None:
                    self._turn_away(connection, ceiling)
                else:
                    metrics.CONNECTIONS_OPEN.inc()
                    greeting.create_task(self._greet(connection, self._open.take(peer)))
                await asyncio.sleep(0)  # with a full backlog, sock_accept never yields to other tasks

    def _turn_away(self, connection: socket.socket, ceiling: str) -> None:
        metrics.CONNECTIONS_REFUSED.labels(ceiling).inc()
        with contextlib.suppress(OSError), connection:
            if self._tls is None:
                connection.send(answer(_too_many(), b"", self._server.server_state.default_headers))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(_REQUEST_BYTES)  # unread data would turn the response into a reset

    async def _greet(self, connection: socket.socket, leave: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        head_by = loop.time() + self._limits.head_s

        def gone() -> None:
            metrics.CONNECTIONS_OPEN.dec()
            leave()

        def protocol() -> asyncio.Protocol:
            state: dict[str, Any] = self._server.lifespan.state
            return LimitedProtocol(
                self._config, self._server.server_state, state, limits=self._limits, head_by=head_by, gone=once
            )

        stack = contextlib.ExitStack()
        stack.callback(gone)
        once = stack.close
        within = {} if self._tls is None else {"ssl_handshake_timeout": self._limits.head_s}
        try:
            await loop.connect_accepted_socket(protocol, connection, ssl=self._tls, **within)
        except (OSError, ssl.SSLError) as error:
            # asyncio reports a handshake timeout only as an aborted connection
            if loop.time() >= head_by and isinstance(error, ConnectionAbortedError):
                metrics.CONNECTIONS_TIMED_OUT.labels("handshake").inc()
            once()
        except Exception as error:  # noqa: BLE001 - no error of a handshake may end the server
            _log.error("connection.not_foreseen", code=type(error).__name__, way_out="Report it; the others go on.")
            once()
        except BaseException:
            once()
            raise

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LOOK_EVERY_S, self._limits.flush_s))
            for connection in list(self._server.server_state.connections):
                if isinstance(connection, LimitedProtocol):
                    connection.look_whether_gone(loop.time())


_WAY_OUT = "Raise the limit of open files (ulimit -n, LimitNOFILE), or lower MAX_CONNECTIONS."


def _too_many() -> TryAgain:
    return TryAgain(
        "http.too-many-connections",
        "Too many connections are open.",
        "Close those that you do not need, or try again later.",
        retry_after_s=5,
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are handled in one place of the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """See uvicorn."""
        yield
