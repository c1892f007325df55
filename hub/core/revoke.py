"""Revocations that are not valid objects: they still withdraw the contribution, whatever else is wrong with them.

The type, id, ``modified`` and author are enough, because they name the contribution and the version. The rest of the
version is never shown, so it need not be valid. Its markings count: whoever they exclude must not learn of it.
Source: docs/semantics.md, section 3, "Ways out".
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import orjson

from hub.core.normalise.mend import small
from hub.core.validate.checks import TYPE_NAME, UUID
from hub.model.claims import Claim, digest_of
from hub.model.markings import TLP_IDS
from hub.model.stix_types import stix_type
from hub.model.times import exact_time, parse_us
from hub.model.words import Level, StixObject

_NOBODY = [TLP_IDS[Level.RED]]
"""RED without a group is never shown."""
_is_id = re.compile(rf"({TYPE_NAME})--{UUID}").fullmatch
_is_identity = re.compile(rf"identity--{UUID}").fullmatch
_is_marking = re.compile(rf"marking-definition--{UUID}").fullmatch


def revocation(obj: StixObject) -> StixObject | None:
    """The readable part of a version that revokes its contribution; None if it does not revoke, or cannot be read."""
    kind, stix_id = obj.get("type"), obj.get("id")
    named = _is_id(stix_id) if type(stix_id) is str else None
    if obj.get("revoked") is not True or named is None or named[1] != kind or kind == "bundle":
        return None
    counts = {"type": kind, "spec_version": "2.1", "id": small(stix_id), "revoked": True}
    modified = _moment(obj.get("modified"))
    if modified is not None:
        counts["modified"] = modified
    elif stix_type(kind).versioned:
        return None
    author = obj.get("created_by_ref")
    if author is not None:
        if type(author) is not str or not _is_identity(author):
            return None
        counts["created_by_ref"] = small(author)
    return counts | _markings(obj)


def _moment(said: Any) -> str | None:
    """A time in STIX format; accepts an offset, which people write when they revoke by hand. None if it is no time."""
    if type(said) is not str:
        return None
    try:
        return exact_time(parse_us(said))
    except ValueError:
        return None


def revocation_in(value: bytes) -> StixObject | None:
    """Like ``revocation``, for bytes that ``read`` refuses because of a duplicate key, a number, nesting or an encoding
    that is not UTF-8.
    """
    try:
        obj = json.loads(value.decode("utf-8", "replace"), object_pairs_hook=_readable)
    except (ValueError, RecursionError):
        return None
    return revocation(obj) if type(obj) is dict else None


def _readable(pairs: list[tuple[str, Any]]) -> StixObject:
    """An object in which a key that occurs twice with different values has no readable value."""
    found: StixObject = {}
    for name, value in pairs:
        found[name] = ... if name in found and repr(found[name]) != repr(value) else value
    return found


def _markings(obj: StixObject) -> StixObject:
    """The markings that can be read; if some cannot be read, a marking that excludes everybody."""
    refs, labels, granular = (obj.get(name) or [] for name in ("object_marking_refs", "labels", "granular_markings"))
    readable = (
        type(refs) is list
        and all(type(ref) is str and _is_marking(ref) for ref in refs)
        and type(labels) is list
        and all(type(label) is str and label.isprintable() for label in labels)
        and type(granular) is list
        and all(map(_is_granular, granular))
    )
    if not readable:
        return {"object_marking_refs": _NOBODY}
    found = {"object_marking_refs": [small(ref) for ref in refs], "labels": labels, "granular_markings": granular}
    return {name: value for name, value in found.items() if value}


def _is_granular(one: Any) -> bool:
    if type(one) is not dict or one.keys() - {"marking_ref", "lang", "selectors"}:
        return False
    selectors, ref, lang = one.get("selectors"), one.get("marking_ref"), one.get("lang", "")
    return (
        type(selectors) is list
        and all(type(selector) is str and selector.isprintable() for selector in selectors)
        and ("marking_ref" not in one or (type(ref) is str and _is_marking(ref) is not None))
        and type(lang) is str
        and lang.isprintable()
    )


def revoked(said: Claim, stood: Claim | None, default: Level) -> Claim:
    """The claim that such a revocation makes: the previous content, revoked, visible only to those who may see both.
    ``default``: the level of objects that state none.

    Without a previous claim it is visible to nobody, but still supersedes older versions.
    """
    if stood is None or not stood.body:
        return _claiming(said, {**said.obj, "object_marking_refs": _NOBODY})
    obj = {**stood.obj, "revoked": True}
    if "modified" in said.obj:
        obj["modified"] = said.obj["modified"]
    now, before = said.marks, stood.marks
    granular = said.obj.get("granular_markings")
    level = default if before.level is None else before.level
    if now.unreadable or (now.own and now.own != before.own) or (granular and granular != obj.get("granular_markings")):
        obj["object_marking_refs"] = _NOBODY
    elif not before.unreadable and now.level is not None and now.level > level:
        obj["object_marking_refs"] = [TLP_IDS[now.level], *before.own]
    return _claiming(replace(said, thing=stood.thing), obj)


def _claiming(claim: Claim, obj: StixObject) -> Claim:
    body = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    return replace(claim, body=body, digest=digest_of(body), parsed=obj, _marks=None, _beside_author=None)
