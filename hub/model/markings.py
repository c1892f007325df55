"""The meaning of markings: TLP ids and spellings that tools write, and the level that markings give a claim.

Source: FIRST TLP 2.0; STIX 2.1 section 7.2; OASIS "TLP 2.0 marking definitions" (extension 60a3c5c5-…).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from hub.model.words import Level, StixId, StixObject

TLP2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

TLP_IDS: Mapping[Level, StixId] = {
    Level.CLEAR: StixId("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    Level.GREEN: StixId("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    Level.AMBER: StixId("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    Level.AMBER_STRICT: StixId("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    Level.RED: StixId("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
}
"""The ids that the hub writes."""

LEVEL_OF_ID: Mapping[str, Level] = {
    **{marking: level for level, marking in TLP_IDS.items()},
    # STIX 2.1 section 7.2.1.4: TLP 1.0, read as 2.0
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Level.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Level.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Level.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Level.RED,
    # OpenCTI's own id for AMBER+STRICT, which TLP 1.0 does not define
    "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37": Level.AMBER_STRICT,
}
"""All ids that are read as a TLP level."""

_STATED = re.compile(r"\s*tlp\s*[:\s]\s*(\S.*?)\s*", re.IGNORECASE)
_PAP = re.compile(r"\s*pap\s*:\s*(red|amber|green|clear|white)\s*", re.IGNORECASE)

PAP_ORDER = ("CLEAR", "GREEN", "AMBER", "RED")
"""MISP's Permissible Actions Protocol, from least to most strict."""


class UnreadableMarking(ValueError):
    """A marking that claims to be a TLP but names no level; it must hide the objects that carry it."""


def stated_level(text: str) -> Level | None:
    """The level that a text such as ``TLP:AMBER+STRICT`` states; None if it states none.

    Raises UnreadableMarking for ``TLP:`` followed by anything that is not a level.
    """
    said = _STATED.fullmatch(text)
    if said is None:
        return None
    try:
        return Level.of(said[1])
    except ValueError:
        raise UnreadableMarking(text) from None


def stated_pap(text: str) -> int | None:
    """The index in ``PAP_ORDER`` of a label or statement such as ``PAP:RED``; None if it states no PAP."""
    said = _PAP.fullmatch(text)
    return None if said is None else PAP_ORDER.index("CLEAR" if said[1].upper() == "WHITE" else said[1].upper())


def level_of_definition(definition: StixObject) -> Level | None:
    """The TLP level that a marking-definition object states by extension, type, name or statement; None if it states
    none.

    Raises UnreadableMarking if it claims to be a TLP but names no level.
    """
    extension = (definition.get("extensions") or {}).get(TLP2_EXTENSION)
    body = definition.get("definition") or {}
    if isinstance(extension, dict):
        return _level(extension.get("tlp_2_0"))
    if definition.get("definition_type") == "tlp":
        return _level(body.get("tlp"))
    for text in (body.get("statement"), definition.get("name")):
        if isinstance(text, str) and (level := stated_level(text)) is not None:
            return level
    return None


def pap_of_definition(definition: StixObject) -> int | None:
    """The index in ``PAP_ORDER`` that a marking-definition states by its statement or name; None if none."""
    for text in ((definition.get("definition") or {}).get("statement"), definition.get("name")):
        if isinstance(text, str) and (pap := stated_pap(text)) is not None:
            return pap
    return None


def _level(label: object) -> Level:
    if isinstance(label, str):
        try:
            return Level.of(label)
        except ValueError:
            pass
    raise UnreadableMarking(str(label))


@dataclass(frozen=True, slots=True)
class Marks:
    """The markings of one claim, before any policy is applied: everything that decides who may see it.

    The object's own markings decide its level and its recipients. Granular markings can only restrict it further.
    """

    level: Level | None
    """The strictest TLP of the object itself; None: the source's default applies."""
    own: tuple[StixId, ...] = ()
    """Markings of the whole object other than TLP (of groups, statements, unknown ones); sorted."""
    granular_level: Level | None = None
    """The strictest TLP of the granular markings; None if there is none."""
    granular: tuple[StixId, ...] = ()
    """Granular markings other than TLP; sorted."""
    unreadable: bool = False
    """A label states an unknown TLP level: the claim is hidden from everyone."""

    @property
    def others(self) -> tuple[StixId, ...]:
        """All markings other than TLP, of the whole object and granular; sorted."""
        return tuple(sorted({*self.own, *self.granular})) if self.granular else self.own

    def strictest(self, default: Level) -> Level:
        """The strictest level anywhere in the object; ``default`` applies if the object itself states none."""
        whole = default if self.level is None else self.level
        return whole if self.granular_level is None else max(whole, self.granular_level)


def marks_of(obj: StixObject) -> Marks:
    """Read the markings of an object.

    Source: docs/semantics.md, section 2.
    """
    level, own = _levels_and_others(set(obj.get("object_marking_refs") or ()))
    granular = obj.get("granular_markings")
    granular_level, others = (
        _levels_and_others({one["marking_ref"] for one in granular if "marking_ref" in one}) if granular else (None, ())
    )
    unreadable = False
    if level is None:
        try:
            stated = [level for label in obj.get("labels") or () if (level := stated_level(label)) is not None]
            level = max(stated, default=None)
        except UnreadableMarking:
            level, unreadable = None, True
    return Marks(level, own, granular_level, others, unreadable)


def _levels_and_others(refs: Set[str]) -> tuple[Level | None, tuple[StixId, ...]]:
    levels = [LEVEL_OF_ID[ref] for ref in refs if ref in LEVEL_OF_ID]
    return max(levels, default=None), tuple(sorted(StixId(ref) for ref in refs if ref not in LEVEL_OF_ID))


def tlp_definition(level: Level) -> StixObject:
    """The marking-definition object of a level, as OASIS publishes it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP_IDS[level],
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{level.label.upper()}",
        "extensions": {TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level.label}},
    }
