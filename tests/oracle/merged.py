"""What several claims about one thing become together: docs/semantics.md, sections 5 and 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Any

from tests.oracle.intake import Terms
from tests.oracle.sight import Seen, pap_of
from tests.oracle.words import (
    HUBS_WORD,
    ID_OF,
    LEVELS,
    Json,
    as_text,
    covers,
    days,
    end_of_day,
    moment,
    rank,
    strictest,
    without,
    written,
)


@dataclass(frozen=True)
class Observable:
    """What a pattern asserts alone."""

    kind: str
    value: str

    @property
    def prefix(self) -> int:
        """The length of the prefix of a network."""
        return int(self.value.partition("/")[2] or 32)


@dataclass(frozen=True)
class Ageing:
    """What the operator has decided about the age of indicators, in days and shares; and the hub's date."""

    today: datetime
    grace: int | None = 30
    default: int | None = None
    longest: int | None = None
    steps: tuple[tuple[int, int], ...] = ()
    """From which age on the confidence counts for how many per cent."""

    def end(self, seen: Seen) -> datetime | None:
        """When a claim ends."""
        said = seen.obj.get("valid_until")
        end = None if said is None else moment(said)
        begins = max(moment(seen.claim.modified), moment(seen.obj["valid_from"]))
        if end is None and self.default is not None:
            end = begins + days(self.default)
        if self.longest is not None:
            end = min(begins + days(self.longest), end or datetime.max.replace(tzinfo=begins.tzinfo))
        if end is not None and seen.is_unnamed:
            end = moment(end_of_day(written(end)))
        return end

    def has_expired(self, seen: Seen) -> bool:
        """Whether a claim ended longer ago than the grace."""
        end = self.end(seen)
        return end is not None and self.grace is not None and self.today > end + days(self.grace)

    def share(self, seen: Seen) -> Fraction:
        """For how much of its confidence a claim counts at its age: only patterns have kinds."""
        if seen.obj["type"] != "indicator":
            return Fraction(1)
        modified = seen.claim.modified
        since = moment(end_of_day(modified) if seen.is_unnamed else modified)
        reached = [Fraction(share, 100) for age, share in self.steps if self.today - since >= days(age)]
        return min(reached, default=Fraction(1))


