"""Feedback of a source on a thing as STIX objects: sightings, and verdicts as opinions.

Source: docs/semantics.md, section 10; STIX 2.1, sections 4.15, 5.2 and 10.19.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hub.model.words import StixId, StixObject

FEEDBACK_TYPES = frozenset({"sighting", "opinion"})
"""Types of objects that are feedback on others."""


class Verdict(StrEnum):
    """What an opinion says of a thing."""

    FALSE_POSITIVE = "false-positive"
    CONFIRMED = "confirmed"
    OUTDATED = "outdated"


WORDS: Mapping[Verdict, str] = {
    Verdict.FALSE_POSITIVE: "strongly-disagree",
    Verdict.CONFIRMED: "strongly-agree",
    Verdict.OUTDATED: "disagree",
}
"""The word of ``opinion-enum`` for each verdict."""
_VERDICTS = {word: verdict for verdict, word in WORDS.items()}


def verdict_of(obj: StixObject) -> Verdict | None:
    """The verdict of an opinion; None if it is none. Except for ``confirmed`` a label must name the verdict, since many
    opinions are about how something is described.

    >>> verdict_of({"opinion": "strongly-disagree", "labels": ["false-positive"]})
    <Verdict.FALSE_POSITIVE: 'false-positive'>
    """
    verdict = _VERDICTS.get(obj["opinion"])
    is_named = verdict is Verdict.CONFIRMED or verdict in (obj.get("labels") or ())
    return verdict if is_named else None


def feedback_refs(obj: StixObject) -> tuple[StixId, ...]:
    """The references of a sighting or an opinion to what it is feedback on."""
    if obj["type"] == "sighting":
        return (StixId(obj["sighting_of_ref"]),) if "sighting_of_ref" in obj else ()
    return tuple(StixId(ref) for ref in obj.get("object_refs", ()))
