"""What every test has: blocking calls of the hub are errors in async tests, and real servers on demand."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests import logs

# A change is judged by the same examples on every machine, however slow that is; long searches set CTIHUB_TEST_ROUNDS
# and print how to repeat what failed.
settings.register_profile(
    "same",
    derandomize="CTIHUB_TEST_ROUNDS" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("same")

# A shell that runs the tests in the background has Ctrl-C ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

logs.plain()

pytest_plugins = ["tests.servers.fixtures", "tests.flaky"]


class DebuggedLoop(asyncio.SelectorEventLoop):
    """Asyncio's debug mode, but for the stack at the making of every future, which takes half of the tests' time."""

    def get_debug(self) -> bool:
        """What futures and handles ask; the loop's own checks go by what was set."""
        return False


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """See pytest-asyncio."""
    return {"debugged": DebuggedLoop}


OURS = ["hub", "connectors"]


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """In an async test a file, socket, lock or sleep that the hub's own code waits for in the loop raises."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    with blockbuster_ctx(OURS):
        yield