@dataclass(frozen=True)
class Merger:
    """What a hub knows beside the claims."""

    hub: str
    """Its identity."""
    terms: Mapping[str, Terms]
    marking_of: Mapping[str, str]
    """The markings of groups."""
    ageing: Ageing
    observables: Mapping[str, Observable] = field(default_factory=dict)
    """By canonical pattern."""

    # ------------------------------------------------------------ kinds of views

    def indicator(self, live: Sequence[Seen], revoked: Sequence[Seen], sightings: int, false_positives: int) -> Json:
        """The view of an indicator; ``live``: not revoked and not expired, with the references that are shown."""
        ranked = sorted(live, key=lambda one: one.rank)
        best = ranked[0].obj
        about = self.observables[best["pattern"]]
        found = _text(ranked, "name") or {"name": f"{about.kind} {about.value}"}
        found |= _described(ranked, found)
        ends = [self.ageing.end(one) for one in ranked]
        if None not in ends:
            found["valid_until"] = written(max(end for end in ends if end is not None))
        observable: Json = {"type": about.kind, "path": "value", "value": about.value}
        if about.prefix < min(one.source.widest_blocked for one in ranked):
            observable["wide"] = True
        return self._merged(
            ranked,
            revoked,
            {
                **found,
                "pattern": best["pattern"],
                "pattern_type": "stix",
                "valid_from": min(one.obj["valid_from"] for one in ranked),
                "indicator_types": _union(ranked, "indicator_types"),
                "kill_chain_phases": _union(ranked, "kill_chain_phases"),
            },
            {
                "observables": [observable],
                "sightings": in_steps(sightings),
                "false_positives": in_steps(false_positives),
            },
        )

    def relationship(self, live: Sequence[Seen], revoked: Sequence[Seen]) -> Json:
        """The view of a relationship between things that merge; ``live``: as above."""
        ranked = sorted(live, key=lambda one: one.rank)
        best = ranked[0].obj
        found = _described(ranked, {})
        found |= {name: best[name] for name in ("relationship_type", "source_ref", "target_ref")}
        starts = [one.obj["start_time"] for one in ranked if "start_time" in one.obj]
        stops = [one.obj["stop_time"] for one in ranked if "stop_time" in one.obj]
        if starts:
            found["start_time"] = min(starts)
        if len(stops) == len(ranked) and (not starts or max(stops) > min(starts)):
            found["stop_time"] = max(stops)
        return self._merged(ranked, revoked, found, {})

    def observable(self, live: Sequence[Seen]) -> Json:
        """The view of an observable; ``live``: as above."""
        ranked = sorted(live, key=lambda one: one.rank)
        found: Json = {}
        for one in ranked:
            for name, value in one.obj.items():
                if name not in found and not _clashes(found, name, value):
                    found[name] = value
        found |= {"labels": self._labels(ranked), "external_references": _union(ranked, "external_references")}
        return _filled({**found, "object_marking_refs": self.markings(ranked)})

    def owners(self, one: Seen, obj: Json) -> Json:
        """The view of an owner's object; ``obj``: with the references that are shown."""
        found = {**obj, "object_marking_refs": self.markings([one])}
        if one.paps:
            kept = [label for label in obj.get("labels", ()) if not label.startswith("PAP:")]
            found["labels"] = [*kept, f"PAP:{pap_of(one)}"]
        return found

    # ------------------------------------------------------------ rules of several kinds

    def _merged(self, ranked: Sequence[Seen], revoked: Sequence[Seen], found: Json, more: Json) -> Json:
        for one in ranked:
            for name, value in without(one.obj, "created", "modified", *_MERGED).items():
                found.setdefault(name, value)
        by_voice = self.voices(ranked)
        groups = view_groups(ranked)
        level = strictest([one.level for one in ranked])
        free = [one.level for one in ranked if not one.restrictions] or [one.level for one in ranked]
        said = {
            "extension_type": "property-extension",
            "sources": _sources(ranked),
            "voices": len(by_voice),
            "floor": min(free, key=rank),
            "revoked_by": sum(no_stricter(one, level, groups) for one in revoked),
            **more,
        }
        return _filled(
            {
                **found,
                "created_by_ref": self.hub,
                "confidence": self._confidence(by_voice),
                "labels": self._labels(ranked),
                "external_references": _union(ranked, "external_references"),
                "object_marking_refs": self.markings(ranked),
                "extensions": {HUBS_WORD: {name: value for name, value in said.items() if value}},
            }
        )

    def voices(self, seen: Sequence[Seen]) -> dict[str, list[Seen]]:
        """Claims by voice: a centre's own; a third party's that several relay; what one alone relays is its own."""
        relays: dict[str, set[str]] = {}
        for one in seen:
            relays.setdefault(one.author, set()).add(one.source.name)
        found: dict[str, list[Seen]] = {}
        for one in seen:
            alone = one.is_own or one.author == "unknown" or len(relays[one.author]) == 1
            found.setdefault(one.source.name if alone else one.author, []).append(one)
        return found

    def _confidence(self, by_voice: Mapping[str, Sequence[Seen]]) -> int | None:
        if not any("confidence" in one.obj for claims in by_voice.values() for one in claims):
            return None
        doubt = Fraction(1)
        for claims in by_voice.values():
            doubt *= 1 - max(
                Fraction(one.source.trust * one.obj.get("confidence", 50), 10_000) * self.ageing.share(one)
                for one in claims
            )
        return floor(100 - 100 * doubt)

    def markings(self, seen: Sequence[Seen]) -> list[str]:
        """The level, the groups and the statements of a view."""
        groups = sorted(self.marking_of[group] for group in view_groups(seen))
        statements = sorted({shown_marking(ref, one.source) for one in seen for ref in one.statements})
        return [ID_OF[strictest([one.level for one in seen])], *groups, *statements]

    def _labels(self, seen: Sequence[Seen]) -> list[str]:
        labels = {label for one in seen for label in one.obj.get("labels", ()) if label[:4] not in ("tlp:", "PAP:")}
        paps = [pap for one in seen if (pap := pap_of(one)) is not None]
        strict = [pap for pap in ("RED", "AMBER", "GREEN", "CLEAR") if pap in paps][:1]
        return sorted([*labels, *(f"PAP:{pap}" for pap in strict)])


