"""What a stored view must say to fit the log, which members have read: a repair begins from what they have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from hub.core.merge.content import digest_of_rendered
from hub.core.merge.references import object_key
from hub.core.merge.solution import Place, made_id
from hub.model.claims import Change, View, digest_of
from hub.model.policy import Policy
from hub.model.times import parse_us
from hub.model.words import CanonicalKey, Seq, StixId

_GENERATIONS = 64
"""How many generations of a view are looked for in a log that has lost its view, after the first of the collection."""


def fits(view: View, row: Change | None) -> bool:
    """Whether a view points to a row of its object that says the same of its end."""
    if row is None:
        return False
    return row.object_id == view.object_id and row.type == view.type and row.withdrawn is not view.alive


def as_shown(policy: Policy, view: View, row: Change) -> View:
    """A view that fits its row, with the content and times that the row has, and the generation of its id."""
    if not view.alive:
        return view
    at = (view.collection, view.thing)
    if view.object_id != made_id(policy, at, view.type, view.generation):
        view = replace(view, generation=candidates(policy, at, view.type, ()).get(view.object_id, view.generation))
    created_us, modified_us = _times_us(row.body)
    digest = _digest(row.body)
    return replace(view, digest=digest, created_us=created_us, modified_us=modified_us)


def candidates(policy: Policy, at: Place, kind: str, known: Sequence[StixId]) -> dict[StixId, int]:
    """The ids under which a collection may have shown a thing, each with its generation; ``known``: ids that it may
    have whatever its generation.
    """
    numbers = range(policy.collections[at[0]].first_generation + _GENERATIONS)
    found = {made_id(policy, at, kind, number): number for number in numbers}
    return dict.fromkeys(known, 0) | found


def from_row(at: Place, row: Change, generation: int) -> View:
    """The view that a collection showed when it appended this row."""
    shown = not row.withdrawn
    created_us, modified_us = _times_us(row.body) if row.body else (0, 0)
    return View(
        at[0], at[1], row.object_id, row.type, generation + (not shown), row.seq, shown, _digest(row.body),
        created_us, modified_us, (),
    )  # fmt: skip


def thing_of_row(row: Change) -> CanonicalKey:
    """A thing for an object that the log shows and no claim explains; its view ends in the repair."""
    return object_key(row.object_id)


def filler(policy: Policy, log: int, seq: int, date_us: int) -> Change:
    """A row in the place of one that was lost: the withdrawal of an object that nobody has ever seen."""
    object_id = made_id(policy, (log, CanonicalKey(seq.to_bytes(8))), "note", 0)
    return Change(log, Seq(seq), object_id, "note", True, date_us, date_us, b"")


def _digest(body: bytes) -> bytes:
    try:
        return digest_of_rendered(body)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return digest_of(body)


def _times_us(body: bytes) -> tuple[int, int]:
    try:
        obj = orjson.loads(body)
        created_us, modified_us = (parse_us(obj[name]) if name in obj else 0 for name in ("created", "modified"))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return 0, 0
    return created_us, modified_us
