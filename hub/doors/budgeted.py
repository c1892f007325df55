"""Responses whose size counts against the memory budget of the process until they are sent; limits for slow readers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.doors.context import Doors
from hub.intake.allowed_time import AllowedTime
from hub.intake.budget import Share
from hub.model.errors import HubError

PART_BYTES = 512 << 10
"""The size of a part of a response. A reader that does not take a part in time is disconnected: the slowest that is
allowed needs 52 seconds, less than the usual ``stall_s``."""
SLOWEST_BYTES_PER_S = 10_000
"""Slower than any line on which somebody reads lists. After the first ``stall_s``, a slower reader is disconnected."""
_log = structlog.get_logger()


@asynccontextmanager
async def share_of(doors: Doors, request: Request, size_bytes: int) -> AsyncIterator[AnswerShare]:
    """Reserves memory for the response to a request, of its caller's part. ``AnswerShare.hand_over`` keeps it after the
    block. Raises TryAgain.
    """
    async with AsyncExitStack() as stack:
        share = await stack.enter_async_context(doors.answers.share(await doors.gate.caller(request)))
        await share.grow_to(size_bytes)
        yield AnswerShare(share, stack, doors.settings.stall_s)


class AnswerShare:
    """The memory that a request has reserved for its response."""

    def __init__(self, share: Share, stack: AsyncExitStack, stall_s: float) -> None:
        self._share = share
        self._stack = stack
        self._stall_s = stall_s

    def hand_over(self, answer: Response, size_bytes: int | None = None) -> BudgetedResponse:
        """Returns the response, which releases the memory at its end. A complete body reserves only its size;
        ``size_bytes``: what another one holds at a time.
        """
        body = getattr(answer, "body", None)
        holds_bytes = size_bytes if body is None else len(body)
        if holds_bytes is not None:
            self._share.shrink_to(holds_bytes)
        self._stack.pop_all()
        return BudgetedResponse(answer, self._share, stall_s=self._stall_s)


class BudgetedResponse(Response):
    """Sends another response in parts, and releases ``share`` at the end, also after an error.

    A reader that takes no part for ``stall_s`` seconds, or is slower than ``SLOWEST_BYTES_PER_S``, is disconnected. If
    the response cannot be completed, the connection is closed before its end, so that the reader notices.
    """

    def __init__(self, answer: Response, share: Share, *, stall_s: float) -> None:
        self.status_code = answer.status_code
        self.raw_headers = answer.raw_headers
        self.background = None
        self._answer = answer
        self._share = share
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        time = AllowedTime(self._stall_s, slowest_bytes_per_s=SLOWEST_BYTES_PER_S)

        async def patient(message: Message) -> None:
            for part in _parts(message):
                async with time.wait():
                    await send(part)
                time.moved(len(part.get("body", b"")))

        async with self._share:
            try:
                await self._answer(scope, receive, patient)
            except (TimeoutError, ClientDisconnect):  # starlette turns the first into the second
                _log.info("answer.client_gone")
            except HubError as error:
                _log.info("answer.broken_off", code=error.code)


def _parts(message: Message) -> Iterator[Message]:
    body = memoryview(message.get("body", b""))  # its parts are not copies
    if len(body) <= PART_BYTES:
        yield message
        return
    more = message.get("more_body", False)
    for start in range(0, len(body), PART_BYTES):
        part = body[start : start + PART_BYTES]
        yield {"type": "http.response.body", "body": part, "more_body": more or start + PART_BYTES < len(body)}
