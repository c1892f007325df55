"""How many examples a property is tried on: an everyday run always takes the same few, a long run new ones each time.

A long run tries each property in rounds until its share of the time is over (``tests/long_run``). What a round tries
follows from the seed of the round, so that one that fails can be repeated.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

MINUTES = float(os.environ.get("CTIHUB_TEST_MINUTES", "0"))
"""How long a long run takes; 0: it is an everyday run."""
SEED = int(os.environ["CTIHUB_TEST_SEED"]) if "CTIHUB_TEST_SEED" in os.environ else None
"""The seed of the one round that is repeated; None: no round is."""
IN_ROUNDS = MINUTES > 0 or SEED is not None
"""Whether properties are tried in rounds."""
_ROUND = 10
"""How many examples are tried in a round: so few that a long run ends in time."""


def few(number: int, **more: Any) -> settings:
    """Settings of a property that an everyday run tries ``number`` times."""
    if IN_ROUNDS:  # of so few examples hypothesis cannot judge how many are filtered out
        more["suppress_health_check"] = list(HealthCheck)
    return settings(max_examples=min(number, _ROUND) if IN_ROUNDS else number, deadline=None, **more)
