"""Rows, their order and dates, and the times of owners, are what the rules of docs/semantics.md, section 7, and section
6, "Owners' modified", make of what the oracle says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from hypothesis import given

from hub.model.claims import Change
from hub.model.times import exact_time, parse_us, stix_time
from tests.oracle.whole import COLLECTIONS
from tests.oracle.words import object_key
from tests.promises.comparing import meant, new_oracle
from tests.promises.histories import Batch, History
from tests.promises.scenes import dense_histories
from tests.promises.telling import Telling, a_hub
from tests.promises.test_histories import few

ORDER = (
    ("identity of the hub or of a source",),
    ("extension-definition",),
    ("marking-definition",),
    ("identity",),
    ("ipv4-addr", "network-traffic"),
    ("malware",),
    ("indicator",),
    ("observed-data",),
    ("relationship",),
    ("sighting",),
    ("report", "note", "grouping", "opinion"),
)
"""What is referred to comes before what refers to it."""
MS, STEP_US = 1000, 20


@few(12)
@given(history=dense_histories(dates=True))
async def test_the_rows_of_a_batch_are_what_the_rules_say(history: History) -> None:
    async with a_hub(referrer_limit=10_000) as story:  # nothing is deferred: a batch is one step
        telling = Telling(story, history)
        await telling.begin()
        whole = await new_oracle(telling)
        whole.begin(history)
        watches = {one.name: Watch() for one in COLLECTIONS}
        for number, event in enumerate(history.events):
            await telling.event(number)
            whole.event(number, event, await meant(telling))
            for one in COLLECTIONS:
                watch, rows = watches[one.name], await story.log(one.name)
                new = rows[watch.read :]
                if isinstance(event, Batch) and new:
                    shelf = whole.shelf(one)
                    known = {str(ref) for ref in shelf.known}
                    owners = {thing: obj["modified"] for thing, obj in shelf.content().items() if "modified" in obj}
                    is_ordered(new, known)
                    watch.is_dated(new, story.now_us, known | owners.keys())
                    watch.has_owners_times(new, owners)
                watch.note(new)


def is_ordered(rows: Sequence[Change], known: set[str]) -> None:
    """Objects by kind and id, then withdrawals in the reverse order."""
    places = {kind: place for place, kinds in enumerate(ORDER) for kind in kinds}

    def place(row: Change) -> tuple[int, str]:
        kind = ORDER[0][0] if row.type == "identity" and row.object_id in known else row.type
        return places[kind], row.object_id

    objects, gone = ([row for row in rows if row.withdrawn is withdrawn] for withdrawn in (False, True))
    assert list(rows) == [*sorted(objects, key=place), *sorted(gone, key=place, reverse=True)]


class Watch:
    """One collection's log, row by row."""

    def __init__(self) -> None:
        self.read = 0
        self.date_us = 0
        self.shown: dict[str, dict[str, Any]] = {}
        """By id the last object shown under it, whether or not it is shown now."""

    def note(self, rows: Sequence[Change]) -> None:
        """The rows have been looked at."""
        for row in rows:
            if row.body:
                self.shown[row.object_id] = json.loads(row.body)
            self.date_us = row.date_added_us
        self.read += len(rows)

    def is_dated(self, rows: Sequence[Change], now_us: int, of_others: set[str]) -> None:
        """By the time of the batch, 20 µs apart, each version that the hub makes of a view in a millisecond of its own,
        the last one of a type in sequence on a whole one. ``of_others``: the ids and things whose times the hub
        does not make.
        """
        before = self.date_us
        for row, following in zip_longest(rows, rows[1:]):
            obj = json.loads(row.body or b"{}")
            is_of_others = not {row.object_id, object_key(row.object_id)}.isdisjoint(of_others)
            is_hubs = "modified" in obj and not is_of_others
            date = max(now_us, before + STEP_US)
            if is_hubs and row.object_id in self.shown:
                date = max(date, parse_us(self.shown[row.object_id]["modified"]) + MS)
            if following is None or following.type != row.type:
                date = -(-date // MS) * MS
            assert row.date_added_us == date, row
            assert not is_hubs or obj["modified"] == stix_time(date), row
            before = date

    def has_owners_times(self, rows: Sequence[Change], modified: dict[str, str]) -> None:
        """What an owner says, or as little more as is needed; the same content as before has the same."""
        for row in rows:
            own = modified.get(object_key(row.object_id))
            if row.withdrawn or own is None:
                continue
            obj = json.loads(row.body)
            last = self.shown.get(row.object_id)
            if last is None:
                expected = own
            elif {**last, "modified": 0, "created": 0} == {**obj, "modified": 0, "created": 0}:
                expected = last["modified"]
            else:
                expected = max(own, exact_time(parse_us(last["modified"]) + MS))
            assert obj["modified"] == expected, (row, last)
