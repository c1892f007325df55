"""Converts rows of the tables to values of the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from hub.model.claims import Change, Claim, ClaimState, View
from hub.model.words import CanonicalKey, Seq, StixId

_STATES = tuple(ClaimState)
"""By their numbers."""


def claim_of(row: Iterable[Any]) -> Claim:
    """Converts a row of ``contributions``."""
    key, source, stix_id, kind, thing, modified_us, stamp, since, state, digest, body, _ = row
    return Claim(key, source, stix_id, kind, thing, modified_us, stamp, since, _STATES[state], digest, body)


def view_of(row: Iterable[Any]) -> View:
    """Converts a row of ``views``."""
    (
        thing, collection, object_id, kind, generation, seq, alive, digest, created_us, modified_us, uses, due_day,
        dated_us, late_us,
    ) = row  # fmt: skip
    return View(
        collection, thing, object_id, kind, generation, seq, bool(alive), digest, created_us, modified_us,
        tuple(uses.split()), due_day, dated_us, late_us,
    )  # fmt: skip


def past_view_of(row: Row[Any]) -> View:
    """Converts a row of ``past_ids``: a view under an id that has been replaced."""
    return View(
        row.collection, CanonicalKey(row.thing), StixId(row.object_id), row.type, row.generation, Seq(row.seq), False,
        b"", 0, 0, (),
    )  # fmt: skip


def change_of(row: Row[Any]) -> Change:
    """Converts a row of ``changes``."""
    return Change(
        row.log, Seq(row.seq), StixId(row.object_id), row.type, bool(row.withdrawn), row.date_added_us, row.version_us,
        row.body, bool(row.first), row.before,
    )  # fmt: skip
