"""Tells which tests failed and then passed, where failures are run once more (``--reruns 1``, as ``.ci/run`` does).

Such a test hides a fault of its own or of the product: each is named with its first failure, and the last line counts
them.
"""

from __future__ import annotations

from typing import Any

import pytest

COUNTED = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show why the flaky tests failed, and name them before pytest's own last line."""
    if not config.getoption("reruns", None):
        return
    stats = terminalreporter.stats
    passed, failed = ({report.nodeid for report in stats.get(kind, ())} for kind in ("passed", "failed"))
    failed |= {report.nodeid for report in stats.get("error", ())}
    first = {report.nodeid: report for report in reversed(stats.get("rerun", ())) if report.nodeid not in failed}
    flaky = sorted(first)
    for nodeid in flaky:
        terminalreporter.write_sep("_", f"{nodeid} failed at {first[nodeid].when}")
        terminalreporter.write_line(first[nodeid].longreprtext)
    for nodeid in flaky:
        terminalreporter.write_line(f"flaky: {nodeid} failed, and passed when it was run again", yellow=True)
    config.stash[COUNTED] = f"{len(passed - failed)} passed, {len(failed)} failed, flaky: {len(flaky)}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of all."""
    if counted := config.stash.get(COUNTED, ""):
        print(counted)
