"""Who may see what, once more and independently of the hub: what decides which messages a collection may depend on.

Source: docs/semantics.md, sections 1 to 3 and INV-5. Plain and slow on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from hub.model.extensions import VIEW_EXTENSION
from hub.model.words import Level, Naming, Withdrawal
from tests.oracle.words import ALWAYS_NEEDED, NEEDED
from tests.promises.histories import (
    CENTRES,
    GROUP,
    GROUP_MARKING,
    IDENTITY,
    MEMBERS,
    PAPS,
    Batch,
    Changed,
    History,
    Pinned,
    Said,
    Set,
    Waited,
)
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
_DEFAULTS = {
    "amber_to": ("network",),
    "trust": 100,
    "naming": Naming.NAMED,
    "ceiling": Level.AMBER_STRICT,
    "default_level": Level.AMBER,
}


@dataclass(frozen=True)
class Marked:
    """What one granular marking marks, and for whom it may be shown."""

    ref: str
    selector: str
    level: Level | None
    group: str | None
    text: str | None
    """What a marking of the centre's own states, "" if it is not defined; None for others."""

    @property
    def is_readable(self) -> bool:
        return self.text not in ("", "TLP:MAUVE")

    def takes_all(self, obj: dict[str, Any]) -> bool:
        """Whether nothing is left of the object without what it marks."""
        name, _, rest = self.selector.partition(".")
        value = obj.get(name)
        if name == "object_refs" and VIEW_EXTENSION in obj.get("extensions", {}):  # it refers to what it is about
            return True
        if rest and isinstance(value, list) and len(value) > 1:
            item = value[int(rest[1:-1])]
            return name == "object_marking_refs" or (value.count(item) == 1 and _decides([item], obj))
        if name == "extensions":  # they name the thing that it is about
            return VIEW_EXTENSION in obj["extensions"]
        return name in ALWAYS_NEEDED | NEEDED[obj["type"]] or (name == "labels" and _decides(obj["labels"], obj))


def _decides(labels: list[Any], obj: dict[str, Any]) -> bool:
    """Whether one of these states a PAP, or a level that counts."""
    levels_count = not LEVEL_OF.keys() & set(obj.get("object_marking_refs", ()))
    return any(
        isinstance(one, str) and (one.startswith("PAP:") or (levels_count and one.startswith("tlp:"))) for one in labels
    )


@dataclass(frozen=True)
class Reach:
    """How far a claim may travel."""

    own: Level
    """The level of the object itself."""
    groups: tuple[str, ...]
    """The groups that the object's own markings name."""
    texts: dict[str, str]
    """What the centre's own markings of the whole state, "" for one that is not defined."""
    taking: tuple[Marked, ...]
    """Granular markings that take the whole object along."""
    parts: tuple[Marked, ...]
    """The other granular markings."""


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
    content_of: frozenset[int] = frozenset()
    """The messages before it whose content it shows, as a revocation does."""


@dataclass(frozen=True)
class Gone:
    """What was withdrawn."""

    obj: dict[str, Any]
    stands: bool
    before: str = ""
    """If a newer version was refused, its ``modified``: whatever is older stays out."""

    def keeps_out(self, new: dict[str, Any]) -> bool:
        """Whether a version does not count when it comes again."""
        if not self.stands:
            return False
        if self.before:
            return bool(new["modified"] < self.before)
        return bool(new["modified"] <= self.obj["modified"]) if "modified" in new else new == self.obj


