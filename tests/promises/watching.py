"""Who may see what, once more and independently of the hub: what decides which messages a collection may depend on.

Source: docs/semantics.md, sections 1 to 3 and INV-5. Plain and slow on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
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
GROUP_OF = {marking: name for name, marking in GROUP_MARKING.items()}
_DEFAULTS = {"trust": 100, "naming": Naming.NAMED, "ceiling": Level.AMBER_STRICT, "default_level": Level.AMBER}


@dataclass(frozen=True)
class Reach:
    """How far a claim may travel."""

    own: Level
    """The level of the object itself."""
    level: Level
    """The strictest in it."""
    groups: tuple[str, ...]
    """The groups that the object's own markings name."""
    granular_groups: tuple[str, ...]
    texts: dict[str, str]
    """What the centre's own markings state, "" for one that is not defined."""

    @property
    def restrictions(self) -> list[tuple[str, ...]]:
        """Sets of groups, of each of which one must cover who sees it."""
        return [*([self.groups] if self.groups else []), *((group,) for group in self.granular_groups)]


def covers(to: str, group: str) -> bool:
    """Whether a group's marking addresses everyone in another group."""
    return {"public": True, "community": group != "public"}.get(to, to == group)


def markings_of(obj: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The markings of the whole object, and of its parts."""
    return list(obj.get("object_marking_refs", ())), [m["marking_ref"] for m in obj.get("granular_markings", ())]


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
        if one.obj is not None and old is not None and not _replaces(old.obj, one.obj):
            return
        if one.obj is None:
            self.claims.pop(at, None)
        elif not self._is_above_ceiling(one):
            self.claims[at] = Standing(number, one.obj)
        elif one.obj.get("revoked"):  # it keeps older versions out, also where nobody is shown anything
            self.claims[at] = Standing(number, self._revoked(one.centre, one.obj, None if old is None else old.obj))
        else:
            self.claims.pop(at, None)
        if old is not None:
            self.ended[number] = old.number

    def _revoked(self, centre: str, obj: dict[str, Any], stood: dict[str, Any] | None) -> dict[str, Any]:
        """What a revocation above the ceiling claims: what stood, as strictly marked as both; else what nobody sees."""
        hidden = obj | {"object_marking_refs": [TLP["red"]]}
        own, parts = ({ref for ref in refs if ref not in LEVEL_OF} for refs in markings_of(obj))
        if stood is None or parts or (own and own != set(markings_of(stood)[0]) - LEVEL_OF.keys()):
            return hidden
        try:
            level, before = self._stated(obj), self._stated(stood)
        except ValueError:
            return hidden
        found = stood | {"revoked": True, "modified": obj["modified"]}
        if level is not None and level > (self.setting(centre, "default_level") if before is None else before):
            kept = [ref for ref in markings_of(stood)[0] if ref not in LEVEL_OF]
            found["object_marking_refs"] = [TLP[level.label], *kept]
        return found

    def look(self) -> None:
        """Note what is seen now."""
        for (centre, _), claim in self.claims.items():
            if claim.obj["type"] != "marking-definition" and self.sees(centre, claim.obj):
                self.seen.add(claim.number)
                for ref in chain(*markings_of(claim.obj)):
                    definition = self.claims.get((centre, ref))
                    if definition is not None:
                        self.seen.add(definition.number)

    # ------------------------------------------------------------ rules

    def setting(self, centre: str, name: str) -> Any:
        return self.settings[centre].get(name, _DEFAULTS.get(name))

    def _stated(self, obj: dict[str, Any]) -> Level | None:
        """The level that an object states of itself. Raises ValueError for a label that states none."""
        levels = [LEVEL_OF[ref] for ref in markings_of(obj)[0] if ref in LEVEL_OF]
        if not levels:
            levels = [Level.of(label[4:]) for label in obj.get("labels", ()) if label.startswith("tlp:")]
        return max(levels, default=None)

    def _is_above_ceiling(self, one: Said) -> bool:
        if one.obj is None or one.obj["type"] == "marking-definition":
            return False
        try:
            stated = self._stated(one.obj)
            levels = [self.setting(one.centre, "default_level") if stated is None else stated]
        except ValueError:
            levels = []
        levels += [LEVEL_OF[ref] for ref in markings_of(one.obj)[1] if ref in LEVEL_OF]
        return any(level > self.setting(one.centre, "ceiling") for level in levels)

    def reach(self, centre: str, obj: dict[str, Any]) -> Reach:
        """How far a claim may travel, as things stand. Raises ValueError for a label that states no level."""
        level = self._stated(obj)
        own, parts = markings_of(obj)
        texts = {}
        for ref in (*own, *parts):
            if ref not in LEVEL_OF and ref not in GROUP_OF:
                definition = self.claims.get((centre, ref))
                texts[ref] = "" if definition is None else definition.obj["definition"]["statement"]
        if any(texts.get(ref) == "TLP:AMBER" for ref in own):
            level = Level.AMBER if level is None else max(level, Level.AMBER)
        level = self.setting(centre, "default_level") if level is None else level
        of_parts = [LEVEL_OF[ref] for ref in parts if ref in LEVEL_OF]
        of_parts += [Level.AMBER for ref in parts if texts.get(ref) == "TLP:AMBER"]
        groups, granular = (tuple(GROUP_OF[ref] for ref in refs if ref in GROUP_OF) for refs in (own, parts))
        return Reach(level, max([level, *of_parts]), groups, granular, texts)

    def sees(self, centre: str, obj: dict[str, Any]) -> bool:
        """Whether the audience sees a claim as things stand."""
        return self.may_see(centre, obj, *AUDIENCES[self.collection])

    def may_see(self, centre: str, obj: dict[str, Any], top: Level, group: str) -> bool:
        """Whether whoever reads up to a level, in a group, sees a claim as things stand."""
        if self.setting(centre, "suspended") or obj["id"] in IDENTITY.values():
            return False
        try:
            found = self.reach(centre, obj)
        except ValueError:
            return False
        if {"", "TLP:MAUVE"} & set(found.texts.values()):
            return False
        if found.level > self.setting(centre, "ceiling") or found.level > top:
            return False
        return (
            any(covers(to, group) for to in found.groups or self._recipients(centre, found.own))
            and any(covers(to, group) for to in found.groups or self._recipients(centre, found.level))
            and all(covers(to, group) for to in found.granular_groups)
        )

    def _recipients(self, centre: str, level: Level) -> tuple[str, ...]:
        amber: tuple[str, ...] = self.setting(centre, "amber_to")
        return {
            Level.CLEAR: ("public",), Level.GREEN: ("community",), Level.AMBER: amber, Level.AMBER_STRICT: amber,
            Level.RED: (),
        }[level]  # fmt: skip


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
