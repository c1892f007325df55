"""Asks the servers of this process whether they answer, with a short timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from hub.model.errors import HubError

T = TypeVar("T")

ANSWER_WITHIN_S = 4.0


async def asked(ask: Callable[[], Awaitable[T]]) -> T | None:
    """The answer of a server; None if it does not answer in time."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await ask()
    except (HubError, TimeoutError):
        return None


async def answers(ready: Callable[[], Awaitable[bool]]) -> bool:
    """Whether a server is ready."""
    return bool(await asked(ready))


class Server(Protocol):
    """A store or a log."""

    async def ready(self) -> bool:
        """Whether it would accept a request now."""
        ...


async def silent(store: Server, log: Server) -> list[str]:
    """The servers that every process needs and that do not answer, one clause each."""
    servers = (("the store", store.ready), ("the event log", log.ready))
    return [f"{name} does not answer" for name, ready in servers if not await answers(ready)]
