"""When the claims that caused the new rows of a step were received, for the time from acknowledgement to delivery."""

from __future__ import annotations

from collections.abc import Iterator

from hub.model.words import CanonicalKey, Seq, received_us
from hub.model.writes import Writes


def received_times(writes: Writes) -> Iterator[tuple[tuple[int, Seq], int]]:
    """By log and row, when the newest claim of the step about the thing of the row was received, in microseconds since
    1970. Rows that follow only because of another thing, such as a relationship whose end has come, have none.
    """
    newest: dict[tuple[int | None, CanonicalKey], int] = {}
    for claim in writes.claims:
        things: list[tuple[int | None, CanonicalKey]] = [(None, claim.thing)] if claim.thing is not None else []
        for place in things or writes.placements.get(claim.key, {}).items():
            newest[place] = max(received_us(claim.stamp), newest.get(place, 0))
    for view in writes.views:
        found = newest.get((None, view.thing)) or newest.get((view.collection, view.thing))
        if found is not None:
            yield (view.collection, view.seq), found
