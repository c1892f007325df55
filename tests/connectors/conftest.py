"""Servers that end with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.small_hub import SmallHub


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    """A small hub of one's own."""
    small = SmallHub()
    yield small
    small.stop()
