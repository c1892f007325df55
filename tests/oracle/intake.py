"""What each source claims after a history, and since when: docs/semantics.md, sections 1 and 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.oracle.words import (
    ALWAYS_NEEDED,
    HUBS_WORD,
    ID_OF,
    NEEDED,
    OF_MEMBERS,
    PAP,
    SOURCE_IS_AUTHOR,
    TLP,
    Json,
    as_text,
    by_key,
    key,
    object_key,
    observable_id,
    rank,
    strictest,
    type_of,
    with_references,
)

Stamp = tuple[int, int]
How = Literal["stands", "soft", "restore"]
Canonical = Callable[[str], str]


@dataclass(frozen=True)
class Terms:
    """What the operator has decided about a source."""

    name: str
    no: int
    identity: str
    naming: str = "named"
    alias: str = ""
    alias_identity: str = ""
    trust: int = 100
    ceiling: str = "amber+strict"
    default_level: str = "amber"
    amber_to: tuple[str, ...] = ("network",)
    widest_blocked: int = 16
    suspended: bool = False
    accredited_by: str = ""
    """Of a member: the centre."""

    @property
    def is_member(self) -> bool:
        """Whether it is a member."""
        return bool(self.accredited_by)

    @property
    def is_named(self) -> bool:
        """Whether it goes by its name."""
        return self.naming == "named"


@dataclass(frozen=True)
class Claim:
    """The newest version of a source under an id."""

    source: str
    id: str
    obj: Json
    stamp: Stamp
    since: dict[str, Stamp] = field(default_factory=dict)
    """By audience the stamp of the first version of the unbroken run of visible ones that this one ends."""

    @property
    def type(self) -> str:
        """Its type."""
        return type_of(self.id)

    @property
    def revoked(self) -> bool:
        """Whether it is a revocation."""
        return bool(self.obj.get("revoked"))

    @property
    def modified(self) -> str:
        """Empty for what has no versions."""
        return str(self.obj.get("modified", ""))

    @property
    def author(self) -> str:
        """The identity in ``created_by_ref``; else ``own`` or ``unknown``."""
        return author_of(self.obj)

    @property
    def thing(self) -> str:
        """The key of the thing that it is about, for all but relationships between things that merge."""
        return thing_of(self.obj)


def author_of(obj: Json) -> str:
    """The identity in ``created_by_ref``; else ``own`` or ``unknown``."""
    return str(obj.get("created_by_ref", "own" if obj["type"] in SOURCE_IS_AUTHOR else "unknown"))


def thing_of(obj: Json) -> str:
    """The key of what an object is about, for all but relationships between things that merge."""
    if obj["type"] == "indicator":
        return key("stix", obj["pattern"])
    return object_key(obj["id"])


@dataclass(frozen=True)
class Withdrawn:
    """What was withdrawn last under an id, and nothing has been claimed there since."""

    obj: Json
    stands: bool
    refused: str = ""
    """The ``modified`` of the version above the ceiling that withdrew it."""

    def keeps_out(self, obj: Json) -> bool:
        """Whether a version that comes again does not count."""
        if not self.stands:
            return False
        if self.refused:
            return bool(obj["modified"] < self.refused)
        return bool(obj["modified"] <= self.obj["modified"] if "modified" in obj else obj == self.obj)


@dataclass(frozen=True)
class Ending:
    """How one message ended for its source."""

    state: Literal["accepted", "unchanged", "held", "rejected"]
    codes: set[str] = field(default_factory=set)


See = Callable[[Claim], set[str]]
"""Says which audiences see a claim by the terms in force."""


@dataclass
class Intake:
    """The claims of all sources."""

    terms: dict[str, Terms]
    groups: Mapping[str, str]
    """Groups by their markings."""
    canonical: Canonical
    """The canonical text of a pattern."""
    prefixes: Mapping[str, int] = field(default_factory=dict)
    """The lengths of the prefixes of networks, by canonical pattern."""
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    withdrawn: dict[tuple[str, str], Withdrawn] = field(default_factory=dict)

    def hear(self, source: str, obj: Json, stamp: Stamp, meant: dict[str, str], see: See) -> Ending:
        """An object. ``meant``: the things of its references to ids that the hub made."""
        terms, at = self.terms[source], (source, obj["id"])
        others = {one.identity for one in self.terms.values()} - {terms.identity}
        if terms.is_member and obj["type"] not in OF_MEMBERS:
            return Ending("rejected", {"type.not-yours"})
        if obj.get("created_by_ref") in others or obj["id"] in others:
            return Ending("rejected", {"author.impersonation"})
        is_wrong, is_revoked = not _selects(obj), bool(obj.get("revoked"))
        if is_wrong and not is_revoked:
            return Ending("rejected", {"stix.marking"})
        said, obj = obj, self._normal(obj, meant)
        old = self.claims.get(at)
        gone = self.withdrawn.get(at)
        is_above = self._is_above_ceiling(terms, obj)
        is_lenient = is_revoked and (is_above or is_wrong)
        if is_lenient:
            obj = self._revocation(terms, obj, None if old is None else old.obj)
        unchanged = _unchanged(obj, old, gone)
        if is_above and not is_revoked:
            if old is not None and not unchanged:
                del self.claims[at]
                refused = obj.get("modified", "")
                self.withdrawn[at] = Withdrawn(old.obj, stands=bool(refused), refused=refused)
            return Ending("rejected", {"marking.above-ceiling"})
        if unchanged:
            return Ending("unchanged", {unchanged})
        codes = {"revocation.lenient"} if is_lenient else self._warnings(terms, said, obj)
        self.claims[at] = self._after(old, Claim(source, at[1], obj, stamp), see)
        self.withdrawn.pop(at, None)
        if "marking.unknown" in codes:
            return Ending("accepted", {"revocation.lenient"}) if is_revoked else Ending("held", {"marking.unknown"})
        if old is not None and old.obj.get("modified") == obj.get("modified", object()):
            codes.add("version.not-incremented")
        return Ending("accepted", codes)

    def withdraw(self, source: str, stix_id: str, how: How) -> Ending:
        """A withdrawal, or the end of one that stands."""
        at = (source, stix_id)
        gone = self.withdrawn.get(at)
        if how == "restore" and gone is not None and gone.stands:
            self.withdrawn[at] = Withdrawn(gone.obj, stands=False)
        elif how != "restore" and at in self.claims:
            self.withdrawn[at] = Withdrawn(self.claims.pop(at).obj, stands=how == "stands")
        elif gone is not None and how == "stands" and not gone.stands:
            self.withdrawn[at] = replace(gone, stands=True)
        else:
            return Ending("unchanged", {"withdrawal.unknown"})
        return Ending("accepted")

    # ------------------------------------------------------------ what a source is told

    def _warnings(self, terms: Terms, said: Json, obj: Json) -> set[str]:
        """The codes that come with a version that counts; ``marking.unknown`` if nobody may see it."""
        found = set()
        if obj["id"] == terms.identity:
            found.add("identity.registry-shown")
        if said.get("spec_version") != "2.1" or "objects" in said:
            found.add("stix.lifted")
        if (
            obj["type"] == "indicator"
            and not obj.get("revoked")
            and self.prefixes[obj["pattern"]] < terms.widest_blocked
        ):
            found.add("value.wide-network")
        parts = obj.get("granular_markings", ())
        taking = {one["marking_ref"] for one in parts if any(takes_all(each, obj) for each in one["selectors"])}
        whole = {*obj.get("object_marking_refs", ()), *taking}
        if stated_level(obj) == "unreadable" or any(self._hides(terms, ref) for ref in whole if ref not in TLP):
            found.add("marking.unknown")
        above = {ref for ref, level in TLP.items() if rank(level) > rank(terms.ceiling)}
        if any(one["marking_ref"] in above or self._hides(terms, one["marking_ref"]) for one in parts):
            found.add("marking.part-hidden")
        return found

    def _hides(self, terms: Terms, ref: str) -> bool:
        """Whether one of the source's own markings hides what carries it from everyone."""
        if ref in TLP or ref in PAP or ref in self.groups:
            return False
        definition = self.claims.get((terms.name, ref))
        text = "" if definition is None else definition.obj["definition"]["statement"]
        return text in ("", "TLP:MAUVE") or (text == "TLP:AMBER" and rank("amber") > rank(terms.ceiling))

    # ------------------------------------------------------------ one object

    def _normal(self, obj: Json, meant: dict[str, str]) -> Json:
        if obj["type"] == "indicator":
            obj = {**obj, "pattern": self.canonical(obj["pattern"])}
        if obj["type"] in ("ipv4-addr", "network-traffic"):
            obj = {**obj, "id": observable_id(obj)}
        if "end" in obj:  # STIX 2.1, section 6.12
            obj = {"is_active": False, **obj}
        if obj["type"] == "observed-data":
            obj = {**obj, "spec_version": "2.1"}
        if obj["type"] == "marking-definition":
            return obj
        about = obj.get("extensions", {}).get(HUBS_WORD, {}).get("about")
        if about is not None:
            thing = key("stix", self.canonical(about))
            name = "sighting_of_ref" if obj["type"] == "sighting" else "object_refs"
            ref = by_key("indicator", thing)
            obj = {**obj, name: ref if name == "sighting_of_ref" else [ref]}
        if meant:
            obj = with_references(obj, lambda ref: by_key(type_of(ref), meant[ref]) if ref in meant else ref)
        return obj

    def _after(self, old: Claim | None, new: Claim, see: See) -> Claim:
        """The new version, with the runs that it goes on with."""
        runs = {} if old is None or old.revoked else {one: old.since.get(one, old.stamp) for one in see(old)}
        return replace(new, since=runs)

    def _is_above_ceiling(self, terms: Terms, obj: Json) -> bool:
        if obj["type"] == "marking-definition":
            return False
        stated = stated_level(obj)
        return stated != "unreadable" and rank(stated or terms.default_level) > rank(terms.ceiling)

    def _revocation(self, terms: Terms, obj: Json, stood: Json | None) -> Json:
        """What a revocation above the ceiling claims: what stood, marked as strictly as both; else what nobody sees."""
        stated, own = stated_level(obj), _beside_level(obj)
        if stood is None or obj.get("granular_markings") or (own and own != _beside_level(stood)):
            return {**obj, "object_marking_refs": [ID_OF["red"]]}
        found = {**stood, "revoked": True, "modified": obj["modified"]}
        before = stated_level(stood)
        if stated and before != "unreadable" and rank(stated) > rank(before or terms.default_level):
            kept = [ref for ref in stood.get("object_marking_refs", ()) if ref not in TLP]
            found["object_marking_refs"] = [ID_OF[stated], *kept]
        return found


