"""Hubs for the tests of conformance: one for each test that writes, and two that all tests of a module only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.doors.conformance.asking import Full, filled
from tests.doors.hubs import Hub, a_hub, addresses


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub with the centres ``ro`` and ``it`` and the member ``soc``, with pages of ten objects at most."""
    async with a_hub(tmp_path, page_objects=10) as made:
        await populated(made)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Full]:
    """A hub whose objects fit into one page, to be read only."""
    async with a_hub(tmp_path_factory.mktemp("full"), page_objects=10) as made:
        await populated(made)
        yield Full(made, await filled(made))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def long(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Full]:
    """A hub whose objects make several pages, to be read only."""
    async with a_hub(tmp_path_factory.mktemp("long"), page_objects=10) as made:
        await populated(made)
        asked = await filled(made)
        await made.tell("ro", *addresses(13, start=50))
        yield Full(made, asked)


async def populated(hub: Hub) -> None:
    """The principals of the doors' tests."""
    await hub.centre("ro", country="RO")
    await hub.centre("it", country="IT")
    await hub.member("soc")
