"""Spellings that STIX lets pass, or that its tools refuse over a trifle, made the one that everybody reads.

What ``validate`` lets pass beyond the letter of the specification is put right here, so that what members get is valid.
"""

from __future__ import annotations

import re
from typing import Any

from hub.model.words import StixObject

_TIMES = frozenset(
    {
        "created",
        "modified",
        "valid_from",
        "valid_until",
        "first_seen",
        "last_seen",
        "first_observed",
        "last_observed",
        "start_time",
        "stop_time",
        "published",
        "submitted",
        "analysis_started",
        "analysis_ended",
        "object_modified",
        "ctime",
        "mtime",
        "atime",
        "date",
        "start",
        "end",
        "created_time",
        "account_created",
        "account_expires",
        "credential_last_changed",
        "account_first_login",
        "account_last_login",
        "modified_time",
        "validity_not_before",
        "validity_not_after",
    }
)
"""Top-level properties of STIX 2.1 that hold timestamps."""

_STAMPS = frozenset({"created", "modified"})
_SHORTEST_WITH_MILLISECONDS = len("2026-01-31T12:00:00.123Z")
_LONGEST_THAT_STIX2_READS = len("2026-01-31T12:00:00.123456Z")
_CAPITAL = re.compile("[A-F]").search


def mended(obj: StixObject) -> StixObject:
    """The object with its trifles put right; the same object where there are none.

    - ``created`` and ``modified`` to the millisecond at least (STIX 2.1, section 3.2), no timestamp beyond the
      microsecond, which stix2 and the hub do not tell apart;
    - the UUIDs of ids in small letters, as RFC 4122, section 3, has them written;
    - network traffic with an ``end`` is not active (section 6.12).

    Expects an object that ``validate`` passed.
    """
    changed: dict[str, Any] = {}
    for name, value in obj.items():
        if name in _TIMES:
            new: Any = _timestamp(name, value)
        elif name == "id" or name.endswith("_ref"):
            new = _small(value)
        elif name.endswith("_refs"):
            new = [_small(one) for one in value] if type(value) is list else value
        else:
            continue
        if new != value:
            changed[name] = new
    markings = obj.get("granular_markings")
    if type(markings) is list and (small := [_small_marking(one) for one in markings]) != markings:
        changed["granular_markings"] = small
    if obj["type"] == "network-traffic" and "end" in obj and "is_active" not in obj:
        changed["is_active"] = False
    return {**obj, **changed} if changed else obj


def _timestamp(name: str, value: Any) -> Any:
    if type(value) is not str:
        return value
    if len(value) > _LONGEST_THAT_STIX2_READS:
        return f"{value[: _LONGEST_THAT_STIX2_READS - 1]}Z"
    if name in _STAMPS and len(value) < _SHORTEST_WITH_MILLISECONDS:
        whole, _, fraction = value[:-1].partition(".")
        return f"{whole}.{fraction.ljust(3, '0')}Z"
    return value


def _small(value: Any) -> Any:
    return value.lower() if type(value) is str and _CAPITAL(value) else value


def _small_marking(marking: Any) -> Any:
    if type(marking) is dict and type(marking.get("marking_ref")) is str:
        return {**marking, "marking_ref": _small(marking["marking_ref"])}
    return marking