def _beside_level(obj: Json) -> set[str]:
    return set(obj.get("object_marking_refs", ())) - TLP.keys()


def _unchanged(new: Json, old: Claim | None, gone: Withdrawn | None) -> str:
    """The code of a version that does not count, empty for one that does."""
    if old is None:
        return "withdrawal.stands" if gone is not None and gone.keeps_out(new) else ""
    if new.get("modified", "") != old.modified:
        return "version.older" if new["modified"] < old.modified else ""
    return "version.same" if as_text(new) == as_text(old.obj) else ""


def _selects(obj: Json) -> bool:
    """Whether there is something for each selector of its granular markings."""
    selectors = [one for marking in obj.get("granular_markings", ()) for one in marking["selectors"]]
    return all(one.partition(".")[0] in obj for one in selectors)


def stated_level(obj: Json) -> str | None:
    """The level that TLP markings state or, without any, labels; ``unreadable`` if a label names none."""
    levels = [TLP[ref] for ref in obj.get("object_marking_refs", ()) if ref in TLP]
    if not levels:
        said = [label[4:] for label in obj.get("labels", ()) if label.startswith("tlp:")]
        if any(label not in TLP.values() for label in said):
            return "unreadable"
        levels = said
    return strictest(levels) if levels else None


def takes_all(selector: str, obj: Json) -> bool:
    """Whether nothing is left of an object without what this selects."""
    name, _, rest = selector.partition(".")
    value = obj.get(name)
    if HUBS_WORD in obj.get("extensions", {}) and name in ("extensions", "object_refs"):
        return True  # it names what the object is about
    if rest and isinstance(value, list) and len(value) > 1:
        item = value[int(rest[1:-1])]
        return name == "object_marking_refs" or (value.count(item) == 1 and _decides([item], obj))
    return name in ALWAYS_NEEDED | NEEDED[obj["type"]] or (name == "labels" and _decides(obj["labels"], obj))


def _decides(labels: list[Any], obj: Json) -> bool:
    """Whether one of these states a PAP, or a level that counts."""
    levels_count = not TLP.keys() & set(obj.get("object_marking_refs", ()))
    return any(
        isinstance(one, str) and (one.startswith("PAP:") or (levels_count and one.startswith("tlp:"))) for one in labels
    )
