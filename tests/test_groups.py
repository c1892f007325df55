"""Tests that share a server, or what their file sets up, run in one process."""

from __future__ import annotations

import pytest


def test_each_group_stays_in_one_process(request: pytest.FixtureRequest) -> None:
    """Where pytest-xdist cannot group (with pytest 9.2) it says nothing, and each process starts brokers of its own."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("one process runs all")
    grouped = [item for item in request.session.items if item.get_closest_marker("xdist_group")]
    assert grouped
    assert [item.nodeid for item in grouped if "@" not in item.nodeid.rpartition("]")[2]] == []
