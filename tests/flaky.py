"""Tells which tests failed and then passed, where failures are run once more (``--reruns 1``, as ``.ci/run`` does).

Such a test hides a fault of its own or of the product: each is named, and the last line counts them.
"""

from __future__ import annotations

from typing import Any

import pytest

COUNTED = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the flaky tests before pytest's own last line."""
    if not config.getoption("reruns", None):
        return
    stats = terminalreporter.stats
    passed, failed = ({report.nodeid for report in stats.get(kind, ())} for kind in ("passed", "failed"))
    failed |= {report.nodeid for report in stats.get("error", ())}
    flaky = sorted({report.nodeid for report in stats.get("rerun", ())} - failed)
    for nodeid in flaky:
        terminalreporter.write_line(f"flaky: {nodeid} failed, and passed when it was run again", yellow=True)
    config.stash[COUNTED] = f"{len(passed - failed)} passed, {len(failed)} failed, flaky: {len(flaky)}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of all."""
    if counted := config.stash.get(COUNTED, ""):
        print(counted)
