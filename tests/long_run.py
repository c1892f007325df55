"""Long runs (``make test-long``): each property is tried on new examples until its share of the time is over.

Where a round fails, its seed is printed with the command that repeats it.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

import hypothesis
import pytest

from tests.examples import IN_ROUNDS, MINUTES, SEED

_SHARE_S = pytest.StashKey[float]()
_ENDS_S = pytest.StashKey[float]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the properties alone, and divide the time among them."""
    if not IN_ROUNDS:
        return
    properties = [item for item in items if _is_property(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _is_property(item)])
    items[:] = properties
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    config.stash[_SHARE_S] = MINUTES * 60 * processes / max(len(properties), processes)
    config.stash[_ENDS_S] = time.monotonic() + MINUTES * 60


def _is_property(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and hypothesis.is_hypothesis_test(item.obj)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Try a property in rounds, at least once; any other test as always."""
    if not IN_ROUNDS or not _is_property(pyfuncitem):
        return None
    stash = pyfuncitem.config.stash
    ends_s = min(time.monotonic() + stash[_SHARE_S], stash[_ENDS_S])
    longest_s = _round(pyfuncitem, secrets.randbits(32) if SEED is None else SEED)
    while SEED is None and time.monotonic() + longest_s < ends_s:
        longest_s = max(longest_s, _round(pyfuncitem, secrets.randbits(32)))
    return True


def _round(item: pytest.Function, seed: int) -> float:
    """Try a property on the examples of a seed; returns how many seconds that took."""
    began_s = time.monotonic()
    arguments: dict[str, Any] = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    try:
        hypothesis.seed(seed)(item.obj)(**arguments)
    except BaseException as error:
        error.add_note(f"To repeat it: CTIHUB_TEST_SEED={seed} python -m pytest '{item.nodeid}'")
        raise
    return time.monotonic() - began_s
