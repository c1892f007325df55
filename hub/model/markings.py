"""The meaning of markings: ids and spellings of TLP and PAP that tools write, and the level that markings give a claim.

Source: FIRST TLP 2.0; STIX 2.1 section 7.2; OASIS common objects: "TLP 2.0 marking definitions" (extension 60a3c5c5-…)
and "PAP Marking Definition for STIX 2.1" (extension f8d78575-…).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from hub.model.extensions import KEPT_EXTENSION, PAP_EXTENSION
from hub.model.selectors import WHOLE
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
_PAP = re.compile(r"\s*pap\s*[:\s]\s*(red|amber|green|clear|white)\s*", re.IGNORECASE)

PAP_ORDER = ("CLEAR", "GREEN", "AMBER", "RED")
"""The Permissible Actions Protocol, from least to most strict. WHITE, its former name, counts as CLEAR."""

PAP_OF_ID: Mapping[str, int] = {
    "marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730": 0,  # WHITE
    "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92": 0,
    "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": 1,
    "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab": 2,
    "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": 3,
    # OpenCTI's own ids: UUIDv5 of {"definition":"PAP:RED","definition_type":"PAP"} in its namespace 00abedb4-…
    "marking-definition--4cdff7eb-acb8-543f-8573-829eb9fe8b34": 0,
    "marking-definition--89484dde-e3d2-547f-a6c6-d14824429eb1": 1,
    "marking-definition--a6f20d4d-0360-59b6-ba22-3b48707828b1": 2,
    "marking-definition--4e4e3b84-de45-53df-9d9b-b21207699fd8": 3,
}
"""All ids that are read as a PAP, as indices into ``PAP_ORDER``. Objects carry them without their definitions."""


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
    return None if said is None else _PAP_WORDS[said[1].lower()]


_PAP_WORDS = {"white": 0, **{word.lower(): at for at, word in enumerate(PAP_ORDER)}}


class StatedByLabel(NamedTuple):
    """What a label states about sharing and permissible actions."""

    level: Level | None = None
    pap: int | None = None
    """An index into ``PAP_ORDER``."""
    unreadable: bool = False
    """It states an unknown TLP level."""

    @property
    def is_tlp(self) -> bool:
        """Whether it states a TLP level, known or not."""
        return self.level is not None or self.unreadable


def stated_by(label: str) -> StatedByLabel:
    """What a label states."""
    return _stated_by_short(label) if len(label) < _SHORT_LABEL_CHARS else _stated_by(label)


def _stated_by(label: str) -> StatedByLabel:
    try:
        return StatedByLabel(stated_level(label), stated_pap(label))
    except UnreadableMarking:
        return StatedByLabel(unreadable=True)


_SHORT_LABEL_CHARS = 64
_stated_by_short = lru_cache(maxsize=4_096)(_stated_by)
"""Cached for short labels only, so that input cannot grow the cache: sources use few labels, again and again."""


def level_of_definition(definition: StixObject) -> Level | None:
    """The TLP level that a marking-definition object states by extension, type, name or text; None if it states none.

    Raises UnreadableMarking if it claims to be a TLP but names no level.
    """
    extension = (definition.get("extensions") or {}).get(TLP2_EXTENSION)
    if isinstance(extension, dict):
        return _level(extension.get("tlp_2_0"))
    kind, body = _kind_and_body(definition)
    levels = [level for text in _texts(definition, body) if (level := stated_level(text)) is not None]
    if levels:
        return max(levels)
    return max(_level(word) for word in (*body.values(),) or (None,)) if kind == "tlp" else None


def pap_of_definition(definition: StixObject) -> int | None:
    """The index in ``PAP_ORDER`` that a marking-definition states by extension, type, name or text; None if none."""
    extension = (definition.get("extensions") or {}).get(PAP_EXTENSION)
    kind, body = _kind_and_body(definition)
    words = [extension.get("pap")] if isinstance(extension, dict) else [*body.values()] if kind == "pap" else []
    found = [_PAP_WORDS[word.lower()] for word in words if isinstance(word, str) and word.lower() in _PAP_WORDS]
    found += [pap for text in _texts(definition, body) if (pap := stated_pap(text)) is not None]
    return max(found, default=None)


def _kind_and_body(definition: StixObject) -> tuple[str, Mapping[str, object]]:
    """The ``definition_type`` in lower case and the ``definition``. A custom type has moved into an extension on
    acceptance; OpenCTI writes a statement and names its own type beside it.
    """
    kept = (definition.get("extensions") or {}).get(KEPT_EXTENSION)
    said = definition if "definition" in definition or not isinstance(kept, dict) else kept
    kind, body = definition.get("x_opencti_definition_type") or said.get("definition_type"), said.get("definition")
    return (kind.lower() if isinstance(kind, str) else ""), (body if isinstance(body, dict) else {})


def _texts(definition: StixObject, body: Mapping[str, object]) -> Iterator[str]:
    """The texts of a marking-definition that may state a level."""
    for text in (*body.values(), definition.get("name"), definition.get("x_opencti_definition")):
        if isinstance(text, str):
            yield text


def _level(label: object) -> Level:
    if isinstance(label, str):
        try:
            return Level.of(label)
        except ValueError:
            pass
    raise UnreadableMarking(str(label))


class GranularMarking(NamedTuple):
    """One marking of parts of an object, with all of its selectors there."""

    ref: StixId
    """The marking-definition; for a TLP its 2.0 id."""
    level: Level | None
    """None: it is no TLP."""
    selectors: tuple[str, ...]

    @property
    def takes_all(self) -> bool:
        """Whether nothing remains of the object for those whom it excludes."""
        return WHOLE in self.selectors


class Marks(NamedTuple):
    """The markings of one claim, before any policy is applied: everything that decides who may see what of it, and what
    may be done with it.

    The object's own markings decide its level and its recipients. Granular markings only take parts away.
    """

    level: Level | None
    """The strictest TLP of the object itself; None: the source's default applies."""
    own: tuple[StixId, ...] = ()
    """Markings of the whole object other than TLP (of groups, statements, unknown ones); sorted."""
    granular: tuple[GranularMarking, ...] = ()
    """Sorted; each marking once."""
    unreadable: bool = False
    """A label states an unknown TLP level: the claim is hidden from everyone."""
    pap: int | None = None
    """The strictest PAP that a label states, as an index into ``PAP_ORDER``."""

    @property
    def others(self) -> tuple[StixId, ...]:
        """All markings other than TLP and PAP, of the whole object and granular; sorted."""
        found = {*self.own, *(one.ref for one in self.granular if one.level is None)}
        return tuple(sorted(found - PAP_OF_ID.keys())) if found else ()


