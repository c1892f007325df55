"""What every test has: blocking calls of the hub are errors in async tests, and real servers on demand."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

pytest_plugins = ["tests.servers.fixtures"]

OURS = ["hub", "connectors"]


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """In an async test a file, socket, lock or sleep that the hub's own code waits for in the loop raises."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    with blockbuster_ctx(OURS):
        yield
