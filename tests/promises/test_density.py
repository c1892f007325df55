"""The random histories are dense: what could break a promise happens, and matters, in most of them."""

from __future__ import annotations

from collections import Counter

from tests.promises.effects import KINDS, effects
from tests.promises.scenes import a_dense_history

HISTORIES = 16


def test_every_kind_of_event_matters_in_at_least_half_of_the_histories() -> None:
    found = Counter(kind for seed in range(HISTORIES) for kind in effects(a_dense_history(seed, dates=True)))
    assert found.keys() <= set(KINDS)
    assert {kind: found[kind] for kind in KINDS if 2 * found[kind] < HISTORIES} == {}
