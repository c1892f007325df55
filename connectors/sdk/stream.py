"""Follows a collection's live stream (SSE); reconnects automatically and continues at the same change."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import httpx
import orjson

from connectors.sdk.client import Notify, checked_url, failure, is_loopback, request_headers, tls, unreachable
from connectors.sdk.errors import PublishRefused, TryLater

LIMIT_BYTES = 16 << 20
"""The maximum size of an event; the hub's default limit of an object is 1 MiB."""
_SILENCE_S = 45.0
"""The hub sends a comment at least every 15 s; after three times that, the connection is closed."""
_WAIT_MAX_S = 10.0


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event of the protocol. Source: WHATWG HTML, section 9.2.6 (event stream interpretation)."""

    id: str
    event: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ReceivedChange:
    """One change of a collection: an object's JSON as received, or a withdrawn id (``object`` is None)."""

    seq: int
    object: bytes | None
    withdrawn: str | None


class SseParser:
    """Parses bytes, split anywhere, into events; ignores comments. Sans-IO."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._rest = b""
        self._id = ""
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Returns the events that ``chunk`` completes. Raises PublishRefused for an event over the limit."""
        data = self._rest + chunk if self._rest else chunk
        end = len(data)
        if data[-1:] == b"\r":  # it may be half of a CRLF
            end -= 1
        lines = _lines(data[:end])
        self._rest = lines.pop() + data[end:]
        if len(self._rest) + self._size > self._limit:
            raise PublishRefused("stream.event-too-large", f"The stream sent an event of over {self._limit} bytes.")
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> SseEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> SseEvent | None:
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        return SseEvent(self._id, event or "message", b"\n".join(data)) if data else None


def _lines(data: bytes) -> list[bytes]:
    """Returns lines by LF, CR or CRLF; the last one is incomplete."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.split(b"\n")


class Follower:
    """Follows one collection. ``seq`` is the last returned change, where a new follower can continue."""

    def __init__(
        self,
        url: str,
        collection: str,
        token: str | None = None,
        *,
        after: int | Literal["now"] = 0,
        notify: Notify | None = None,
        ca_file: str | None = None,
        silence_s: float = _SILENCE_S,
    ) -> None:
        self.seq: int | None = None if after == "now" else after
        self._base = checked_url(url)
        self._url = f"{self._base}/v1/collections/{quote(collection, safe='')}/stream"
        self._notify = notify or (lambda _: None)
        self._headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", **request_headers(token)}
        self._ca_file = ca_file
        self._silence_s = silence_s
        self._failures = 0
        self.trouble: TryLater | None = None
        """Why there is no connection now; None while there is one."""
        self.on_attempt: Callable[[], None] = lambda: None
        """Called after each attempt to connect, successful or not."""

    async def changes(self) -> AsyncGenerator[ReceivedChange, None]:
        """Yields every change after ``seq``, in order, each once, without end. Raises PublishRefused.

        Close it when leaving early: ``async with contextlib.aclosing(follower.changes()) as changes``.
        """
        async with httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(self._silence_s, connect=10.0),
            verify=tls(self._base, self._ca_file),
            trust_env=not is_loopback(self._base),
        ) as http:
            while True:
                try:
                    async with aclosing(self._connected(http)) as changes:
                        async for change in changes:
                            self._failures = 0
                            yield change
                except httpx.TransportError as error:
                    failed = await asyncio.to_thread(unreachable, self._base, error)
                    if not isinstance(failed, TryLater):
                        raise failed from error
                    await self._pause(failed)
                except TryLater as error:
                    await self._pause(error)

    async def _connected(self, http: httpx.AsyncClient) -> AsyncGenerator[ReceivedChange, None]:
        async with http.stream("GET", self._url, headers=self._position(), params=self._start()) as response:
            if not response.is_success:
                await response.aread()
                raise failure(response)
            self.trouble = None
            self.on_attempt()
            parser = SseParser()
            async for chunk in response.aiter_bytes():
                for event in parser.feed(chunk):
                    change = _change(event)
                    if change and (self.seq is None or change.seq > self.seq):
                        self.seq = change.seq
                        yield change
        raise TryLater("stream.ended", f"The hub at {self._base} closed the stream.")

    def _position(self) -> dict[str, str]:
        return {} if self.seq is None else {"Last-Event-ID": str(self.seq)}

    def _start(self) -> dict[str, str]:
        return {"from": "now"} if self.seq is None else {}

    async def _pause(self, error: TryLater) -> None:
        self.trouble = error
        self.on_attempt()
        self._failures += 1
        backoff = min(0.1 * 2 ** min(self._failures, 10), _WAIT_MAX_S)
        wait_s = error.retry_after_s if error.retry_after_s is not None else backoff
        self._notify(f"{error.says} Going on after change {self.seq if self.seq is not None else 'now'}.")
        await asyncio.sleep(wait_s + secrets.randbelow(250) / 1_000)


def _change(event: SseEvent) -> ReceivedChange | None:
    if event.event not in ("object", "withdrawn"):
        return None  # an event type of a later version
    try:
        seq = int(event.id)
        withdrawn = None if event.event == "object" else str(orjson.loads(event.data)["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise PublishRefused(
            "stream.unreadable", "The stream sent an event that is not a hub's.", "Check that --url names a ctihub."
        ) from error
    return ReceivedChange(seq, event.data if withdrawn is None else None, withdrawn)
