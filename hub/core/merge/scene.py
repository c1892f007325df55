"""What one step knows of the store so far, with the step's own changes laid over it.

Every question either has its answer or raises ``Missing`` and notes what must be looked up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hub.core.merge.references import has_own_meaning, keyed
from hub.model.claims import Change, Claim, ClaimKey, View
from hub.model.policy import Policy
from hub.model.step import CROWD, Loaded, Wanted
from hub.model.stix_types import SCO_TYPES, ViewAuthor, stix_type
from hub.model.words import CanonicalKey, StixId


class Missing(Exception):  # not an error: the work is tried again with the answer
    """What is asked has not been looked up yet."""


def is_floating(claim: Claim) -> bool:
    """Whether it is a relationship whose thing depends on what its ends mean in each collection."""
    return claim.thing is None


def sighting_of(stix_id: str) -> StixId:
    """The name under which the index keeps the sightings of an id, apart from everything that refers to it."""
    return StixId(f"sighting-of:{stix_id}")


def marked_with(marking: str) -> StixId:
    """The name under which the index keeps what carries a marking of its centre's own."""
    return StixId(f"marked:{marking}")


def is_marking(name: StixId) -> bool:
    """Whether a name of the index stands for what carries a marking."""
    return name.startswith("marked:")


def indexed_references(claim: Claim, policy: Policy) -> tuple[StixId, ...]:
    """The ids whose meaning decides what this claim's views show; empty for a withdrawn one."""
    if not claim.body:
        return ()
    said = claim.beside_author if stix_type(claim.type).view_author is ViewAuthor.HUB else claim.references
    refs = [ref for ref in said if ref not in policy.registered and ref != policy.hub_identity]
    refs.extend(marked_with(ref) for ref in claim.marks.others)  # a group's too: it may be removed
    if claim.type == "sighting":
        refs.append(sighting_of(claim.obj["sighting_of_ref"]))
    return tuple(dict.fromkeys(refs))