@dataclass
class Watch:
    """One audience, watching a history."""

    collection: str
    settings: dict[str, dict[str, Any]]
    claims: dict[tuple[str, str], Standing] = field(default_factory=dict)
    gone: dict[tuple[str, str], Gone] = field(default_factory=dict)
    """What was withdrawn last, and nothing has been claimed there since."""
    ended: dict[int, int] = field(default_factory=dict)
    """Which claim's message each message put an end to."""
    seen: set[int] = field(default_factory=set)
    """The messages that were, at any time, a claim that the audience saw."""
    hidden: dict[int, set[str]] = field(default_factory=dict)
    """By message the selectors of what the audience never saw of it, of all that it saw."""

    def follow(self, history: History) -> None:
        """Go through all events."""
        number = 0
        for event in history.events:
            if isinstance(event, Waited | Set | Pinned):
                continue
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
        if one.obj is None:
            self._withdraw(one)
        elif (old is None and at in self.gone and self.gone[at].keeps_out(one.obj)) or (
            old is not None and not _replaces(old.obj, one.obj)
        ):
            return
        elif not self._is_above_ceiling(one):
            self.claims[at] = Standing(number, one.obj)
        elif one.obj.get("revoked"):  # it keeps older versions out, also where nobody is shown anything
            content_of = frozenset() if old is None else old.content_of | {old.number}
            revoked = self._revoked(one.centre, one.obj, None if old is None else old.obj)
            self.claims[at] = Standing(number, revoked, content_of)
        elif old is not None:
            del self.claims[at]
            refused = one.obj.get("modified", "")
            self.gone[at] = Gone(old.obj, stands=bool(refused), before=refused)
        if at in self.claims:
            self.gone.pop(at, None)
        if old is not None and self.claims.get(at) is not old:
            self.ended[number] = old.number

    def _withdraw(self, one: Said) -> None:
        """A withdrawal, or the end of one that stands."""
        at, stands = (one.centre, one.stix_id), one.withdrawal is Withdrawal.STANDS
        if one.withdrawal is Withdrawal.RESTORE:
            if at in self.gone:
                self.gone[at] = Gone(self.gone[at].obj, stands=False)
        elif at in self.claims:
            self.gone[at] = Gone(self.claims.pop(at).obj, stands)
        elif at in self.gone and stands and not self.gone[at].stands:
            self.gone[at] = replace(self.gone[at], stands=True)

    def _revoked(self, centre: str, obj: dict[str, Any], stood: dict[str, Any] | None) -> dict[str, Any]:
        """What a revocation above the ceiling claims: what stood, as strictly marked as both; else what nobody sees."""
        hidden = obj | {"object_marking_refs": [TLP["red"]]}
        own = {ref for ref in markings_of(obj)[0] if ref not in LEVEL_OF}
        parts = obj.get("granular_markings")
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
                self.seen.update((claim.number, *claim.content_of))
                now = self.hidden_in(centre, claim.obj, *AUDIENCES[self.collection])
                self.hidden[claim.number] = now & self.hidden.get(claim.number, now)
                for ref in chain(*markings_of(claim.obj)):
                    definition = self.claims.get((centre, ref))
                    if definition is not None:
                        self.seen.add(definition.number)

    # ------------------------------------------------------------ rules

    def setting(self, centre: str, name: str) -> Any:
        if centre in MEMBERS and name == "amber_to":
            centre = CENTRES[0]  # which has accredited them
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
        except ValueError:
            return False
        level: Level = self.setting(one.centre, "default_level") if stated is None else stated
        return bool(level > self.setting(one.centre, "ceiling"))

    def reach(self, centre: str, obj: dict[str, Any]) -> Reach:
        """How far a claim may travel, as things stand. Raises ValueError for a label that states no level."""
        level = self._stated(obj)
        own = markings_of(obj)[0]
        texts = {ref: text for ref in own if (text := self._text(centre, ref)) is not None}
        if "TLP:AMBER" in texts.values():
            level = Level.AMBER if level is None else max(level, Level.AMBER)
        level = self.setting(centre, "default_level") if level is None else level
        groups = tuple(GROUP_OF[ref] for ref in own if ref in GROUP_OF)
        marked = [
            Marked(
                m["marking_ref"], selector, LEVEL_OF.get(m["marking_ref"]), GROUP_OF.get(m["marking_ref"]),
                self._text(centre, m["marking_ref"]),
            )
            for m in obj.get("granular_markings", ())
            for selector in m["selectors"]
        ]  # fmt: skip
        amber = [replace(m, level=Level.AMBER) if m.text == "TLP:AMBER" else m for m in marked]
        whole = {m.ref for m in amber if m.takes_all(obj)}
        taking, parts = ([m for m in amber if (m.ref in whole) is takes] for takes in (True, False))
        return Reach(level, groups, texts, tuple(taking), tuple(parts))

    def seen_of(self, centre: str, obj: dict[str, Any], top: Level, group: str) -> dict[str, Any]:
        """What somebody who sees a claim sees of it."""
        found = cut(Said(centre, obj["id"], obj), self.hidden_in(centre, obj, top, group)).obj or {}
        return {name: value for name, value in found.items() if name != "granular_markings"}

    def _text(self, centre: str, ref: str) -> str | None:
        if ref in LEVEL_OF or ref in GROUP_OF or ref in PAPS:
            return None
        definition = self.claims.get((centre, ref))
        return "" if definition is None else str(definition.obj["definition"]["statement"])

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
        if found.own > self.setting(centre, "ceiling") or found.own > top:
            return False
        return any(covers(to, group) for to in found.groups or self._recipients(centre, found.own)) and all(
            self.may_see_part(centre, found, one, top, group) for one in found.taking
        )

    def may_see_part(self, centre: str, found: Reach, one: Marked, top: Level, group: str) -> bool:
        """Whether a granular marking lets whoever reads up to a level, in a group, see what it marks."""
        if not one.is_readable:
            return False
        if one.group is not None:
            return covers(one.group, group)
        if one.level is None:
            return True
        return (
            one.level <= min(top, self.setting(centre, "ceiling"))
            and any(covers(to, group) for to in found.groups or self._recipients(centre, one.level))
        )  # fmt: skip

    def hidden_in(self, centre: str, obj: dict[str, Any], top: Level, group: str) -> set[str]:
        """The selectors of what is hidden in a claim from somebody who sees it."""
        found = self.reach(centre, obj)
        return {one.selector for one in found.parts if not self.may_see_part(centre, found, one, top, group)}

    def marked_for(
        self, centre: str, obj: dict[str, Any], top: Level, group: str
    ) -> tuple[Level, set[frozenset[str]], dict[str, str]]:
        """The level, the groups and the statements of what somebody sees of a claim."""
        found = self.reach(centre, obj)
        left = cut(Said(centre, obj["id"], obj), self.hidden_in(centre, obj, top, group)).obj or {}
        refs = {m["marking_ref"] for m in left.get("granular_markings", ())}
        marked = [*found.taking, *(one for one in found.parts if one.ref in refs)]
        level = max([found.own, *(one.level for one in marked if one.level is not None)])
        groups = {frozenset(found.groups)} if found.groups else set()
        groups |= {frozenset([one.group]) for one in marked if one.group is not None}
        texts = found.texts | {one.ref: one.text for one in marked if one.text is not None}
        return level, groups, {ref: text for ref, text in texts.items() if not text.startswith("TLP:")}

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
    audience saw; and, as a soft withdrawal, those that ended one.
    """
    watch = Watch(collection, {name: dict(fields) for name, fields in history.settings.items()})
    watch.follow(history)
    kept: list[list[Said]] = []
    number = 0
    for event in history.events:
        kept.append([])
        for one in event.said if isinstance(event, Batch) else ():
            if number in watch.seen:
                kept[-1].append(cut(one, watch.hidden[number]) if number in watch.hidden else one)
            elif watch.ended.get(number) in watch.seen:
                kept[-1].append(replace(one, obj=None, by_hub_id=None, withdrawal=Withdrawal.SOFT))
            number += 1
    return kept


def cut(one: Said, hidden: set[str]) -> Said:
    """A message without what these selectors of its granular markings select, and without the selectors."""
    if one.obj is None or not hidden:
        return one
    names = {selector for selector in hidden if "." not in selector}
    items = {(name, int(rest[1:-1])) for name, _, rest in (s.partition(".") for s in hidden - names)}
    left: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, value in one.obj.items():
        if name == "granular_markings" or name in names:
            continue
        if isinstance(value, list):
            kept = [index for index in range(len(value)) if (name, index) not in items]
            places |= {f"{name}.[{index}]": f"{name}.[{place}]" for place, index in enumerate(kept)}
            value = [value[index] for index in kept]
        if value != []:
            left[name] = value
            places[name] = name
    markings = []
    for marking in one.obj["granular_markings"]:
        selectors = [places[selector] for selector in marking["selectors"] if selector in places]
        if selectors:
            markings.append({**marking, "selectors": selectors})
    by_hub_id = one.by_hub_id
    if by_hub_id is not None and (by_hub_id[0] not in left or (by_hub_id[0], 0) in items):
        by_hub_id = None
    return replace(one, obj=left | ({"granular_markings": markings} if markings else {}), by_hub_id=by_hub_id)
