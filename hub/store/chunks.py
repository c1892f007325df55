"""Splits values into parts, since a statement takes a bounded number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(values: Sequence[T], size: int = 900) -> Iterator[Sequence[T]]:
    """Yields parts of ``size`` values; the last part may be shorter."""
    return (values[start : start + size] for start in range(0, len(values), size))
