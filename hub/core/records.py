"""Splits a record into its objects without parsing them: a single object, or those of a bundle, TAXII envelope or list.

Independent of STIX, except for the type ``bundle`` and the ``spec_version`` that objects inherit from their bundle.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import jiter
import msgspec

from hub.core.read import malformed
from hub.model.problems import Code, Problem, cut
from hub.model.words import Limits

BUNDLES_DEEP = 3
"""How many bundles may be nested around an object; connectors accept as many."""
_VERSIONS = ("2.0", "2.1")
_ENVELOPE_CANDIDATES = 16
"""How often the text of a bundle's list is searched for in the bundle before the bundle is parsed whole instead."""

_is_of_its_own = re.compile(rb'\{\s*+"type"\s*+:\s*+"(?!bundle")[a-z0-9-]++"').match
"""Matches an object whose first property is a type other than bundle; ``read`` refuses a second ``type`` property."""

_NOTHING = msgspec.Raw()


class _Envelope(msgspec.Struct):
    """The properties that show whether a value is a container; they stay raw."""

    type: Any = None
    id: Any = None
    spec_version: Any = None
    created: Any = None
    modified: Any = None
    objects: msgspec.Raw = _NOTHING

    @property
    def holds_objects(self) -> bool:
        """Whether it is a bundle, or a TAXII envelope: that has ``objects``, but no type and no times."""
        if self.type is None:
            return self.objects is not _NOTHING and self.created is None and self.modified is None
        return bool(self.type == "bundle")


class _Version(msgspec.Struct):
    spec_version: msgspec.Raw = _NOTHING


_envelope = msgspec.json.Decoder(_Envelope)
_version = msgspec.json.Decoder(_Version)
_slices = msgspec.json.Decoder(list[msgspec.Raw])
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def split(value: bytes, limits: Limits) -> list[bytes] | Problem:
    """Split a record into its objects, unparsed and in order: those of a bundle, an envelope or a list, or the value
    itself. Nested bundles are split too, up to ``BUNDLES_DEEP``; a deeper bundle, or one that cannot be split, stays
    one slice, which ``read`` or ``validate`` refuses. Objects without ``spec_version`` inherit that of their bundle.

    A bundle without ``objects`` gives an empty list. A problem refuses the whole record: it cannot be split, or holds
    more than ``limits.bundle_objects`` objects.
    """
    if _is_of_its_own(value):
        return [value]
    value = value.removeprefix(codecs.BOM_UTF8)
    if not value.strip():
        return Problem(Code.RECORD_EMPTY, "", "The record is empty; send one STIX object or one bundle.")
    if value[:1] != b"{" and value.lstrip()[:1] == b"[":
        return _all_of(_listed(value), 0, None, limits) or _unreadable(value)
    if not _may_hold_objects(value):
        return [value]
    try:
        envelope = _envelope.decode(value)
    except _UNDECODABLE:
        return _unreadable(value) if _speaks_of_objects(value) else [value]
    return _held_by(value, envelope, limits) if envelope.holds_objects else [value]


def _held_by(value: bytes, envelope: _Envelope, limits: Limits) -> list[bytes] | Problem:
    """The objects of a record that is a bundle or an envelope."""
    if problem := _wrong_envelope(value, envelope):
        return problem
    if envelope.objects is _NOTHING:
        return []
    objects = _listed(envelope.objects)
    if objects is None:
        return Problem(Code.BUNDLE_INVALID, "/objects", "The objects of a bundle are a list of STIX objects.")
    if not objects:
        return Problem(Code.BUNDLE_INVALID, "/objects", "The list of objects is empty; leave it out or fill it.")
    return _all_of(objects, envelope.type is not None, envelope.spec_version, limits)


def _may_hold_objects(value: bytes) -> bool:
    """False if the value is certainly a single object, as most are; text with an escape may be a container."""
    return not _is_of_its_own(value) and (_speaks_of_objects(value) or b"\\u" in value)


def _speaks_of_objects(value: bytes) -> bool:
    return b"bundle" in value or b'"objects"' in value


