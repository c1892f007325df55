"""What a collection holds after a history: docs/semantics.md, section 6.

Existence is the least solution: nothing is there at first; whatever can be shown with what is there is added, until
nothing more can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.oracle.choice import chosen
from tests.oracle.intake import Terms
from tests.oracle.merged import Merger, no_stricter, shown_marking, view_groups
from tests.oracle.sight import Audience, Seen, Sight
from tests.oracle.words import (
    HUBS_WORD,
    MERGING,
    OBSERVABLES,
    OF_MEMBERS,
    TLP,
    TLP_EXTENSION,
    Json,
    key,
    object_key,
    observable_id,
    references,
    strictest,
    type_of,
    with_references,
    without,
)


@dataclass(frozen=True)
class Collection:
    """A collection, as far as the histories have them."""

    name: str
    audience: Audience
    types: frozenset[str] = frozenset()
    min_confidence: int = 0

    def refuses(self, obj: Json) -> bool:
        """Whether its filter excludes a view."""
        if self.types and obj["type"] not in self.types:
            return True
        return bool(obj["type"] == "indicator" and obj.get("confidence", 0) < self.min_confidence)


@dataclass(frozen=True)
class Shelf:
    """One collection and all that its audience sees."""

    collection: Collection
    merger: Merger
    sight: Sight
    pins: Mapping[str, str]
    seen: list[Seen] = field(default_factory=list)

    @classmethod
    def of(cls, collection: Collection, merger: Merger, sight: Sight, pins: Mapping[str, str]) -> Shelf:
        """Look at all claims."""
        found: list[Seen] = []
        for claim in sight.claims.values():
            one = sight.sees(collection.audience, claim) if claim.type != "marking-definition" else None
            if one is not None:
                found += [_whole(one), *_parts(one, sight, collection.audience)]
        return cls(collection, merger, sight, pins, found)

    def content(self) -> dict[str, Json]:
        """By key what is shown: ids and references read as the keys of what they stand for; with the times of owners
        that are shown as they are.
        """
        things: dict[str, list[Seen]] = {}
        for one in self.seen:
            thing = self.thing(one)
            if thing is not None:
                things.setdefault(thing, []).append(one)
        found: dict[str, Json] = {}
        while True:
            new = {thing: obj for thing, some in things.items() if (obj := self._view(thing, some, found)) is not None}
            if new == found:
                return self._with_what_goes_along(found, things)
            found = new

    # ------------------------------------------------------------ what ids mean

    @property
    def known(self) -> dict[str, Json]:
        """What the hub itself defines, by id."""
        return known_objects(self.merger)

    def thing(self, one: Seen) -> str | None:
        """What a claim is about; None for a relationship between things that merge with an end that means nothing."""
        obj = one.obj
        if obj["type"] != "relationship" or not {type_of(obj[end]) for end in _BOTH} & MERGING:
            return one.claim.thing if not one.is_part else object_key(obj["id"])
        ends = [self.means(one, obj[end]) for end in _BOTH]
        if None in ends:
            return None
        return key("relationship", " ".join([obj["relationship_type"], *map(str, ends)]))

    def means(self, by: Seen, ref: str) -> str | None:
        """The thing that a reference of a claim means."""
        thing = self._meant(by, ref)
        if thing is None or type_of(ref) not in OF_MEMBERS or by.source.is_member:
            return thing
        of_centres = (one for one in self.seen if not one.source.is_member)
        return thing if any(self.thing(one) == thing for one in of_centres) else None

    def _meant(self, by: Seen, ref: str) -> str | None:
        kind, _, rest = ref.partition("--")
        if rest.startswith("key-"):
            return rest.removeprefix("key-")
        if kind not in MERGING and kind != "relationship":
            return object_key(ref)
        under = [one for one in self.seen if one.claim.id == ref and not one.is_part]
        under = [one for one in under if not one.claim.revoked] or under
        mine = [one for one in under if one.source.name == by.source.name]
        if mine:
            return self.thing(mine[0])
        if kind in OBSERVABLES and (not under or any(one.obj["id"] == ref for one in self.seen)):
            return object_key(ref)
        return self.thing(chosen(under, self.pins, self.collection.name)) if under else None

    # ------------------------------------------------------------ one view

    def _view(self, thing: str, claims: list[Seen], shown: Mapping[str, Json]) -> Json | None:
        kind = claims[0].claim.type if not claims[0].is_part else claims[0].obj["type"]
        merges = kind in MERGING or thing != object_key(claims[0].obj["id"])
        if not merges:
            one = chosen(claims, self.pins, self.collection.name)
            obj = self._with_references(one, self._attributed(one), shown)
            found = None if obj is None else self.merger.owners(one, obj)
        else:
            live = self._live(claims, shown)
            revoked = [one for one in claims if one.claim.revoked]
            found = self._merged(kind, thing, live, revoked) if live else None
        if found is None or self.collection.refuses(found):
            return None
        if merges or self._is_unnamed(claims):
            found = without(found, "created", "modified")
        return found | {"type": kind, "spec_version": "2.1", "id": thing}

    def _is_unnamed(self, claims: list[Seen]) -> bool:
        return chosen(claims, self.pins, self.collection.name).is_unnamed

    def _live(self, claims: Iterable[Seen], shown: Mapping[str, Json]) -> list[Seen]:
        """The claims that a merged view is made of, with the references that are shown, their authors aside."""
        found = []
        for one in claims:
            has_gone = one.claim.revoked or (one.claim.type == "indicator" and self.merger.ageing.has_expired(one))
            obj = None if has_gone else self._with_references(one, without(one.obj, "created_by_ref"), shown)
            if obj is not None:
                author = {name: one.obj[name] for name in ("created_by_ref",) if name in one.obj}
                found.append(replace(one, obj=obj | author))
        return found

    def _merged(self, kind: str, thing: str, live: list[Seen], revoked: list[Seen]) -> Json:
        if kind == "indicator":
            return self.merger.indicator(live, revoked, *self._feedback(thing, live))
        return self.merger.relationship(live, revoked) if kind == "relationship" else self.merger.observable(live)

    def _attributed(self, one: Seen) -> Json:
        """With the author that may be shown."""
        if not (one.is_unnamed and one.is_own):
            return one.obj
        alias = one.source.alias_identity if one.source.naming == "alias" else self.merger.hub
        return one.obj | {"created_by_ref": alias}

    def _with_references(self, one: Seen, obj: Json, shown: Mapping[str, Json]) -> Json | None:
        """With what references point to here; None if one is missing that is required."""
        hidden = {source.identity for source in self.sight.terms.values() if not source.is_named}

        def to(ref: str) -> str | None:
            if ref in self.known:
                return ref
            thing = None if ref in hidden else self.means(one, ref)
            return thing if thing in shown else None

        found = with_references(obj, to)
        needed = [name for name in _REQUIRED.get(obj["type"], ()) if name in obj]
        return found if all(name in found for name in needed) else None

    def _feedback(self, thing: str, live: list[Seen]) -> tuple[int, int]:
        """How many sources have a sighting of an indicator, and how many call it a false positive."""
        level, groups = strictest([one.level for one in live]), view_groups(live)
        sightings, verdicts = set(), {}
        for one in sorted(self.seen, key=lambda one: (one.claim.modified, one.claim.id)):
            if one.claim.revoked or not no_stricter(one, level, groups):
                continue
            if one.claim.type == "sighting" and self.means(one, one.obj["sighting_of_ref"]) == thing:
                sightings.add(one.source.name)
            verdict = _verdict(one.obj) if one.claim.type == "opinion" else None
            if verdict and thing in [self.means(one, ref) for ref in one.obj["object_refs"]]:
                verdicts[one.source.name] = verdict
        return len(sightings), list(verdicts.values()).count("false-positive")

    # ------------------------------------------------------------ what goes along

    def _with_what_goes_along(self, found: dict[str, Json], things: Mapping[str, list[Seen]]) -> dict[str, Json]:
        """With the markings, identities and extensions that are referred to."""
        users: dict[str, set[str]] = {}
        for thing, some in things.items():
            if thing in found:
                for one in self._counted(thing, some, found):
                    for ref in one.statements:
                        users.setdefault(shown_marking(ref, one.source), set()).add(one.source.name)
        definitions = {name: self._definition(name, sources) for name, sources in users.items()}
        every = {object_key(name): name for name in (*self.known, *definitions)}
        objects = self.known | definitions
        left = list(found.values())
        while left:
            obj = left.pop()
            for name in _used(obj):
                if name in objects and object_key(name) not in found:
                    found[object_key(name)] = objects[name] | {"id": object_key(name)}
                    left.append(objects[name])
        return {thing: _by_keys(obj, every) for thing, obj in found.items()}

    def _counted(self, thing: str, claims: list[Seen], shown: Mapping[str, Json]) -> Iterable[Seen]:
        """The claims that a view is made of."""
        if claims[0].obj["type"] not in MERGING and thing == object_key(claims[0].obj["id"]):
            return [chosen(claims, self.pins, self.collection.name)]
        return self._live(claims, shown)

    def _definition(self, name: str, sources: set[str]) -> Json:
        """A source's own marking, as it is shown: without one of its own."""
        ref = name.partition("/")[0]
        claims = [self.sight.claims[source, ref] for source in sources]
        terms = self.sight.terms
        seen = [Seen(claim, terms[claim.source], without(claim.obj, "granular_markings"), "clear") for claim in claims]
        one = chosen(seen, self.pins, self.collection.name)
        hidden = {source.identity for source in terms.values() if not source.is_named}
        obj = without(one.obj, "modified", "object_marking_refs", "created")
        if one.is_unnamed or obj.get("created_by_ref") in hidden:
            obj = without(obj, "created_by_ref")
        return obj


