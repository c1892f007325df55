"""Removes from a claim everything that identifies its source, for sources that are not shown by name.

Its own ids are replaced where the views are made (``owner``, ``uses``). Free text and custom properties are not
changed: the source itself must keep them neutral.

Source: docs/semantics.md, section 5, "Centres that do not go by their name".
"""

from __future__ import annotations

import re
from typing import Any

from hub.model.extensions import ACS_EXTENSION, KEPT_EXTENSION, OBSERVABLE_EXTENSIONS, PAP_EXTENSION
from hub.model.markings import TLP2_EXTENSION
from hub.model.policy import Source
from hub.model.stix_types import STIX_TYPES, TimeRole, stix_type
from hub.model.words import Naming, StixId, StixObject

_is_time = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z", re.ASCII).fullmatch
_ENDS = frozenset(
    name
    for row in STIX_TYPES.values()
    for times in (row.times, row.inner_times)
    for name, role in times.items()
    if role is TimeRole.ENDS
)
"""Properties that contain an end time, at any depth; every other time counts as a start."""
_HUBS = frozenset({"created", "modified"})
"""Properties that the hub sets, or rounds to days, itself."""
_PUBLISHED = OBSERVABLE_EXTENSIONS | {KEPT_EXTENSION, TLP2_EXTENSION, PAP_EXTENSION, ACS_EXTENSION}
"""Extensions that do not depend on who uses them; others are a source's own, or name its software and accounts."""


def without_traces(obj: StixObject) -> StixObject:
    """The object with times rounded to days, without external references and without unpublished extensions."""
    found = {name: value if name in _HUBS else _by_day(name, value) for name, value in obj.items()}
    found.pop("external_references", None)
    for name, role in stix_type(found["type"]).times.items():
        if role is TimeRole.OF_ANOTHER:  # the exact time of another object
            found.pop(name, None)
    extensions = found.get("extensions")
    if extensions:
        kept = {name: one for name, one in extensions.items() if name in _PUBLISHED}
        if kept:
            found["extensions"] = kept
        else:
            del found["extensions"]
    return found


def _by_day(name: str, value: Any) -> Any:
    """A value with each time in it replaced by the start of its day, or by the end of its day for end times."""
    if type(value) is str:
        return day_of(value, ends=name in _ENDS) if _is_time(value) else value
    if type(value) is dict:
        return {inner: _by_day(inner, item) for inner, item in value.items()}
    return [_by_day(name, item) for item in value] if type(value) is list else value


def day_of(moment: str, *, ends: bool = False) -> str:
    """The first or, with ``ends``, the last millisecond of the day of a STIX timestamp."""
    return moment[:10] + ("T23:59:59.999Z" if ends else "T00:00:00.000Z")


# ---------------------------------------------------------------- the names of markings


def marking_name(marking: StixId, source: Source) -> str:
    """The name under which a source's marking-definition is used: its id, plus the source's number if the source is not
    shown by name.
    """
    return marking if source.naming is Naming.NAMED else f"{marking}/{source.no}"


def marking_in(name: str) -> StixId:
    """The id of the marking-definition in such a name."""
    return StixId(name.partition("/")[0])
