"""Answers whose bytes count against the process's budget until their reader has them; readers that take too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.intake.budget import Budget, Share
from hub.model.errors import HubError

PART_BYTES = 256 << 10
"""So much is handed to the server at once: a reader that takes this in time is slow, not gone."""
_log = structlog.get_logger()


@asynccontextmanager
async def share_of(budget: Budget, size_bytes: int) -> AsyncIterator[AnswerShare]:
    """Room for an answer while it is made. ``AnswerShare.hand_over`` keeps it after the block. Raises TryAgain."""
    async with AsyncExitStack() as stack:
        share = await stack.enter_async_context(budget.share())
        await share.grow_to(size_bytes)
        yield AnswerShare(share, stack)


class AnswerShare:
    """What a request has of the budget while it makes its answer."""

    def __init__(self, share: Share, stack: AsyncExitStack) -> None:
        self._share = share
        self._stack = stack

    def hand_over(self, answer: Response, *, stall_s: float) -> BudgetedResponse:
        """The answer, which gives the room back when it is over; of one that is whole its own size is kept only."""
        body = getattr(answer, "body", None)
        if body is not None:
            self._share.shrink_to(len(body))
        self._stack.pop_all()
        return BudgetedResponse(answer, self._share, stall_s=stall_s)


class BudgetedResponse(Response):
    """Another answer, sent in parts; ``share`` is given back when it is over, whatever way.

    A reader that takes no part for ``stall_s`` is let go, and one whose answer cannot go on is left: the connection
    ends before the answer does, which it sees.
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

        async def patient(message: Message) -> None:
            for part in _parts(message):
                async with asyncio.timeout(self._stall_s):
                    await send(part)

        async with self._share:
            try:
                await self._answer(scope, receive, patient)
            except (TimeoutError, ClientDisconnect):  # starlette makes the second of the first
                _log.info("answer.client_gone")
            except HubError as error:
                _log.info("answer.broken_off", code=error.code)


def _parts(message: Message) -> Iterator[Message]:
    body = message.get("body", b"")
    if len(body) <= PART_BYTES:
        yield message
        return
    more = message.get("more_body", False)
    for start in range(0, len(body), PART_BYTES):
        part = body[start : start + PART_BYTES]
        yield {"type": "http.response.body", "body": part, "more_body": more or start + PART_BYTES < len(body)}
