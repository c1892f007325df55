"""HTTP/1.1 on one connection: uvicorn's, with limits on what a peer may send and on how long it may take.

uvicorn bounds neither a head of httptools nor the time for one (docs/decisions/0009). Here a head has a size, a number
of fields and a deadline; what stands in a body without being a part of it has a size. Answers that no application
gives, such as 431, are made here.

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
"""A peer that is refused while it still sends is listened to for so long, or it would lose the answer to a reset."""

_Reading = Literal["nothing", "head", "body"]


class LimitedProtocol(HttpToolsProtocol):
    """One connection. ``gone`` is called at its end."""

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
        """``head_by`` is the loop's time at which the first head must be whole."""
        super().__init__(config, state, app_state)
        self._limits = limits
        self._head_by = head_by
        self._gone = gone
        self._timer: asyncio.TimerHandle | None = None
        self._why: HubError | None = None  # what a callback of the parser found
        self._unfinished_bytes = 0  # since the parser last handed something on
        self._handed_on = False
        self._head_bytes = 0
        self._fields = 0
        self._reading: _Reading = "nothing"
        self._refused_bytes: int | None = None  # received since this connection was refused; None: it is not
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
        """See asyncio. The parser gets no more at once than a head may have, so that one piece cannot break a limit."""
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
            self._stop_timer()  # a request is being answered
        elif self._timer is None:  # a head has begun, or what is left of a body comes after its answer
            self._timer = self.loop.call_later(self._limits.head_s, self._too_late)

    def look_whether_gone(self, now: float) -> None:
        """Cut off a peer that does not take what it was sent before the connection was closed."""
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
        """Close at once what takes nothing any more, else in peace."""
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
        """Let the parser read on; whether the connection goes on."""
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
        """See httptools. A target may come in parts."""
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
        self._head_bytes += len(name) + len(value) + 4  # colon, blank and the end of the line
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

    # ---------------------------------------------------------------- answers that no application gives

    def _refuse(self, why: HubError) -> None:
        """Answer where no other answer was begun, and close."""
        self._refused_bytes = 0
        self._stop_timer()
        if self._reading == "body":
            self._break_off()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        elif self._answering():  # what was asked before is answered still, this is not
            self.cycle.keep_alive = False
            return
        url = b"" if self._reading == "nothing" else self.url
        self.transport.write(answer(why, url, self.server_state.default_headers))
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self._end)

    def _break_off(self) -> None:
        """What the application still says of this request goes nowhere."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()


def answer(why: HubError, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """An error as a whole HTTP answer, after which the connection is closed."""
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
