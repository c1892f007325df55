"""Writes to the store when tokens were last used: every second, and when the process stops."""

from __future__ import annotations

import asyncio

import structlog

from hub.model.errors import HubError
from hub.registry.token_uses import FLUSH_EVERY_S, TokenUses

_LAST_WITHIN_S = 2.0
_log = structlog.get_logger()


async def flush_regularly(uses: TokenUses) -> None:
    """Write the notes every ``FLUSH_EVERY_S`` until cancelled; what the store does not take waits for the next time."""
    while True:
        await asyncio.sleep(FLUSH_EVERY_S)
        try:
            await uses.flush()
        except HubError as error:
            _log.info("tokens.store_away", code=error.code)


async def flush_last(uses: TokenUses) -> None:
    """Write the notes once more, if that does not take long."""
    try:
        async with asyncio.timeout(_LAST_WITHIN_S):
            await uses.flush()
    except (HubError, TimeoutError) as error:
        _log.info("tokens.store_away", code=getattr(error, "code", "store.away"))
