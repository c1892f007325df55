"""What an audience sees of a claim: docs/semantics.md, section 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.oracle.intake import Claim, Terms, author_of, stated_level, takes_all
from tests.oracle.words import (
    ENDS,
    PAP,
    PAPS,
    SOURCE_IS_AUTHOR,
    TLP,
    Json,
    covers,
    end_of_day,
    rank,
    start_of_day,
    strictest,
    without,
)

Audience = tuple[str, str]
"""A level and a group."""
Claims = Mapping[tuple[str, str], Claim]


@dataclass(frozen=True)
class Marked:
    """What one selector of a granular marking marks, and for whom it may be shown."""

    ref: str
    selector: str
    level: str | None
    group: str | None
    text: str | None
    """What a marking of the source's own states, "" if it is not defined; None for others."""


@dataclass(frozen=True)
class Seen:
    """What an audience sees of a claim, without granular markings; by day, if its source does not go by its name."""

    claim: Claim
    source: Terms
    obj: Json
    level: str
    restrictions: tuple[frozenset[str], ...] = ()
    """The groups that the claim is restricted to: by its own markings, and by each granular one."""
    statements: tuple[str, ...] = ()
    """The source's own markings that it carries."""
    paps: tuple[str, ...] = ()
    """The PAPs that its markings state."""
    hides: bool = False
    """Whether something of the claim is hidden."""
    is_part: bool = False
    """It is a part of observed-data."""

    @property
    def author(self) -> str:
        """See ``intake.author_of``; of what is left."""
        return author_of(self.obj)

    @property
    def is_own(self) -> bool:
        """Whether the source is the author."""
        return self.author in ("own", self.source.identity)

    @property
    def is_unnamed(self) -> bool:
        """Whether nothing may tell which source it is."""
        return not self.source.is_named and (self.is_own or self.author == "unknown")

    @property
    def rank(self) -> tuple[Any, ...]:
        """The best comes first."""
        return (-self.source.trust, _descending(self.claim.modified), self.source.identity, self.claim.id)


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text) or (1,)


