"""Waiting in tests: for a condition, never for a time.

How long a machine takes says nothing about the product: every wait has the one bound below, which no machine that
works comes near, and a test that passes never waits for it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, overload

T = TypeVar("T")
WITHIN_S = 180.0
"""How long a test waits for what must come: generous, since only a failure takes that long."""
LONG_S = 5 * WITHIN_S
"""The same for a whole journey of thousands of objects, with parts that are killed meanwhile."""
FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.1


@overload
async def until(condition: Callable[[], Awaitable[T | None]], *, within_s: float = ..., what: str = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], *, within_s: float = ..., what: str = ...) -> T: ...
async def until(condition: Callable[[], Any], *, within_s: float = WITHIN_S, what: str = "") -> Any:
    """What ``condition`` gives as soon as that is true (it may be async). Fails after ``within_s``, saying for what."""
    deadline = time.monotonic() + within_s
    pause = FIRST_PAUSE_S
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(condition, within_s, what, found))
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def wait_until(condition: Callable[[], T | None], *, within_s: float = WITHIN_S, what: str = "") -> T:
    """``until`` for tests that are not async."""
    deadline = time.monotonic() + within_s
    pause = FIRST_PAUSE_S
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(condition, within_s, what, value))
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
    return value


def in_a_thread(work: Callable[..., T], *args: object) -> T:
    """Wait for what blocks or needs an event loop of its own, where that of an async test may be set already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *args).result()


def _complaint(condition: Callable[[], object], within_s: float, what: str, last: object) -> str:
    if not what:
        try:
            what = inspect.getsource(condition).strip()
        except (OSError, TypeError):
            what = repr(condition)
    return f"not within {within_s:g} s: {what} (last it gave {last!r})"
