"""What is left of a claim whose source does not go by its name: nothing that identifies the source.

Its own ids are replaced where the views are made (``owner``, ``uses``); free text and the names and values of
properties that STIX does not define are its own care.

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
"""Properties that hold the end of something, wherever they stand; every other time counts as a beginning."""
_HUBS = frozenset({"created", "modified"})
"""The hub shows its own, or days."""
_PUBLISHED = OBSERVABLE_EXTENSIONS | {KEPT_EXTENSION, TLP2_EXTENSION, PAP_EXTENSION, ACS_EXTENSION}
"""Extensions that say the same whoever uses them; others are a source's, or name its software and accounts."""


def without_traces(obj: StixObject) -> StixObject:
    """The object with days for times, and without outside references and extensions that nobody has published."""
    found = {name: value if name in _HUBS else _by_day(name, value) for name, value in obj.items()}
    found.pop("external_references", None)
    for name, role in stix_type(found["type"]).times.items():
        if role is TimeRole.OF_ANOTHER:  # an exact time of an object that is shown with others
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
    """A value with the start of the day for each time in it, or the end of it for what ends something."""
    if type(value) is str:
        return day_of(value, ends=name in _ENDS) if _is_time(value) else value
    if type(value) is dict:
        return {inner: _by_day(inner, item) for inner, item in value.items()}
    return [_by_day(name, item) for item in value] if type(value) is list else value


def day_of(moment: str, *, ends: bool = False) -> str:
    """The first or the last millisecond of the day of a STIX timestamp."""
    return moment[:10] + ("T23:59:59.999Z" if ends else "T00:00:00.000Z")


# ---------------------------------------------------------------- the names of markings


def marking_name(marking: StixId, source: Source) -> str:
    """Under which name a source's own marking-definition is used: its id, but of a source that does not go by its name
    one for that source alone.
    """
    return marking if source.naming is Naming.NAMED else f"{marking}/{source.no}"


def marking_in(name: str) -> StixId:
    """The id under which a source claims the marking-definition of a name."""
    return StixId(name.partition("/")[0])
