"""Asking the servers of this process, never for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hub.model.errors import HubError

T = TypeVar("T")

ANSWER_WITHIN_S = 2.0


async def asked(ask: Callable[[], Awaitable[T]]) -> T | None:
    """What a server answers; None when it is away, or too slow."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await ask()
    except (HubError, TimeoutError):
        return None


async def answers(ready: Callable[[], Awaitable[bool]]) -> bool:
    """Whether a server is ready."""
    return bool(await asked(ready))
