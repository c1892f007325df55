"""A MISP that pulls feeds: what its code asks, compares and keeps, and PyMISP as the reader of what it gets.

Source: MISP 2.5, app/Model/Feed.php (getNewEventUuids, downloadFromFeed) and app/Model/MispAttribute.php
(editAttribute, captureAttribute, valueIsUnique), 832ba616; PyMISP 2.5, MISPEvent.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pymisp import MISPEvent

from tests.doors.hubs import Hub


@contextmanager
def no_warning() -> Iterator[None]:
    """PyMISP says nothing in this block."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("pymisp")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        logger.removeHandler(handler)
    assert said == []


@dataclass
class FeedOfMisp:
    """A feed of MISP, with the events that it has stored."""

    hub: Hub
    who: str | None = "soc"
    collection: str = "community"
    events: dict[str, int] = field(default_factory=dict)
    """The timestamp of each stored event."""
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The stored attributes, by UUID, each with its event as ``event``."""
    refused: list[str] = field(default_factory=list)
    """What it writes to its log."""
    fetched: list[str] = field(default_factory=list)

    async def file(self, name: str, **headers: str) -> Any:
        """A file of the feed, as it is asked for."""
        asked = {"accept": "application/json, text/plain, text/*", "user-agent": "MISP 2.5.0", **headers}
        return await self.hub.get(f"/v1/collections/{self.collection}/misp/{name}", self.who, headers=asked)

    async def json(self, name: str) -> Any:
        """A JSON file of the feed."""
        answer = await self.file(name)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def pull(self) -> None:
        """``getNewEventUuids`` and ``downloadFromFeed``: events that are new, or newer in the manifest."""
        manifest = await self.json("manifest.json")
        newer = [uuid for uuid, said in manifest.items() if self.events.get(uuid, -1) < int(said["timestamp"])]
        self.fetched = newer
        for uuid in newer:
            event = (await self.json(f"{uuid}.json"))["Event"]
            assert event["uuid"] == uuid
            self.events[uuid] = int(event["timestamp"])
            for attribute in event["Attribute"]:
                self._take(uuid, attribute)

    def _take(self, event: str, said: dict[str, Any]) -> None:
        known = self.attributes.get(said["uuid"])
        if known is not None and known["event"] != event:
            self.refused.append(f"duplicate UUID {said['uuid']}")
        elif known is not None and int(said["timestamp"]) <= int(known["timestamp"]):
            return
        elif not said["deleted"] and self._has_similar(event, said):
            self.refused.append(f"similar attribute {said['value']}")
        else:
            self.attributes[said["uuid"]] = {**said, "event": event}

    def _has_similar(self, event: str, said: dict[str, Any]) -> bool:
        place = (event, said["type"], said["category"], said["value"])
        return any(
            (one["event"], one["type"], one["category"], one["value"]) == place and not one["deleted"]
            for uuid, one in self.attributes.items()
            if uuid != said["uuid"]
        )

    def values(self, *, to_ids: bool | None = None) -> list[str]:
        """The values that it has, without those that are deleted there."""
        shown = [one for one in self.attributes.values() if not one["deleted"]]
        return sorted(one["value"] for one in shown if to_ids is None or one["to_ids"] == to_ids)

    def tags(self, value: str) -> list[str]:
        """The tags of a value."""
        [found] = [one for one in self.attributes.values() if one["value"] == value]
        return [tag["name"] for tag in found["Tag"]]


def is_read_by_pymisp(event: dict[str, Any], said: dict[str, Any]) -> list[str]:
    """Load an event, write it as a feed again, and compare; returns the lines that PyMISP writes into hashes.csv."""
    with no_warning():
        read = MISPEvent()
        read.load(deepcopy(event))
        again = read.to_feed(with_meta=True)["Event"]
    hashes, manifest = again.pop("_hashes"), again.pop("_manifest")
    assert _plain(manifest[event["Event"]["uuid"]]) == _plain(said)
    assert _plain(again) == _plain(event["Event"])
    values = [one["value"] for one in event["Event"]["Attribute"]]
    assert hashes == [hashlib.md5(value.encode(), usedforsecurity=False).hexdigest() for value in values]
    live = [one for one in read.attributes if not one.deleted]
    return [f"{digest},{read.uuid}" for one in live for digest in one.hash_values("md5")]


def _plain(said: Any) -> Any:
    """Without what PyMISP adds, with all numbers as texts and all times in its form."""
    if isinstance(said, dict):
        added = {"local", "relationship_type"}
        return {
            name: _time(one) if name.endswith("_seen") else _plain(one)
            for name, one in said.items()
            if name not in added
        }
    if isinstance(said, list):
        return [_plain(one) for one in said]
    return str(said) if isinstance(said, int) and not isinstance(said, bool) else said


def _time(said: str) -> str:
    return said.replace(".000", "").replace("Z", "+00:00")
