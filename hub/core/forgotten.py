"""Recognises in what arrives, and in what is stored, the values that operators have had erased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from hub.core.arrivals import Arrival
from hub.core.encodings import utf8
from hub.core.judge import judge, objects_in
from hub.model.claims import Claim
from hub.model.event_log import StoredRecord
from hub.model.forgettings import Erasable
from hub.model.forgotten import Forgotten, plain_readings
from hub.model.problems import Problem
from hub.model.references import KEYED, key_in
from hub.model.stix_types import STIX_TYPES
from hub.model.words import Limits

# ---------------------------------------------------------------- what arrives


def said_again(arrival: Arrival, forgotten: Forgotten) -> bool:
    """Whether what arrives says, as it was sent, something that was erased."""
    key = arrival.stix_id
    if key is not None and (forgotten.has_id(key) or _is_said(key, forgotten)):
        return True
    return arrival.value is not None and _is_said(text_of(arrival.value), forgotten)


def claimed_again(claim: Claim, forgotten: Forgotten) -> bool:
    """Whether an object, once it is normalised, is about something that was erased, or says it."""
    if forgotten.has_id(claim.id) or (claim.thing is not None and forgotten.has_key(claim.thing)):
        return True
    if KEYED.encode() in claim.body:
        named = [thing for thing in map(key_in, claim.references) if thing is not None]
        if any(map(forgotten.has_key, named)):
            return True
    return any(_is_said(text, forgotten) for text in _spelled_anew(claim))


def _spelled_anew(claim: Claim) -> Iterator[str]:
    """The texts of an object that it has in canonical form; the others are as they were sent."""
    yield from (text for name in _SPELLED if isinstance(text := claim.obj.get(name), str))
    yield from (text for text in (claim.obj.get("hashes") or {}).values() if isinstance(text, str))


_SPELLED = frozenset({"pattern", *(name for row in STIX_TYPES.values() for name in row.id_from)}) - {"hashes"}


def _is_said(text: str, forgotten: Forgotten) -> bool:
    return any(forgotten.is_said_in(reading) for reading in plain_readings(text))


# ---------------------------------------------------------------- what is stored


def text_of(value: bytes) -> str:
    """The text of an object as it was sent, in whatever encoding."""
    return utf8(value).decode("utf-8", "replace")


def record_says(record: StoredRecord, what: Erasable, limits: Limits) -> bool:
    """Whether a record of the event log says what is to be erased."""
    key = (record.key or b"").decode("utf-8", "replace")
    return bool(key and (key in what.ids or what.is_said_in(key))) or value_says(record.value or b"", what, limits)


def value_says(value: bytes, what: Erasable, limits: Limits) -> bool:
    """Whether one or several objects, as they were sent, say what is to be erased, in whatever spelling."""
    if not value:
        return False
    if what.is_said_in(text_of(value)):
        return True
    objects: Sequence[bytes] | Problem = objects_in(value, limits) if what.spelled else ()
    return not isinstance(objects, Problem) and any(_object_says(one, what, limits) for one in objects)


def _object_says(value: bytes, what: Erasable, limits: Limits) -> bool:
    """Whether an object says it once it is normalised."""
    found = judge(value, limits)
    if isinstance(found, Problem | tuple):
        return False
    return any(one.thing in what.things or what.is_said_in(orjson.dumps(one.obj).decode()) for one in found)
