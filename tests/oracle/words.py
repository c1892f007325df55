"""Constants of STIX 2.1, TLP and PAP, the keys of things, and times, written out from the specifications."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

Json = dict[str, Any]

LEVELS = ("clear", "green", "amber", "amber+strict", "red")
TLP = {
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
}
ID_OF = {level: marking for marking, level in TLP.items()}
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
PAP = {
    "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": "GREEN",
    "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": "RED",
}
PAPS = ("CLEAR", "GREEN", "AMBER", "RED")
HUBS_WORD = "extension-definition--2c1f5a0e-6b1d-4c8e-9d57-0a7cf1c2e4b3"
"""The hub's own extension."""

SOURCE_IS_AUTHOR = {"indicator", "relationship", "sighting", "report", "grouping", "note", "opinion"}
OBSERVABLES = {"ipv4-addr", "network-traffic"}
MERGING = {"indicator", *OBSERVABLES}
OF_MEMBERS = {"sighting", "opinion", "note"}
IDENTIFYING = {
    "ipv4-addr": ("value",),
    "network-traffic": ("start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"),
}
"""The properties that an observable's id is made from (STIX 2.1, sections 6.4 and 6.12)."""
NEEDED = {
    "indicator": {"pattern", "pattern_type", "valid_from"},
    "malware": {"name", "is_family"},
    "relationship": {"relationship_type", "source_ref", "target_ref"},
    "sighting": {"sighting_of_ref"},
    "report": {"name", "published", "object_refs"},
    "note": {"content", "object_refs"},
    "opinion": {"opinion", "object_refs"},
    "grouping": {"name", "context", "object_refs"},
    "identity": {"name"},
    "ipv4-addr": {"value"},
    "network-traffic": {"protocols", "src_ref", "start", "end"},
    "observed-data": {"first_observed", "last_observed", "number_observed", "object_refs", "objects"},
}
"""Without which an object is invalid, means nothing, or is about something else, by type."""
ALWAYS_NEEDED = {"type", "spec_version", "id", "created", "modified", "revoked", "object_marking_refs"}
ENDS = {"valid_until", "stop_time", "last_seen", "last_observed", "end"}

_STIX_NAMESPACE = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # STIX 2.1, section 2.9


# ---------------------------------------------------------------- keys of things (docs/canonical-key.md)


def key(kind: str, text: str) -> str:
    """The canonical key of a thing, in hexadecimal digits."""
    return hashlib.sha256(f"ctihub-key-v1\n{kind}\n{text}".encode()).hexdigest()


def object_key(stix_id: str) -> str:
    """The key of what is identified by its STIX id."""
    return key("object", stix_id)


def observable_id(obj: Json) -> str:
    """The deterministic id of an observable (STIX 2.1, section 2.9)."""
    named = {name: obj[name] for name in IDENTIFYING[obj["type"]] if name in obj}
    return f"{obj['type']}--{uuid5(_STIX_NAMESPACE, as_text(named))}"


def as_text(value: Any) -> str:
    """Canonical JSON, as far as the values of the histories go (RFC 8785)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def type_of(ref: str) -> str:
    """The type in a STIX id, or in a reference by a key."""
    return ref.partition("--")[0]


def by_key(kind: str, thing: str) -> str:
    """A reference to a thing by its key."""
    return f"{kind}--key-{thing}"


# ---------------------------------------------------------------- levels and groups


def rank(level: str) -> int:
    """How strict a level is."""
    return LEVELS.index(level)


def strictest(levels: list[str]) -> str:
    """The strictest of some levels."""
    return max(levels, key=rank)


def covers(to: str, group: str) -> bool:
    """Whether a group's marking addresses everyone in another group."""
    return {"public": True, "community": group != "public"}.get(to, to == group)


# ---------------------------------------------------------------- times


def moment(text: str) -> datetime:
    """A STIX timestamp."""
    return datetime.fromisoformat(text)


def written(time: datetime) -> str:
    """A STIX timestamp with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def start_of_day(text: str) -> str:
    """The first moment of the day of a timestamp."""
    return text[:10] + "T00:00:00.000Z"


def end_of_day(text: str) -> str:
    """The last millisecond of the day of a timestamp."""
    return text[:10] + "T23:59:59.999Z"


def days(number: int) -> timedelta:
    """So many days."""
    return timedelta(days=number)


# ---------------------------------------------------------------- references

Meaning = Callable[[str], str | None]


def references(obj: Json) -> list[str]:
    """All references of an object, its markings aside."""
    found: list[str] = []

    def note(ref: str) -> str:
        found.append(ref)
        return ref

    with_references(obj, note)
    return found


def with_references(obj: Json, each: Meaning) -> Json:
    """The object in which every reference is replaced, or removed (None); a list that becomes empty goes as well."""
    found: Json = {}
    for name, value in obj.items():
        if name.endswith("_ref"):
            new: Any = each(value)
        elif name.endswith("_refs") and name != "object_marking_refs":
            new = list(dict.fromkeys(ref for one in value if (ref := each(one)) is not None)) or None
        else:
            new = value
        if new is not None:
            found[name] = new
    return found


def without(obj: Json, *names: str) -> Json:
    """The object without these properties."""
    return {name: value for name, value in obj.items() if name not in names}
