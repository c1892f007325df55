"""Values in parts: a statement takes a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(values: Sequence[T], size: int = 900) -> Iterator[Sequence[T]]:
    """Parts of ``size`` values, the last one of what is left."""
    return (values[start : start + size] for start in range(0, len(values), size))
