"""Feedback on a thing: how many sources have seen it, and how many say that it is a false positive.

Each source counts once, whatever it sends. Feedback never changes anything else of a view.
Source: docs/semantics.md, sections 5 and 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.core.merge.project import Projection
from hub.model.feedback import Verdict, verdict_of


class Feedback(NamedTuple):
    """Numbers of sources."""

    sightings: int
    false_positives: int


NO_FEEDBACK = Feedback(0, 0)


def feedback_of(said: Iterable[Projection]) -> Feedback:
    """The feedback in these live sightings and opinions on one thing. Of several verdicts of a source the newest
    counts; of equally new ones that with the greater id.
    """
    sighting: set[int] = set()
    verdicts: dict[int, tuple[int, str, Verdict]] = {}
    for p in said:
        if p.obj["type"] == "sighting":
            sighting.add(p.source.no)
        elif (verdict := verdict_of(p.obj)) is not None:
            one = (p.modified_us, p.of[1], verdict)
            verdicts[p.source.no] = max(one, verdicts.get(p.source.no, one))
    return Feedback(len(sighting), sum(verdict is Verdict.FALSE_POSITIVE for _, _, verdict in verdicts.values()))