def _listed(raw: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return _slices.decode(raw)
    except _UNDECODABLE:
        return None


def _all_of(objects: list[msgspec.Raw] | None, level: int, version: object, limits: Limits) -> list[bytes] | Problem:
    found = list(islice(_apart(objects or (), level, version), limits.bundle_objects + 1))
    if len(found) <= limits.bundle_objects:
        return found
    says = f"There are more than {limits.bundle_objects:,} objects, which is the limit; send them in parts."
    return Problem(Code.BUNDLE_TOO_LARGE, "/objects", says)


def _apart(objects: Iterable[msgspec.Raw], level: int, version: object) -> Iterator[bytes]:
    """The objects in a list, and those of nested bundles. ``level``: how many bundles enclose the list."""
    for raw in objects:
        one = bytes(raw)
        inside = _envelope_in(one) if _may_hold_objects(one) else None
        if inside is None:
            yield _versioned(one, version)
            continue
        deeper = level + (inside.type is not None)
        held = [] if bytes(memoryview(inside.objects)[:5]) in (b"", b"null") else _listed(inside.objects)
        if held is None or (held and deeper > BUNDLES_DEEP):
            yield one
        else:
            yield from _apart(held, deeper, inside.spec_version or version)


def _envelope_in(one: bytes) -> _Envelope | None:
    """The envelope that an object of a list is; None for a single object, and for text that ``read`` will refuse."""
    try:
        envelope = _envelope.decode(one)
        if not envelope.holds_objects:
            return None
        jiter.from_json(_without_objects(one, envelope.objects), catch_duplicate_keys=True)
    except (*_UNDECODABLE, ValueError):
        return None
    return envelope


def _versioned(one: bytes, version: object) -> bytes:
    """The object with the ``spec_version`` of its bundle, if it has none itself."""
    if version not in _VERSIONS or one[:1] != b"{":
        return one
    if b'"spec_version"' in one:
        try:
            if _version.decode(one).spec_version is not _NOTHING:
                return one
        except _UNDECODABLE:
            return one
    return b'{"spec_version":"%b"%b%b' % (str(version).encode(), b"," if one[1:].lstrip() != b"}" else b"", one[1:])


def _wrong_envelope(value: bytes, envelope: _Envelope) -> Problem | None:
    """What is wrong with a bundle's own properties: its id, its version, or a duplicate key."""
    is_bundle = envelope.type is not None
    if is_bundle and (not isinstance(envelope.id, str) or not envelope.id.startswith("bundle--")):
        says = f"A bundle has an id of the form bundle--UUID, not {cut(envelope.id)}."
        return Problem(Code.BUNDLE_INVALID, "/id", says)
    if envelope.spec_version not in (None, "2.0", "2.1"):
        says = f"The spec_version of a bundle is 2.1, 2.0 or left out, not {cut(envelope.spec_version)}."
        return Problem(Code.STIX_SPEC_VERSION, "/spec_version", says)
    try:
        jiter.from_json(_without_objects(value, envelope.objects), catch_duplicate_keys=True)
    except ValueError as error:
        return malformed(value, str(error))
    return None


def _without_objects(value: bytes, objects: msgspec.Raw) -> bytes:
    """The bundle with an empty list of objects, so that its own keys can be checked without parsing the objects.

    If the same text occurs earlier in the bundle, that place is emptied instead and the real list is parsed too:
    slower, but equally strict.
    """
    if objects is _NOTHING:
        return value
    text = bytes(objects)
    head, start = text[:64], -1
    for _ in range(_ENVELOPE_CANDIDATES):
        start = value.find(head, start + 1)
        if start < 0:
            break
        if value.startswith(text, start):
            return value[:start] + b"[]" + value[start + len(text) :]
    return value


def _unreadable(value: bytes) -> list[bytes] | Problem:
    """The result for a record that is no envelope: the value itself if it is valid JSON, otherwise the problem."""
    try:
        jiter.from_json(value, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        return malformed(value, str(error))
    return [value]
