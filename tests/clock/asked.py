"""Looking into the tables of a hub that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select

from hub.app import open_store
from tests.running import RunningHub


def ask(hub: RunningHub, questions: Sequence[Select[Any]]) -> list[Any]:
    """The one value that each gives."""

    async def work() -> list[Any]:
        store = await open_store(hub.options())
        try:
            async with store.reading() as conn:
                return [(await conn.execute(question)).scalar() for question in questions]
        finally:
            await store.close()

    return asyncio.run(work())
