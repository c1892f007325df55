"""What every test has: blocking calls of the hub are errors in async tests, and real servers on demand."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests import closing, logs
from tests.examples import IN_ROUNDS, few

# A change is judged by the same examples on every machine, however slow that is; long runs, and those with
# CTIHUB_TEST_ROUNDS, try new ones.
settings.register_profile(
    "same",
    few(40),
    derandomize=not IN_ROUNDS and "CTIHUB_TEST_ROUNDS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("same")

# A shell that runs the tests in the background has Ctrl-C ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Collecting the tests makes many objects, and all of them stay: the collector of cycles need not look every 700.
gc.set_threshold(10_000, 10, 10)

logs.plain()
closing.install()

pytest_plugins = ["tests.servers.fixtures", "tests.flaky", "tests.long_run"]


# A coroutine that nobody awaited names the line that made it. Ten frames of each coroutine, as asyncio keeps them, take
# a tenth of the tests' time.
asyncio.constants.DEBUG_STACK_DEPTH = 1  # type: ignore[attr-defined]


class DebuggedLoop(asyncio.SelectorEventLoop):
    """Asyncio's debug mode, but for the stack at the making of every future, which takes half of the tests' time."""

    def get_debug(self) -> bool:
        """What futures and handles ask; the loop's own checks go by what was set."""
        return False


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """See pytest-asyncio."""
    return {"debugged": DebuggedLoop}


def pytest_xdist_auto_num_workers() -> int:
    """Four processes more than there are processors: those five that have tests on servers of their own mostly wait."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors + 4, MOST_PROCESSES)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share what their file sets up once in one process."""
    for item in items:
        fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - not in pytest's types
        if any(one.scope == "module" for several in fixtures for one in several):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """Exclude all that the collection made from garbage collection: it stays to the end."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Collect garbage once: after this pytest does so five times, each time over all that is left."""
    gc.collect()
    gc.freeze()


OURS = ["hub", "connectors"]
MOST_PROCESSES = 6
"""Each reads all tests first, and no more of them would end sooner: the tests on Kafka take their time."""


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """In an async test a file, socket, lock or sleep that the hub's own code waits for in the loop raises."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    with blockbuster_ctx(OURS):
        yield
