"""How many examples a property is tried on."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

MANY = int(os.environ.get("CTIHUB_EXAMPLES", "0"))
"""At least this many for each property, new ones each time; 0: the few of an everyday run, always the same ones."""


def few(number: int, **more: Any) -> settings:
    """Settings of a property that an everyday run tries ``number`` times."""
    return settings(max_examples=max(MANY, number), deadline=None, **more)