_MERGED = {
    "name", "description", "lang", "granular_markings", "object_marking_refs", "labels", "external_references",
    "confidence", "created_by_ref", "revoked", "id", "start_time", "stop_time", "valid_until",
}  # fmt: skip


def shown_marking(ref: str, source: Terms) -> str:
    """What a marking of a source's own is called where it is shown: of an unnamed one by an id that the hub makes."""
    return ref if source.is_named else f"{ref}/{source.no}"


def view_groups(seen: Iterable[Seen]) -> list[str]:
    """The groups of a view: named by a restricted claim, covered by all of them, and by no other of these."""
    restrictions = [groups for one in seen for groups in one.restrictions]
    named = {group for groups in restrictions for group in groups}
    shared = [one for one in named if all(any(covers(to, one) for to in groups) for groups in restrictions)]
    return sorted(one for one in shared if not any(other != one and covers(other, one) for other in shared))


def no_stricter(one: Seen, level: str, groups: Sequence[str]) -> bool:
    """Whether whoever may share a view of this level and these groups may share that this claim exists."""
    if rank(one.level) > rank(level):
        return False
    if not groups:
        return not one.restrictions
    return all(any(covers(to, group) for to in some) for some in one.restrictions for group in groups)


def in_steps(number: int) -> int:
    """The greatest of 1, 2, 5, 10, 20, 50 … that is not greater."""
    return max((step for ten in (1, 10, 100, 1000) for step in (ten, 2 * ten, 5 * ten) if step <= number), default=0)


def _text(ranked: Sequence[Seen], name: str) -> Json:
    """A text of the best-ranked that has it, with that one's description and language."""
    first = next((one.obj for one in ranked if name in one.obj), None)
    return {} if first is None else {key: first[key] for key in (name, "description", "lang") if key in first}


def _described(ranked: Sequence[Seen], found: Json) -> Json:
    """A missing description is that of the best-ranked that has one; its language counts where there is no name."""
    if "description" in found:
        return {}
    other = _text(ranked, "description")
    named = any("name" in one.obj for one in ranked) and bool(found)
    return without(other, "lang") if named else other


def _union(ranked: Sequence[Seen], name: str) -> list[Any]:
    values = {as_text(value): value for one in ranked for value in one.obj.get(name, ())}
    return [values[text] for text in sorted(values)]


def _sources(ranked: Sequence[Seen]) -> list[Json]:
    found = []
    for name in {one.source.name for one in ranked}:
        claims = [one for one in ranked if one.source.name == name]
        source = claims[0].source
        first, last = min(one.obj["created"] for one in claims), max(one.obj["modified"] for one in claims)
        shown = {"named": source.name, "alias": source.alias, "anonymous": "anonymous"}[source.naming]
        length = None if source.is_named else 10
        found.append({"name": shown, "first": first[:length], "last": last[:length]})
    return sorted(found, key=lambda one: (one["name"], one["first"], one["last"]))


def _clashes(found: Json, name: str, value: Any) -> bool:
    """Whether STIX forbids a property beside those of better-ranked claims (STIX 2.1, section 6.12)."""
    both = {**found, name: value}
    ends = "end" in both and name in ("start", "end", "is_active")
    return ends and (both.get("is_active") is True or both.get("start", "") > both["end"])


def _filled(obj: Json) -> Json:
    """Without empty lists and what is absent."""
    return {name: value for name, value in obj.items() if value is not None and value != []}


__all__ = ["LEVELS", "Ageing", "Merger", "Observable", "in_steps", "no_stricter", "shown_marking", "view_groups"]
