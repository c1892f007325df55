"""A hub for each test, closed at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.doors.hubs import Hub, a_hub


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with the centres ``ro`` and ``it`` and the member ``soc``, with pages of ten objects at most."""
    async with a_hub(tmp_path, page_objects=10) as made:
        await made.centre("ro", country="RO")
        await made.centre("it", country="IT")
        await made.member("soc")
        yield made