@dataclass(frozen=True)
class Sight:
    """Who sees what, as things stand."""

    terms: Mapping[str, Terms]
    groups: Mapping[str, str]
    """Groups by their markings."""
    claims: Claims

    def sees(self, audience: Audience, claim: Claim) -> Seen | None:
        """What an audience sees of a claim; None if nothing."""
        source, obj = self.terms[claim.source], claim.obj
        top, group = audience
        if source.suspended or claim.id in {one.identity for one in self.terms.values()}:
            return None
        own = [ref for ref in obj.get("object_marking_refs", ()) if self._text(source, ref) is not None]
        level = self._level(source, obj, own)
        if level is None or rank(level) > min(rank(source.ceiling), rank(top)):
            return None
        named = frozenset(self.groups[ref] for ref in obj.get("object_marking_refs", ()) if ref in self.groups)
        if not any(covers(to, group) for to in named or self._recipients(source, level)):
            return None
        taking, parts = self._parts(source, obj)
        if not all(self._shows(source, one, named, audience) for one in taking):
            return None
        hidden = {one.selector for one in parts if not self._shows(source, one, named, audience)}
        left, kept = _cut(obj, hidden)
        marks = [*taking, *(one for one in parts if one.selector in kept)]
        paps = [PAP[ref] for ref in obj.get("object_marking_refs", ()) if ref in PAP]
        texts = {ref: self._text(source, ref) for ref in [*own, *(one.ref for one in marks if one.text is not None)]}
        return Seen(
            claim,
            source,
            _as_shown(left, source),
            strictest([level, *(one.level for one in marks if one.level is not None)]),
            (*([named] if named else ()), *(frozenset([one.group]) for one in marks if one.group is not None)),
            tuple(sorted(ref for ref, text in texts.items() if text is not None and not text.startswith("TLP:"))),
            (*paps, *(text[4:] for text in texts.values() if text is not None and text.startswith("PAP:"))),
            bool(hidden),
        )

    def marked_by_source(self, claim: Claim) -> bool:
        """Whether markings of the source's own decide who sees it."""
        refs = list(claim.obj.get("object_marking_refs", ()))
        return any(ref not in TLP and ref not in self.groups and ref not in PAP for ref in refs)

    def taken_along(self, claim: Claim) -> Claim:
        """The claim with only those granular markings that take the whole along."""
        taking, _ = self._parts(self.terms[claim.source], claim.obj)
        kept = [{"marking_ref": one.ref, "selectors": [one.selector]} for one in taking]
        return replace(claim, obj={**claim.obj, "granular_markings": kept})

    # ------------------------------------------------------------ the whole

    def _text(self, source: Terms, ref: str) -> str | None:
        """What a marking of the source's own states, "" if it is not defined; None for well-known markings."""
        if ref in TLP or ref in self.groups or ref in PAP:
            return None
        definition = self.claims.get((source.name, ref))
        return "" if definition is None else str(definition.obj["definition"]["statement"])

    def _level(self, source: Terms, obj: Json, own: list[str]) -> str | None:
        """The level of a claim; None if it cannot be read."""
        texts = [self._text(source, ref) or "" for ref in own]
        if any(text in ("", "TLP:MAUVE") for text in texts):
            return None
        stated = stated_level(obj)
        if stated == "unreadable":
            return None
        levels = [*([stated] if stated else ()), *(text[4:].lower() for text in texts if text.startswith("TLP:"))]
        return strictest(levels) if levels else source.default_level

    def _recipients(self, source: Terms, level: str) -> tuple[str, ...]:
        to = self.terms[source.accredited_by].amber_to if source.is_member else source.amber_to
        return {"clear": ("public",), "green": ("community",), "red": ()}.get(level, to)

    # ------------------------------------------------------------ parts

    def _parts(self, source: Terms, obj: Json) -> tuple[list[Marked], list[Marked]]:
        """The granular markings that take the whole along, and the others."""
        marked = []
        for marking in obj.get("granular_markings", ()):
            ref = marking["marking_ref"]
            text = self._text(source, ref)
            level = "amber" if text == "TLP:AMBER" else TLP.get(ref)
            marked += [Marked(ref, one, level, self.groups.get(ref), text) for one in marking["selectors"]]
        whole = {one.ref for one in marked if takes_all(one.selector, obj)}
        return [one for one in marked if one.ref in whole], [one for one in marked if one.ref not in whole]

    def _shows(self, source: Terms, one: Marked, named: frozenset[str], audience: Audience) -> bool:
        """Whether a granular marking lets an audience see what it marks."""
        top, group = audience
        if one.text in ("", "TLP:MAUVE"):
            return False
        if one.group is not None:
            return covers(one.group, group)
        if one.level is None:
            return True
        return rank(one.level) <= min(rank(top), rank(source.ceiling)) and any(
            covers(to, group) for to in named or self._recipients(source, one.level)
        )


def _cut(obj: Json, hidden: set[str]) -> tuple[Json, set[str]]:
    """The object without what is hidden and without granular markings; and the selectors of which something is left."""
    left: Json = {}
    kept: set[str] = set()
    for name, value in without(obj, "granular_markings").items():
        if name in hidden:
            continue
        if isinstance(value, list):
            there = [at for at in range(len(value)) if f"{name}.[{at}]" not in hidden]
            kept |= {f"{name}.[{at}]" for at in there}
            value = [value[at] for at in there]
        if value != []:
            left[name] = value
            kept.add(name)
    return left, kept


def _as_shown(obj: Json, source: Terms) -> Json:
    """Without the hub's own extension; of a source that does not go by its name without what would tell it."""
    obj = without(obj, "extensions")
    author = author_of(obj)
    if source.is_named or author not in ("own", "unknown", source.identity):
        return obj
    return {
        name: value if name in ("created", "modified") else _by_day(name, value)
        for name, value in without(obj, "external_references").items()
    }


def _by_day(name: str, value: Any) -> Any:
    """A time as the start of its day, or as the end where it ends something."""
    if isinstance(value, str) and len(value) == 24 and value[10] == "T" and value.endswith("Z"):
        return end_of_day(value) if name in ENDS else start_of_day(value)
    if isinstance(value, dict):
        return {inner: _by_day(inner, one) for inner, one in value.items()}
    return value


def pap_of(seen: Seen) -> str | None:
    """The strictest PAP of what is seen, by labels and markings."""
    said = [label[4:] for label in seen.obj.get("labels", ()) if label.startswith("PAP:")]
    return max([*said, *seen.paps], key=PAPS.index, default=None)


__all__ = ["SOURCE_IS_AUTHOR", "Audience", "Claims", "Seen", "Sight", "pap_of"]