_BOTH = ("source_ref", "target_ref")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "relationship": _BOTH,
    "sighting": ("sighting_of_ref",),
    "network-traffic": ("src_ref",),
    **dict.fromkeys(("report", "note", "opinion", "grouping", "observed-data"), ("object_refs",)),
}


def _verdict(obj: Json) -> str | None:
    labels = obj.get("labels", ())
    if obj["opinion"] == "strongly-disagree" and "false-positive" in labels:
        return "false-positive"
    if obj["opinion"] == "disagree" and "outdated" in labels:
        return "outdated"
    return "confirmed" if obj["opinion"] == "strongly-agree" else None


# ---------------------------------------------------------------- observed-data


def _part_objects(obj: Json) -> list[Json]:
    """The objects embedded in observed-data, with ids of their own."""
    ids: dict[str, str] = {}
    found: dict[str, Json] = {}
    for place, part in obj["objects"].items():
        part = with_references(part, lambda ref: ids[ref])
        ids[place] = observable_id(part)
        found.setdefault(ids[place], {**part, "spec_version": "2.1", "id": ids[place]})
    return list(found.values())


def _whole(one: Seen) -> Seen:
    """Observed-data refers to its objects."""
    if "objects" not in one.obj:
        return one
    refs = [part["id"] for part in _part_objects(one.obj)]
    return replace(one, obj=without(one.obj, "objects") | {"object_refs": refs})


