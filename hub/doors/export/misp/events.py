"""How indicators are divided into MISP's events, and the JSON of events.

An event has the indicators that a collection first showed in one month (``created``) and whose ids share a part of
their hash. Neither ever changes, so an attribute stays in its event, which MISP requires. A change touches one event,
and a collection gets at most ``PARTS`` events a month.

Source: MISP core format (``Event``, ``Attribute``, ``Orgc``, ``Tag``); PyMISP 2.5, ``MISPEvent``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from hub.doors.export.misp.attributes import MispAttribute
from hub.doors.export.misp.tags import tag, tlp_tag
from hub.model.words import StixObject

PARTS = 64
"""The events of a month. A million new indicators in a month are 16,000 attributes in each."""

_SECOND_US = 1_000_000


class EventKey(NamedTuple):
    """One event of a feed."""

    month: str
    """As ``2026-01``."""
    part: int
    """From 0 to ``PARTS`` - 1."""


@dataclass(frozen=True, slots=True)
class MispAbout:
    """What all events of a feed have in common."""

    collection: str
    """The name of the collection."""
    collection_id: UUID
    level: str
    """The label of the collection's TLP level."""
    orgc_id: UUID
    """The UUID of the hub's identity."""
    orgc_name: str = "ctihub"

    def uuid_of(self, key: EventKey) -> UUID:
        """Returns the UUID of an event: different in each collection, and always the same."""
        return uuid5(self.collection_id, f"misp event {key.month} {key.part}")


def key_of(obj: StixObject) -> EventKey:
    """Returns the event of an indicator."""
    digest = hashlib.blake2b(obj["id"].encode(), digest_size=2).digest()
    return EventKey(obj["created"][:7], int.from_bytes(digest, "big") % PARTS)


def event_json(
    about: MispAbout, key: EventKey, attributes: Sequence[MispAttribute], timestamp_s: int
) -> dict[str, dict[str, Any]]:
    """Returns an event as MISP reads it. ``timestamp_s``: its time, in seconds since 1970, and the latest of its
    attributes.
    """
    uuid = about.uuid_of(key)
    said = manifest_entry(about, key, timestamp_s)
    more = {
        "uuid": str(uuid), "publish_timestamp": str(timestamp_s), "published": True, "extends_uuid": "",
        "protected": False, "Attribute": [_attribute_json(uuid, one, timestamp_s) for one in attributes],
    }  # fmt: skip
    return {"Event": {**said, **more}}


def manifest_entry(about: MispAbout, key: EventKey, timestamp_s: int) -> dict[str, Any]:
    """Returns what the manifest says of an event. All numbers are texts, as MISP writes them."""
    return {
        "info": f"ctihub {about.collection}: indicators since {key.month}, part {key.part + 1} of {PARTS}",
        "Orgc": {"name": about.orgc_name, "uuid": str(about.orgc_id)},
        "analysis": "2",  # completed
        "Tag": [tag(tlp_tag(about.level))],
        "timestamp": str(timestamp_s),
        "date": f"{key.month}-01",
        "threat_level_id": "4",  # undefined
    }


def _attribute_json(event: UUID, one: MispAttribute, latest_s: int) -> dict[str, Any]:
    seen = {"first_seen": one.first_seen, "last_seen": one.last_seen}
    return {
        "uuid": str(uuid5(event, f"{one.type} {one.value}")),
        "type": one.type,
        "category": one.category,
        "value": one.value,
        "comment": one.comment,
        "to_ids": one.to_ids,
        "deleted": one.deleted,
        "disable_correlation": False,
        "timestamp": str(min(one.changed_us // _SECOND_US + one.later_s, latest_s)),
        **{name: time for name, time in seen.items() if time is not None},
        "Tag": [tag(name) for name in one.tags],
    }
