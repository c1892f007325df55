"""Separates observed-data with embedded objects (STIX 2.0, deprecated in 2.1) into objects of their own and references.

One object becomes several, so each of them inherits the markings of the original.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub.core.normalise.sco import canonical_sco
from hub.model.extensions import KEPT_EXTENSION
from hub.model.markings import TLP_IDS, Marks, marks_of
from hub.model.selectors import WHOLE, selects
from hub.model.stix_types import stix_type
from hub.model.words import Level, StixId, StixObject

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "directory": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "file": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "network-traffic": {"encapsulates_by_ref": "encapsulated_by_ref"},
    "process": {"binary_ref": "image_ref", "created": "created_time"},
    "user-account": {"password_last_changed": "credential_last_changed"},
    "windows-registry-key": {"modified": "modified_time"},
}
"""Properties that STIX 2.1 renamed (its sections 6.3, 6.7, 6.12, 6.13, 6.16 and 6.17 against STIX 2.0, part 4)."""

_DROPPED: Mapping[str, tuple[str, ...]] = {
    "file": ("is_encrypted", "encryption_algorithm", "decryption_key"),
    "process": ("name", "arguments"),
}
_DROPPED_INSIDE: Mapping[str, str] = {
    "archive-ext": "version",
    "raster-image-ext": "image_compression_algorithm",
    "socket-ext": "protocol_family",
}
"""Properties that STIX 2.1 dropped, on objects and in their extensions."""


def lift_container(lifted: StixObject, *, is_2_0: bool) -> list[StixObject]:
    """Returns the observed-data with references, then its objects in order, each with the markings of the whole.

    If ``objects`` or the markings have the wrong shape, returns the observed-data alone and unchanged, for ``validate``
    to refuse. If a label states an unreadable TLP, returns it alone too: the label hides the whole, and objects cannot
    carry it.
    """
    objects = lifted["objects"]
    if not objects or not all(type(one) is dict and type(one.get("type")) is str for one in objects.values()):
        return [lifted]
    if not _has_readable_markings(lifted):
        return [lifted]
    raised = {key: _raised(one) if is_2_0 else dict(one) for key, one in objects.items()}
    ids = _ids(raised, str(lifted.get("id")))
    marks = marks_of({name: value for name, value in lifted.items() if name != "granular_markings"})
    of_parts = _markings_of_parts(lifted, raised)
    observed: dict[str, StixObject] = {}
    granular: dict[str, dict[str, Any]] = {}
    for key, one in raised.items():
        sco = _marked({**_referring(one, ids), "spec_version": "2.1", "id": ids[key]}, marks, of_parts.get(key, []))
        # of equal objects the first wins, with the granular markings of all
        observed[ids[key]] = {**sco, **observed.get(ids[key], {})}
        if type(said := sco.get("granular_markings")) is list:
            granular.setdefault(ids[key], {}).update((repr(marking), marking) for marking in said)
    for sco_id, markings in granular.items():
        observed[sco_id]["granular_markings"] = list(markings.values())
    lifted["object_refs"] = list(observed)
    del lifted["objects"]
    places = {ref: index for index, ref in enumerate(observed)}
    _move_selectors(lifted, {key: places[ids[key]] for key in raised})
    return [lifted] if marks.unreadable else [lifted, *observed.values()]


def _has_readable_markings(lifted: StixObject) -> bool:
    refs, labels = lifted.get("object_marking_refs", []), lifted.get("labels", [])
    markings = lifted.get("granular_markings", [])
    return (
        type(refs) is list
        and all(type(ref) is str for ref in refs)
        and type(labels) is list
        and all(type(label) is str for label in labels)
        and type(markings) is list
        and all(type(one) is dict and type(one.get("marking_ref", "")) is str for one in markings)
    )


def _markings_of_parts(lifted: StixObject, objects: Mapping[str, StixObject]) -> dict[str, list[StixObject]]:
    """The granular markings of the whole that select something in its objects, as markings of these, by their keys."""
    found: dict[str, list[StixObject]] = {}
    for marking in lifted.get("granular_markings", ()):
        for selector in marking["selectors"] if type(marking.get("selectors")) is list else ():
            if type(selector) is not str or selector.partition(".")[0] != "objects":
                continue
            _, key, inside = f"{selector}..".split(".", 2)
            for one in [key] if key in objects else objects:  # what cannot be read selects all of them
                said = {**marking, "selectors": [_selected(objects[one], inside.rstrip(".") if one == key else "")]}
                found.setdefault(one, []).append(said)
    return found


def _selected(part: StixObject, selector: str) -> str:
    """A selector in an embedded object, as one in the object that it becomes; all of it if that is not certain."""
    first, dot, rest = selector.partition(".")
    raised = _RENAMED.get(part["type"], {}).get(first, first) + dot + rest
    return raised if selector and selects(part, raised) else WHOLE


def _marked(sco: StixObject, whole: Marks, of_part: Sequence[StixObject]) -> StixObject:
    """An object with the markings of the whole, and with the granular markings ``of_part``. Its own markings can only
    restrict it further: they become granular markings that take it whole. Markings that the whole has too are not
    repeated, unless it has several besides TLP: any of an object's groups may see it, but each granular marking must
    allow it.
    """
    names = ("object_marking_refs", "granular_markings")
    if any(name in sco and (type(sco[name]) is not list or not sco[name]) for name in names):
        return sco  # of the wrong shape, for ``validate`` to refuse
    said, granular = (sco.get(name, []) for name in names)
    own = _refs(whole.level, whole.own)
    same = own if len(whole.own) < 2 else _refs(whole.level, ())
    own_of_part = [{"marking_ref": ref, "selectors": [WHOLE]} for ref in said if ref not in same]
    granular = [*own_of_part, *of_part, *granular]
    found = {name: value for name, value in sco.items() if name not in names}
    return found | ({"object_marking_refs": own} if own else {}) | ({"granular_markings": granular} if granular else {})


def _refs(level: Level | None, others: tuple[StixId, ...]) -> list[StixId]:
    return [*([TLP_IDS[level]] if level is not None else []), *others]


def _move_selectors(lifted: StixObject, places: Mapping[str, int]) -> None:
    """Change selectors into ``objects`` to select the reference to the object, because it tells of what they select.
    ``places``: the index of each object in ``object_refs``.
    """
    if "granular_markings" in lifted:
        lifted["granular_markings"] = [
            {**marking, "selectors": [_moved(one, places) for one in marking["selectors"]]}
            if type(marking.get("selectors")) is list
            else marking
            for marking in lifted["granular_markings"]
        ]


def _moved(selector: Any, places: Mapping[str, int]) -> Any:
    if type(selector) is not str or selector.partition(".")[0] != "objects":
        return selector
    place = places.get(selector.split(".")[1]) if "." in selector else None
    return "object_refs" if place is None else f"object_refs.[{place}]"


def _raised(one: Mapping[str, Any]) -> StixObject:
    """An object of STIX 2.0 with the names of 2.1; dropped properties move into an extension."""
    kind = one["type"]
    renamed, dropped = _RENAMED.get(kind, {}), _DROPPED.get(kind, ())
    raised = {renamed.get(name, name): value for name, value in one.items() if name not in dropped}
    kept = {name: one[name] for name in dropped if name in one}
    extensions = raised.get("extensions")
    if type(extensions) is dict:
        raised["extensions"] = {name: _raised_extension(name, value, kept) for name, value in extensions.items()}
    if kept:
        holder = raised.get("extensions")
        kept["extension_type"] = "property-extension"
        raised["extensions"] = {**(holder if type(holder) is dict else {}), KEPT_EXTENSION: kept}
    return raised


def _raised_extension(name: str, value: Any, kept: dict[str, Any]) -> Any:
    if type(value) is not dict:
        return value
    raised = dict(value)
    dropped = _DROPPED_INSIDE.get(name)
    if dropped in raised:
        kept[f"{name.replace('-', '_')}_{dropped}"] = raised.pop(dropped)
    headers = raised.get("request_header")
    if name == "http-request-ext" and type(headers) is dict:
        raised["request_header"] = {header: [text] if type(text) is str else text for header, text in headers.items()}
    return raised


def _ids(objects: Mapping[str, StixObject], observed_id: str) -> dict[str, StixId]:
    """The id of each object by its key: derived from its content, referenced objects first.

    If objects refer to one another in a cycle, or an object has no property that determines its id, the id is derived
    from the observed-data's id and the key.
    """
    ids: dict[str, StixId] = {}
    under_way: set[str] = set()
    stack: list[str] = list(objects)[::-1]
    while stack:
        key = stack[-1]
        if key in ids:
            stack.pop()
            continue
        waits_for = [ref for ref in _contributing_refs(objects[key]) if ref in objects and ref not in ids]
        if key not in under_way and waits_for:
            under_way.add(key)
            # Already being processed, so it is part of a cycle; the derived id breaks it.
            for ref in waits_for:
                if ref in under_way:
                    ids[ref] = shaped_id(objects[ref]["type"], observed_id, ref)
                else:
                    stack.append(ref)
            continue
        ids[key] = _id_of(objects[key], ids) or shaped_id(objects[key]["type"], observed_id, key)
        stack.pop()
    return ids


def _id_of(one: StixObject, ids: Mapping[str, StixId]) -> StixId | None:
    """The deterministic id, computed from canonical values where they exist; None if no property determines it."""
    unnamed = {**_referring(one, ids), "id": ""}
    found = canonical_sco(unnamed)
    return StixId(found[0]["id"]) or None if isinstance(found, tuple) else None


def _contributing_refs(one: StixObject) -> Iterator[str]:
    for name in stix_type(one["type"]).id_from:
        if name in one:
            yield from _refs_in(name, one[name])


def _refs_in(name: str, value: Any) -> Iterator[str]:
    if type(value) is dict:
        for inner, item in value.items():
            yield from _refs_in(inner, item)
    elif name.endswith("_ref") and type(value) is str:
        yield value
    elif type(value) is list:
        for item in value:
            if type(item) is dict:
                yield from _refs_in("", item)
            elif name.endswith("_refs") and type(item) is str:
                yield item


def _referring(value: StixObject, ids: Mapping[str, StixId]) -> StixObject:
    """The object with ids instead of the container's keys; other text is kept, for ``validate`` to refuse."""
    return {name: _referred(name, item, ids) for name, item in value.items()}


def _referred(name: str, value: Any, ids: Mapping[str, StixId]) -> Any:
    if type(value) is dict:
        return _referring(value, ids)
    if name.endswith("_ref") and type(value) is str:
        return ids.get(value, value)
    if type(value) is list:
        is_refs = name.endswith("_refs") and name != "object_marking_refs"
        return [
            _referring(item, ids)
            if type(item) is dict
            else ids.get(item, item)
            if is_refs and type(item) is str
            else item
            for item in value
        ]
    return value


def shaped_id(kind: str, *parts: str) -> StixId:
    """An id in the form of a random UUID (version 4), but derived from ``parts``."""
    digest = hashlib.sha256("\x00".join((kind, *parts)).encode()).digest()[:16]
    return StixId(f"{kind}--{uuid.UUID(bytes=digest, version=4)}")


def part_id(container: str, shown: str) -> StixId:
    """The id under which a source claims an object embedded in observed-data. It is specific to the container, so that
    it is withdrawn with it even if other containers hold an equal object. ``shown``: the id derived from the value.
    """
    return shaped_id(shown.partition("--")[0], container, shown)