def _parts(one: Seen, sight: Sight, audience: Audience) -> list[Seen]:
    """The objects embedded in observed-data, which come and go with it."""
    if "objects" not in one.obj or one.claim.revoked:
        return []
    whole = sight.sees(audience, sight.taken_along(one.claim))
    assert whole is not None
    claim = replace(one.claim, obj=without(one.claim.obj, "modified"))
    return [replace(whole, claim=claim, obj=part, is_part=True) for part in _part_objects(one.obj)]


# ---------------------------------------------------------------- what the hub defines


def known_objects(merger: Merger) -> dict[str, Json]:
    """What the hub itself defines, by id, without times."""
    found: dict[str, Json] = {
        merger.hub: _identity("ctihub"),
        HUBS_WORD: {
            "type": "extension-definition", "created_by_ref": merger.hub, "name": "ctihub view", "version": "1.0.0",
            "description": "Whose claims a merged object shows, how many independent voices, and what they assert.",
            "schema": "schemas/ctihub-extension.json", "extension_types": ["property-extension"],
        },
    }  # fmt: skip
    for ref, level in TLP.items():
        word = {"extension_type": "property-extension", "tlp_2_0": level}
        found[ref] = {
            "type": "marking-definition", "name": f"TLP:{level.upper()}", "extensions": {TLP_EXTENSION: word},
        }  # fmt: skip
    for group, ref in merger.marking_of.items():
        found[ref] = {
            "type": "marking-definition", "created_by_ref": merger.hub, "definition_type": "statement",
            "name": f"group {group}", "definition": {"statement": f"For the group {group} of this hub only"},
        }  # fmt: skip
    for source in merger.terms.values():
        found |= _identity_of(source)
    return {ref: obj | {"spec_version": "2.1", "id": ref} for ref, obj in found.items()}


def _identity_of(source: Terms) -> dict[str, Json]:
    if source.naming == "named":
        return {source.identity: _identity(source.name)}
    return {source.alias_identity: _identity(source.alias)} if source.naming == "alias" else {}


def _identity(name: str) -> Json:
    return {"type": "identity", "name": name, "identity_class": "organization"}


def _used(obj: Json) -> list[str]:
    """What an object uses of what goes along: in references, markings and extensions."""
    return [*references(obj), *obj.get("object_marking_refs", ()), *obj.get("extensions", ())]


def _by_keys(obj: Json, names: Mapping[str, str]) -> Json:
    """With the ids of what goes along read as keys."""
    keys = {name: thing for thing, name in names.items()}

    def each(ref: str) -> str:
        return keys.get(ref, ref)

    found = with_references(obj, each)
    if "object_marking_refs" in found:
        found["object_marking_refs"] = [each(ref) for ref in found["object_marking_refs"]]
    if "extensions" in found:
        found["extensions"] = {each(name): value for name, value in found["extensions"].items()}
    return found
