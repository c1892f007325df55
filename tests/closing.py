"""Let TLS connections close before their event loop does.

Closing one takes a few turns of the loop, for the closing messages of TLS. A loop that is closed meanwhile leaves a
socket behind, and the warning about it fails whatever test runs when the garbage is collected. Every loop of the tests
ends by ``asyncio.Runner``: those of tests, of ``asyncio.run``, and of commands that are called in the tests' process.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from tests.waiting import until

CLOSE_WITHIN_S = 30.0
"""A test that left a connection open by mistake waits so long for it at its end."""

_close = asyncio.Runner.close


def install() -> None:
    """Make every runner wait for its connections before it closes its loop."""
    asyncio.Runner.close = _close_after_connections  # type: ignore[method-assign, assignment]


def _close_after_connections(runner: asyncio.Runner) -> None:
    loop: asyncio.AbstractEventLoop | None = getattr(runner, "_loop", None)  # get_loop() would make one
    if loop is not None and not loop.is_closed():
        asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined] # as closing would begin
        with suppress(AssertionError):
            loop.run_until_complete(_wait_for_connections(loop))
    _close(runner)


async def _wait_for_connections(loop: Any) -> None:
    sockets = loop._selector.get_map()  # one is the loop's own
    if len(sockets) > 1:
        await until(lambda: len(sockets) <= 1, within_s=CLOSE_WITHIN_S)