class Scene:
    """See the head of this module."""

    def __init__(self, policy: Policy, overlay: dict[ClaimKey, Claim], crowd: int = CROWD) -> None:
        """``overlay``: the claims that the step changes. ``crowd``: more referrers of one id come page by page."""
        self._policy = policy
        self._crowd = crowd
        self._wanted = Wanted(crowd=crowd)
        self._asked: set[ClaimKey] = set(overlay)
        self._claims: dict[ClaimKey, Claim] = dict(overlay)
        self._overlay = overlay
        self._loaded = Loaded()
        self._by_digest: dict[bytes, Claim] = {}
        """Observables by what is said of them: many are said in the same words."""
        self._new_of_thing: dict[CanonicalKey, list[ClaimKey]] = defaultdict(list)
        self._new_of_id: dict[StixId, list[ClaimKey]] = defaultdict(list)
        self._new_referrers: dict[StixId, list[ClaimKey]] = defaultdict(list)
        self._new_placed: dict[tuple[int, CanonicalKey], dict[ClaimKey, None]] = defaultdict(dict)
        self.placing: dict[ClaimKey, dict[int, CanonicalKey]] = {}
        self._awaited: set[ClaimKey] = set()
        """Keys that were asked for: what the answer lacks is not there."""
        self._awaited_past: set[tuple[int, StixId]] = set()
        self._keyed_names: dict[CanonicalKey, list[StixId]] = {}
        self._no_past: set[tuple[int, StixId]] = set()
        for claim in overlay.values():
            if claim.thing is not None:
                self._new_of_thing[claim.thing].append(claim.key)
            self._new_of_id[claim.id].append(claim.key)
            for target in indexed_references(claim, policy):
                self._new_referrers[target].append(claim.key)

    # ------------------------------------------------------------ asking ahead

    def add(self, claim: Claim) -> Claim:
        """A claim as the store has it; returns it as the step has it."""
        self._asked.add(claim.key)
        return self._claims.setdefault(claim.key, claim)

    def prefetch(self, claim: Claim) -> None:
        """Note what a touched claim is sure to need, so that it comes with the first look-up."""
        if claim.id not in self._loaded.referrers:
            self._wanted.referrers.add(claim.id)
        if claim.type == "marking-definition":
            self._wanted.referrers.add(marked_with(claim.id))
        if is_floating(claim):
            self._wanted.placements.add(claim.key)
        if claim.body and claim.type != "indicator":
            self.want_ids(claim.references)

    def want_ids(self, refs: Iterable[StixId]) -> None:
        """Note that what these ids mean will be needed."""
        self._wanted.ids.update(ref for ref in refs if has_own_meaning(ref) and ref not in self._loaded.of_id)

    def want_thing(self, thing: CanonicalKey) -> None:
        """Note that a thing's claims and views will be needed."""
        if thing not in self._loaded.of_thing:
            self._wanted.things.add(thing)

    def wanted(self) -> Wanted:
        """What has been noted since the last time."""
        found, self._wanted = self._wanted, Wanted(crowd=self._crowd)
        return found

    def take(self, loaded: Loaded) -> None:
        """Lay an answer under the step's own changes."""
        for key, claim in loaded.claims.items():
            if claim.type in SCO_TYPES:
                claim.share(self._by_digest.setdefault(claim.digest, claim))
            self._claims.setdefault(key, claim)
        self._asked.update(loaded.claims)
        mine = self._loaded
        mine.of_thing.update(loaded.of_thing)
        mine.views.update(loaded.views)
        mine.of_id.update(loaded.of_id)
        mine.referrers.update(loaded.referrers)
        mine.placements.update(loaded.placements)
        mine.placed.update(loaded.placed)
        mine.bodies.update(loaded.bodies)
        mine.carried.update(loaded.carried)
        mine.crowds.update(loaded.crowds)
        mine.pages.update(loaded.pages)
        mine.past.update(loaded.past)
        self._asked.update(self._awaited)
        self._awaited.clear()
        self._no_past.update(self._awaited_past - loaded.past.keys())
        self._awaited_past.clear()

    # ------------------------------------------------------------ asking

    def claim(self, key: ClaimKey) -> Claim | None:
        """The claim under this key."""
        found = self._claims.get(key)
        if found is not None or key in self._asked:
            return found
        self._wanted.claims.add(key)
        self._awaited.add(key)
        raise Missing

    def claims_of_thing(self, thing: CanonicalKey) -> list[Claim]:
        """All claims about a thing."""
        base = self._loaded.of_thing.get(thing)
        if base is None:
            self._wanted.things.add(thing)
            raise Missing
        if thing not in self._new_of_thing and not any(key in self._overlay for key in base):
            return [self._claims[key] for key in base]
        keys = dict.fromkeys((*base, *self._new_of_thing.get(thing, ())))
        return [claim for key in keys if (claim := self._claims[key]).thing == thing]

    def claims_of_id(self, stix_id: StixId) -> list[Claim]:
        """All claims under a STIX id, of whatever centre."""
        base = self._loaded.of_id.get(stix_id)
        if base is None:
            self._wanted.ids.add(stix_id)
            raise Missing
        return [self._claims[key] for key in dict.fromkeys((*base, *self._new_of_id.get(stix_id, ())))]

    def referrers(self, stix_id: StixId) -> list[Claim] | None:
        """All claims that refer to a STIX id; None when they are too many to look up at once."""
        if stix_id in self._loaded.crowds:
            return None
        base = self._loaded.referrers.get(stix_id)
        if base is None:
            self._wanted.referrers.add(stix_id)
            raise Missing
        if not base and stix_id not in self._new_referrers:
            return []
        keys = dict.fromkeys((*(k for k in base if k not in self._overlay), *self._new_referrers.get(stix_id, ())))
        return [self._claims[key] for key in keys]

    def sightings(self, names: Iterable[StixId]) -> list[tuple[StixId, Claim]]:
        """All claims of sightings of these ids, each with the id."""
        found: list[tuple[StixId, Claim]] = []
        missing = False
        for stix_id in names:
            known = self._loaded.referrers.get(stix_id)
            if known is not None and not known and stix_id not in self._new_referrers:
                continue
            try:
                found.extend((stix_id, claim) for claim in self.referrers(sighting_of(stix_id)) or ())
            except Missing:  # ask for all of them at once
                missing = True
        if missing:
            raise Missing
        return found

    def new_referrers(self, stix_id: StixId) -> list[Claim]:
        """The claims of this step that refer to a STIX id."""
        return [self._claims[key] for key in self._new_referrers.get(stix_id, ())]

    def page(self, stix_id: StixId, after: bytes) -> list[Claim]:
        """The next claims of the store, of those that the step does not change, that refer to a STIX id.

        They are not kept: ``add`` those that matter. The last one's key is where the next page begins.
        """
        found = self._loaded.pages.pop((stix_id, after), None)
        if found is None:
            self._wanted.pages.add((stix_id, after))
            raise Missing
        return found

    def is_changed(self, claim: Claim) -> bool:
        """Whether this step changes the claim."""
        return claim.key in self._overlay

    def view(self, collection: int, thing: CanonicalKey) -> View | None:
        """What the store has of a thing's view."""
        if thing not in self._loaded.of_thing:
            self._wanted.things.add(thing)
            raise Missing
        return self._loaded.views.get((collection, thing))

    def keyed_names(self, kind: str, thing: CanonicalKey) -> list[StixId]:
        """How references name a thing by its key: not at all before some collection has shown it."""
        if thing not in self._keyed_names:
            shown = any(self.view(no, thing) is not None for no in self._policy.collections)
            self._keyed_names[thing] = [keyed(kind, thing)] if shown else []
        return self._keyed_names[thing]

    def body(self, collection: int, view: View) -> bytes:
        """The newest bytes of a view."""
        found = self._loaded.bodies.get((collection, view.seq))
        if found is None:
            self._wanted.bodies.add((collection, view.seq))
            raise Missing
        return found

    def past(self, collection: int, object_id: StixId) -> Change | None:
        """The last object that a collection showed under an id which another id of the same view followed."""
        at = (collection, object_id)
        if at not in self._loaded.past and at not in self._no_past:
            self._wanted.past.add(at)
            self._awaited_past.add(at)
            raise Missing
        return self._loaded.past.get(at)

    def carried(self, collection: int, used: str) -> int:
        """How many views of a collection use something, before this step."""
        if (collection, used) not in self._loaded.carried:
            self._wanted.carried.add((collection, used))
            raise Missing
        return self._loaded.carried[collection, used]

    # ------------------------------------------------------------ relationships

    def placement(self, key: ClaimKey) -> dict[int, CanonicalKey]:
        """Where a relationship stands, by collection."""
        if key in self.placing:
            return self.placing[key]
        found = self._loaded.placements.get(key)
        if found is None:
            self._wanted.placements.add(key)
            raise Missing
        return found

    def place(self, key: ClaimKey, where: dict[int, CanonicalKey]) -> None:
        """Let a relationship stand under these things from now on."""
        for collection, thing in self.placement(key).items():
            self._new_placed[collection, thing].pop(key, None)
        self.placing[key] = where
        for collection, thing in where.items():
            self._new_placed[collection, thing][key] = None

    def placed(self, collection: int, thing: CanonicalKey) -> list[Claim]:
        """The relationships that stand under a thing in a collection."""
        base = self._loaded.placed.get(thing)
        if base is None:
            self._wanted.placed.add(thing)
            raise Missing
        here = [key for key in base.get(collection, ()) if key not in self.placing]
        return [self._claims[key] for key in (*here, *self._new_placed.get((collection, thing), ()))]
