"""HTTP/1.1 on one connection: uvicorn's protocol with limits of size and time.

uvicorn with httptools limits neither the size of a head nor its time (docs/decisions/0009). Here a head has a maximum
size, a maximum number of fields and a deadline, and the data between the chunks of a body have a maximum size. This
module also creates the responses that do not come from the application, such as 431.

Source: RFC 9112; RFC 9110, section 15.5 (408, 414); RFC 6585, section 5 (431).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from hub.doors import metrics, problems
from hub.doors.connections import ConnectionLimits
from hub.model.errors import HubError, Refused

_LINGER_S = 2.0
_LINGER_BYTES = 1 << 20
"""How much is still read from a refused peer, so that a reset does not discard the response."""

_Reading = Literal["nothing", "head", "body"]


class LimitedProtocol(HttpToolsProtocol):
    """The protocol of one connection. It calls ``gone`` at the end."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        app_state: dict[str, Any],
        *,
        limits: ConnectionLimits,
        head_by: float,
        gone: Callable[[], None],
    ) -> None:
        """``head_by`` is the event loop's time at which the first head must be complete."""
        super().__init__(config, state, app_state)
        self._limits = limits
        self._head_by = head_by
        self._gone = gone
        self._timer: asyncio.TimerHandle | None = None
        self._why: HubError | None = None  # the error of a parser callback
        self._unfinished_bytes = 0  # since the last callback of the parser
        self._handed_on = False
        self._head_bytes = 0
        self._fields = 0
        self._reading: _Reading = "nothing"
        self._refused_bytes: int | None = None  # received after the refusal; None: not refused
        self._closing_since: float | None = None

    # ---------------------------------------------------------------- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """See asyncio."""
        super().connection_made(transport)
        self._timer = self.loop.call_at(self._head_by, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._stop_timer()
        self._unset_keepalive_if_required()
        self._gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio. Passes data to the parser in pieces of the size of a head, so that none exceeds a limit."""
        if self._refused_bytes is not None:
            self._refused_bytes += len(data)
            if self._refused_bytes > _LINGER_BYTES:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        most = self._limits.head_bytes
        for start in range(0, len(data), most):
            if not self._feed(data if len(data) <= most else data[start : start + most]):
                return
        if self._answering():
            self._stop_timer()  # a request is in progress
        elif self._timer is None:  # a head has started, or the rest of a body follows its response
            self._timer = self.loop.call_later(self._limits.head_s, self._too_late)

    def look_whether_gone(self, now: float) -> None:
        """Abort a closed connection whose peer does not receive the remaining data in time."""
        if not self.transport.is_closing():
            self._closing_since = None
        elif self._closing_since is None:
            self._closing_since = now
        elif now - self._closing_since >= self._limits.flush_s:
            self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """See uvicorn."""
        metrics.CONNECTIONS_TIMED_OUT.labels("request").inc()
        self._end()

    def _too_late(self) -> None:
        self._timer = None
        metrics.CONNECTIONS_TIMED_OUT.labels("head").inc()
        if self._reading == "head":
            self._refuse(_slow(self._limits.head_s))
        else:
            self._end()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr] # None at first

    def _end(self) -> None:
        """Abort the connection if the peer receives nothing, otherwise close it."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---------------------------------------------------------------- the parser

    def _feed(self, piece: bytes) -> bool:
        """Passes data to the parser; returns whether the connection continues."""
        self._handed_on = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self._refuse(self._why or _malformed())
            return False
        self._unfinished_bytes = 0 if self._handed_on else self._unfinished_bytes + len(piece)
        if self._unfinished_bytes > self._limits.head_bytes:
            self._refuse(self._too_large())
            return False
        return not self.transport.is_closing()

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._reading = "head"
        self._head_bytes = self._fields = 0

    def on_url(self, url: bytes) -> None:
        """See httptools. A target may be split into parts."""
        self._head_bytes += len(url)
        if self._head_bytes > self._limits.head_bytes:
            raise self._stop(
                Refused(
                    "http.uri-too-long",
                    f"The request line has more than {self._limits.head_bytes:,} bytes.",
                    "Split the request.",
                )
            )
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. Fields after a body count as fields of its head."""
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4  # colon, space and line end
        if self._fields > self._limits.fields or self._head_bytes > self._limits.head_bytes:
            raise self._stop(self._too_large())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        if len(self.pipeline) >= self._limits.pipelined:
            raise self._stop(
                Refused("http.pipelined", f"More than {self._limits.pipelined} requests wait for their answers.")
            )
        super().on_headers_complete()
        self._handed_on = True
        self._reading = "body"

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._handed_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        super().on_message_complete()
        self._handed_on = True
        self._reading = "nothing"

    def _stop(self, why: HubError) -> HubError:
        self._why = why
        return why

    def _too_large(self) -> Refused:
        return Refused(
            "http.head-too-large",
            f"The head of a request has at most {self._limits.head_bytes:,} bytes and {self._limits.fields} fields.",
            "Send fewer or shorter fields.",
        )

    # ---------------------------------------------------------------- responses of the protocol itself

    def _refuse(self, why: HubError) -> None:
        """Send an error if no response has been started, and close."""
        self._refused_bytes = 0
        self._stop_timer()
        if self._reading == "body":
            self._break_off()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        elif self._answering():  # the earlier request is still answered, this one is not
            self.cycle.keep_alive = False
            return
        url = b"" if self._reading == "nothing" else self.url
        self.transport.write(answer(why, url, self.server_state.default_headers))
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self._end)

    def _break_off(self) -> None:
        """Discard what the application still sends for this request."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()


def answer(why: HubError, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Returns an error as a complete HTTP response with ``Connection: close``."""
    said = problems.respond(why, url.partition(b"?")[0].decode("latin-1"))
    metrics.REQUESTS.labels("none", said.status_code).inc()
    lines = [name + b": " + value + b"\r\n" for name, value in (*headers, *said.raw_headers)]
    return b"".join([STATUS_LINE[said.status_code], *lines, b"connection: close\r\n\r\n", bytes(said.body)])


def _malformed() -> Refused:
    return Refused("http.malformed", "This is not an HTTP request.", "Check that the client speaks HTTP/1.1.")


def _slow(head_s: float) -> Refused:
    return Refused(
        "http.head-stalled", f"The head of the request was not complete within {head_s:g} s.", "Send it again."
    )
