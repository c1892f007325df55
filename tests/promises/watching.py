"""Who may see what, once more and independently of the hub: what decides which messages a collection may depend on.

Source: docs/semantics.md, sections 1 to 3 and INV-5. Plain and slow on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hub.model.words import Level, Naming
from tests.promises.histories import GROUP, GROUP_MARKING, IDENTITY, Batch, Changed, History, Said
from tests.story import TLP

LEVEL_OF = {marking: Level.of(label) for label, marking in TLP.items()}
AUDIENCES = {
    "public": (Level.CLEAR, "public"),
    "community": (Level.GREEN, "community"),
    "network": (Level.AMBER_STRICT, "network"),
    GROUP: (Level.AMBER_STRICT, GROUP),
    "sure": (Level.GREEN, "community"),
    "red": (Level.RED, GROUP),
}
_DEFAULTS = {"trust": 100, "naming": Naming.NAMED, "ceiling": Level.AMBER_STRICT, "default_level": Level.AMBER}


@dataclass
class Standing:
    """A claim, and which message made it."""

    number: int
    obj: dict[str, Any]


@dataclass
class Watch:
    """One audience, watching a history."""

    collection: str
    settings: dict[str, dict[str, Any]]
    claims: dict[tuple[str, str], Standing] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    """Which claim's message each message put an end to."""
    seen: set[int] = field(default_factory=set)
    """The messages that were, at any time, a claim that the audience saw."""

    def follow(self, history: History) -> None:
        """Go through all events."""
        number = 0
        for event in history.events:
            if isinstance(event, Changed):
                self.settings = {**self.settings, event.centre: {**self.settings[event.centre], **dict(event.fields)}}
                self.look()
                continue
            for one in event.said:
                self.hear(number, one)
                self.look()
                number += 1

    def hear(self, number: int, one: Said) -> None:
        """One message."""
        at = (one.centre, one.stix_id)
        old = self.claims.get(at)
        if one.obj is None or self._is_above_ceiling(one):
            self.claims.pop(at, None)
        elif old is None or _replaces(old.obj, one.obj):
            self.claims[at] = Standing(number, one.obj)
        else:
            return
        if old is not None:
            self.ended[number] = old.number

    def look(self) -> None:
        """Note what is seen now."""
        for (centre, _), claim in self.claims.items():
            if claim.obj["type"] != "marking-definition" and self.sees(centre, claim.obj):
                self.seen.add(claim.number)
                for ref in claim.obj.get("object_marking_refs", ()):
                    definition = self.claims.get((centre, ref))
                    if definition is not None:
                        self.seen.add(definition.number)

    # ------------------------------------------------------------ rules

    def setting(self, centre: str, name: str) -> Any:
        return self.settings[centre].get(name, _DEFAULTS.get(name))

    def _stated(self, obj: dict[str, Any]) -> Level | None:
        levels = [LEVEL_OF[ref] for ref in obj.get("object_marking_refs", ()) if ref in LEVEL_OF]
        if not levels:
            levels = [Level.of(label) for label in obj.get("labels", ()) if label.startswith("tlp:")]
        return max(levels, default=None)

    def _is_above_ceiling(self, one: Said) -> bool:
        if one.obj is None or one.obj["type"] == "marking-definition":
            return False
        stated = self._stated(one.obj)
        level = self.setting(one.centre, "default_level") if stated is None else stated
        return bool(level > self.setting(one.centre, "ceiling"))

    def reach(self, centre: str, obj: dict[str, Any]) -> tuple[Level, bool, dict[str, str]]:
        """The level of a claim, whether it is for the group alone, and the texts of its centre's own markings ("" for
        one that is not defined).
        """
        level = self._stated(obj)
        texts = {}
        for ref in obj.get("object_marking_refs", ()):
            if ref not in LEVEL_OF and ref != GROUP_MARKING:
                definition = self.claims.get((centre, ref))
                texts[ref] = "" if definition is None else definition.obj["definition"]["statement"]
        for text in texts.values():
            if text == "TLP:AMBER":
                level = Level.AMBER if level is None else max(level, Level.AMBER)
        grouped = GROUP_MARKING in obj.get("object_marking_refs", ())
        return self.setting(centre, "default_level") if level is None else level, grouped, texts

    def sees(self, centre: str, obj: dict[str, Any]) -> bool:
        """Whether the audience sees a claim as things stand."""
        if self.setting(centre, "suspended") or obj["id"] in IDENTITY.values():
            return False
        level, grouped, texts = self.reach(centre, obj)
        top, group = AUDIENCES[self.collection]
        if {"", "TLP:MAUVE"} & set(texts.values()) or level > self.setting(centre, "ceiling") or level > top:
            return False
        if grouped:
            return group == GROUP
        return {
            Level.CLEAR: True,
            Level.GREEN: group != "public",
            Level.AMBER: group in self.setting(centre, "amber_to"),
            Level.AMBER_STRICT: group in self.setting(centre, "amber_to"),
            Level.RED: False,
        }[level]


def _replaces(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if "modified" in new and new["modified"] != old["modified"]:
        return bool(new["modified"] > old["modified"])
    return new != old


def as_seen_by(collection: str, history: History) -> list[list[Said]]:
    """For each event the messages that a collection may depend on: those that were at any time a claim that its
    audience saw; and, as a withdrawal, those that ended one.
    """
    watch = Watch(collection, {name: dict(fields) for name, fields in history.settings.items()})
    watch.follow(history)
    kept: list[list[Said]] = []
    number = 0
    for event in history.events:
        kept.append([])
        for one in event.said if isinstance(event, Batch) else ():
            if number in watch.seen:
                kept[-1].append(one)
            elif watch.ended.get(number) in watch.seen:
                kept[-1].append(replace(one, obj=None, by_hub_id=None))
            number += 1
    return kept