def marks_of(obj: StixObject) -> Marks:
    """Read the markings of an object.

    Source: docs/semantics.md, section 2.
    """
    refs = obj.get("object_marking_refs") or ()
    level = max([LEVEL_OF_ID[ref] for ref in refs if ref in LEVEL_OF_ID], default=None)
    own = tuple(sorted({StixId(ref) for ref in refs if ref not in LEVEL_OF_ID}))
    said = obj.get("granular_markings")
    granular = _granular(said) if said else ()
    unreadable, pap = False, None
    labels = obj.get("labels")
    if labels:
        stated = list(map(stated_by, labels))
        if level is None:
            unreadable = any(one.unreadable for one in stated)
            level = None if unreadable else max((one.level for one in stated if one.level is not None), default=None)
        pap = max((one.pap for one in stated if one.pap is not None), default=None)
    return Marks(level, own, granular, unreadable, pap)


def _granular(said: Iterable[StixObject]) -> tuple[GranularMarking, ...]:
    """Granular markings of languages are left out: they do not restrict."""
    selectors: dict[tuple[StixId, Level | None], set[str]] = {}
    for one in said:
        if "marking_ref" in one:
            level = LEVEL_OF_ID.get(one["marking_ref"])
            ref = StixId(one["marking_ref"]) if level is None else TLP_IDS[level]
            selectors.setdefault((ref, level), set()).update(one["selectors"])
    return tuple(sorted(GranularMarking(ref, level, tuple(sorted(some))) for (ref, level), some in selectors.items()))


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
