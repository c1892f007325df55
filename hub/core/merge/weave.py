"""One step's merge: from the claims that changed to the views that change, over all collections, to a fixed point.

Sans-IO: ``wanted`` says what must be looked up, ``give`` takes the answer, until nothing is wanted; then ``drafts`` are
the views that differ. Work that lacks an answer waits and is tried again, so each round asks for everything at once.

Existence is the least solution: when a view ends, whatever needs it is taken down first and then built up again from
what still stands, so that a circle of things that need only each other has no view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hub.core.merge import hubmade, owner
from hub.core.merge.content import Content
from hub.core.merge.known import hidden_identities, known_objects
from hub.core.merge.project import Projection, Reach, as_definition, project, reach
from hub.core.merge.references import required_references, rewritten
from hub.core.merge.scene import Missing, Scene, is_floating
from hub.model.claims import Claim, ClaimKey, ClaimState, View, claim_key
from hub.model.policy import Audience, Collection, Policy
from hub.model.step import Loaded, Wanted
from hub.model.stix import SCO_TYPES
from hub.model.words import CanonicalKey, StixId, StixObject, derived_id
from hub.patterns import key as key_of

_ROUNDS = 200_000
"""Evaluations in one step after which something must be wrong: a fixed point takes far fewer."""


@dataclass(slots=True)
class Draft:
    """A view that differs from the one before: ``content`` None ends it."""

    collection: Collection
    thing: CanonicalKey
    before: View | None
    content: Content | None
    object_id: StixId


def object_key(stix_id: str) -> CanonicalKey:
    """The canonical key of a thing that its STIX id names."""
    return key_of("object", stix_id)


class Weave:
    """See the head of this module."""

    def __init__(
        self, policy: Policy, changed: Mapping[ClaimKey, tuple[Claim | None, Claim]], again: Iterable[Claim] = ()
    ) -> None:
        """``changed``: old and new claim by key. ``again``: claims that a change of policy concerns."""
        self._policy = policy
        self._scene = Scene(policy, {key: new for key, (_, new) in changed.items()})
        self._known = known_objects(policy)
        self._hidden = hidden_identities(policy)
        self._result: dict[tuple[int, CanonicalKey], Content | None] = {}
        self._pages: dict[tuple[CanonicalKey, tuple[ClaimKey, ...]], Content] = {}
        self._reaches: dict[ClaimKey, Reach | None] = {}
        self._to_place: dict[ClaimKey, None] = {}
        self._to_look: dict[tuple[int, CanonicalKey], None] = {}
        self._to_spread: dict[tuple[int, CanonicalKey], bool] = {}
        self._ids_changed: dict[StixId, None] = {}
        self._markings: set[StixId] = set()
        """Marking-definitions that may have other content now."""
        self._ids: dict[tuple[int, CanonicalKey, int], StixId] = {}
        self._uncounted: dict[tuple[int, CanonicalKey], None] = {}
        self._counted: dict[tuple[int, CanonicalKey], tuple[str, ...]] = {}
        """What each view's uses were when they were last counted in this step."""
        self.carried: dict[tuple[int, str], int] = defaultdict(int)
        """By how much the count of what views carry changes."""
        self._relationships: set[CanonicalKey] = set()
        for old, new in changed.values():
            self._start(new)
            if old is not None and old.thing != new.thing:
                if old.thing is None:
                    self._to_place[old.key] = None
                else:
                    self._look_everywhere(old.thing)
        for claim in again:
            self._scene.add(claim)
            self._start(claim)
        if not changed:
            self._markings.update(self._known)

    # ------------------------------------------------------------ the outside

    def wanted(self) -> Wanted:
        """What must be looked up before the work can go on; empty when it is done."""
        for _ in range(_ROUNDS):
            wanted = self._work()
            if wanted:
                return wanted
            if not (self._to_place or self._to_look or self._to_spread or self._ids_changed):
                return self._carry()
        raise RuntimeError("the merge of this step does not come to an end")

    def give(self, loaded: Loaded) -> None:
        """Take what was looked up."""
        self._scene.take(loaded)

    def drafts(self) -> list[Draft]:
        """The views that differ from what the store has."""
        found = []
        for (no, thing), new in self._result.items():
            before = self._scene.view(no, thing)
            alive = before is not None and before.alive
            if new is None:
                if alive and before is not None:
                    found.append(Draft(self._policy.collections[no], thing, before, None, before.object_id))
                continue
            object_id = self._id_of(no, thing, new)
            if before is not None and alive and before.digest == new.digest and before.object_id == object_id:
                continue
            found.append(Draft(self._policy.collections[no], thing, before, new, object_id))
        return found

    @property
    def placements(self) -> dict[ClaimKey, dict[int, CanonicalKey]]:
        """Where relationships stand now, for those that moved."""
        return self._scene.placing

    # ------------------------------------------------------------ what there is to do

    def _start(self, claim: Claim) -> None:
        if is_floating(claim):
            self._to_place[claim.key] = None
        elif self._is_carried(claim):
            self._markings.add(claim.id)
        elif claim.thing is not None:
            self._look_everywhere(claim.thing)
        self._ids_changed[claim.id] = None
        self._scene.prefetch(claim)

    def _is_carried(self, claim: Claim) -> bool:
        """Whether its object comes and goes with what carries it, not by its own markings."""
        return claim.type == "marking-definition" or claim.id in self._known or claim.id in self._hidden

    def _look_everywhere(self, thing: CanonicalKey) -> None:
        self._scene.want_thing(thing)
        for no in self._policy.collections:
            self._to_look[no, thing] = None

    def _work(self) -> Wanted:
        """One pass over all there is to do; what lacks an answer stays."""
        for stix_id in list(self._ids_changed):
            with suppress(Missing):
                self._spread_id(stix_id)
                del self._ids_changed[stix_id]
        for key in list(self._to_place):
            with suppress(Missing):
                self._place(key)
                del self._to_place[key]
        for (no, thing), ended in list(self._to_spread.items()):
            with suppress(Missing):
                self._spread(no, thing, ended=ended)
                del self._to_spread[no, thing]
        if not (self._ids_changed or self._to_place or self._to_spread):
            for no, thing in list(self._to_look):
                with suppress(Missing):
                    self._look(no, thing)
                    self._to_look.pop((no, thing), None)
        return self._scene.wanted()

    def _touch(self, claim: Claim, collections: Iterable[int]) -> None:
        """Something that this claim refers to has changed there."""
        if is_floating(claim):
            self._to_place[claim.key] = None
            for no, thing in self._scene.placement(claim.key).items():
                self._relationships.add(thing)
                if no in collections:
                    self._to_look[no, thing] = None
        elif self._is_carried(claim):
            self._markings.add(claim.id)
        elif claim.thing is not None:
            self._scene.want_thing(claim.thing)
            for no in collections:
                self._to_look[no, claim.thing] = None

    def _spread_id(self, stix_id: StixId) -> None:
        """What an id means may have changed, for everyone."""
        if stix_id.startswith("marking-definition--"):
            self._reaches.clear()
        for claim in self._scene.referrers(stix_id):
            self._touch(claim, self._policy.collections)

    def _about(self, no: int, thing: CanonicalKey) -> list[Claim]:
        return self._scene.placed(no, thing) if thing in self._relationships else self._scene.claims_of_thing(thing)

    def _spread(self, no: int, thing: CanonicalKey, *, ended: bool) -> None:
        """A view has come, gone, or changed its id: so may what refers to it."""
        names = {name: None for claim in self._about(no, thing) for name in (claim.id, claim.obj.get("id", claim.id))}
        for name in names:
            for referrer in self._scene.referrers(name):
                self._touch(referrer, (no,))
                if ended and referrer.body and name in required_references(referrer.obj):
                    self._take_down(no, referrer)

    def _take_down(self, no: int, claim: Claim) -> None:
        """Until it is looked at again, this has no view: so a circle does not hold itself up."""
        thing = self._scene.placement(claim.key).get(no) if is_floating(claim) else claim.thing
        if thing is not None and self._shown_as(no, thing) is not None:
            self._result[no, thing] = None
            self._uncounted[no, thing] = None
            self._to_look[no, thing] = None
            self._to_spread[no, thing] = True

    # ------------------------------------------------------------ what a claim means to an audience

    def _definition(self, centre: int, marking: StixId) -> StixObject | None:
        claim = self._scene.claim(claim_key(centre, marking))
        return claim.obj if claim is not None and claim.state is not ClaimState.WITHDRAWN else None

    def _project(self, claim: Claim, audience: Audience) -> Projection | None:
        if claim.state is ClaimState.WITHDRAWN:
            return None
        if claim.key in self._reaches:
            found = self._reaches[claim.key]
        else:
            found = self._reaches[claim.key] = reach(claim, self._policy, self._definition)
        return None if found is None else project(claim, audience, self._policy, found)

    def _means(self, no: int, said_by: Claim, ref: StixId) -> CanonicalKey | None:
        """The thing that a reference means in a collection: the same centre's claim first, then the owner's."""
        audience = self._policy.collections[no].audience
        seen = [(claim, p) for claim in self._scene.claims_of_id(ref) if (p := self._project(claim, audience))]
        seen = [(claim, p) for claim, p in seen if not (p.revoked and claim.type in _HUB_MADE)]
        if not seen:  # an observable's id names the thing, whoever says it
            return object_key(ref) if ref.partition("--")[0] in SCO_TYPES else None
        mine = [pair for pair in seen if pair[0].centre == said_by.centre]
        if mine:
            claim = mine[0][0]
        else:
            chosen = owner.owners_choice([p for _, p in seen])
            claim = next(claim for claim, p in seen if p is chosen)
        return self._scene.placement(claim.key).get(no) if is_floating(claim) else claim.thing

    def _id_of(self, no: int, thing: CanonicalKey, found: Content) -> StixId:
        if found.own_id is not None:
            return found.own_id
        before = self._scene.view(no, thing)
        generation = 0 if before is None else before.generation
        at = (no, thing, generation)
        if at not in self._ids:
            name = f"{self._policy.collections[no].id} {thing.hex()} {generation}"
            self._ids[at] = derived_id(found.type, self._policy.namespace, name)
        return self._ids[at]

    def _shown_as(self, no: int, thing: CanonicalKey) -> StixId | None:
        """The id under which a collection shows a thing now, as far as this step has come."""
        if (no, thing) in self._result:
            found = self._result[no, thing]
            return None if found is None else self._id_of(no, thing, found)
        before = self._scene.view(no, thing)
        return before.object_id if before is not None and before.alive else None

    def _resolver(self, no: int, said_by: Claim, known: dict[StixId, None]) -> Callable[[StixId], StixId | None]:
        def shown(ref: StixId) -> StixId | None:
            if ref in self._known:
                known[ref] = None
                return ref
            if ref in self._hidden:
                return None
            thing = self._means(no, said_by, ref)
            return None if thing is None else self._shown_as(no, thing)

        return shown

    # ------------------------------------------------------------ relationships find their things

    def _place(self, key: ClaimKey) -> None:
        claim = self._scene.claim(key)
        if claim is None:
            return
        old = self._scene.placement(key)
        where: dict[int, CanonicalKey] = {}
        for no, collection in self._policy.collections.items():
            if is_floating(claim) and self._project(claim, collection.audience) is not None:
                thing = self._stands_for(no, claim)
                if thing is not None:
                    where[no] = thing
        self._relationships.update(where.values())
        self._relationships.update(old.values())
        for no in self._policy.collections:
            for place in {old.get(no), where.get(no)} - {None}:
                assert place is not None  # noqa: S101 - taken out in the line above
                self._scene.want_thing(place)
                self._to_look[no, place] = None
        if where != old:
            self._scene.place(key, where)
            self._ids_changed[claim.id] = None

    def _stands_for(self, no: int, claim: Claim) -> CanonicalKey | None:
        ends = []
        for name in ("source_ref", "target_ref"):
            ref = StixId(claim.obj[name])
            thing = object_key(ref) if ref in self._known else self._means(no, claim, ref)
            if thing is None:
                return None
            ends.append(thing.hex())
        return key_of("relationship", " ".join((claim.obj["relationship_type"], *ends)))

    # ------------------------------------------------------------ looking at one thing in one collection

    def _look(self, no: int, thing: CanonicalKey) -> None:
        collection = self._policy.collections[no]
        shown_before = self._shown_as(no, thing)
        found = self._content(collection, thing)
        if found is not None and _refuses(collection, found):
            found = None
        self._result[no, thing] = found
        self._uncounted[no, thing] = None
        shown_now = None if found is None else self._id_of(no, thing, found)
        if shown_now != shown_before:
            self._to_spread[no, thing] = self._to_spread.get((no, thing), False) or shown_now is None

    def _content(self, collection: Collection, thing: CanonicalKey) -> Content | None:
        claims = self._about(collection.no, thing)
        seen = [(claim, p) for claim in claims if (p := self._project(claim, collection.audience)) is not None]
        if not seen:
            return None
        kind = seen[0][0].type
        if kind == "indicator":
            return self._indicator(collection, thing, seen)
        if thing in self._relationships:
            return self._relationship(collection, seen)
        if kind in SCO_TYPES:
            return self._observable(collection, seen)
        return self._owners(collection, seen)

    def _indicator(
        self, collection: Collection, thing: CanonicalKey, seen: Sequence[tuple[Claim, Projection]]
    ) -> Content | None:
        live = [p for _, p in seen if not p.revoked]
        if not live:
            return None
        revoked = [p for _, p in seen if p.revoked]
        if any(len(claim.references) > ("created_by_ref" in claim.obj) for claim, _ in seen):
            known: dict[StixId, None] = {}
            live = [
                replace(p, obj=obj)
                for claim, p in seen
                if not p.revoked and (obj := rewritten(p.obj, self._resolver(collection.no, claim, known))) is not None
            ]
            known.pop(self._policy.hub_identity, None)
            made = hubmade.indicator(live, revoked, self._policy)
            return replace(made, uses=tuple(dict.fromkeys((*made.uses, *known))))
        at = (thing, tuple(claim.key for claim, _ in seen))
        if at not in self._pages:
            self._pages[at] = hubmade.indicator(live, revoked, self._policy)
        return self._pages[at]

    def _relationship(self, collection: Collection, seen: Sequence[tuple[Claim, Projection]]) -> Content | None:
        live = [p for _, p in seen if not p.revoked]
        if not live:
            return None
        known: dict[StixId, None] = {}
        rewritten_live = []
        for claim, p in seen:
            if p.revoked:
                continue
            obj = rewritten(p.obj, self._resolver(collection.no, claim, known))
            if obj is not None:
                rewritten_live.append(replace(p, obj=obj))
        if not rewritten_live:
            return None
        ends = rewritten_live[0].obj
        revoked = [p for _, p in seen if p.revoked]
        made = hubmade.relationship(rewritten_live, revoked, self._policy, ends["source_ref"], ends["target_ref"])
        return replace(made, uses=tuple(dict.fromkeys((*made.uses, *known))))

    def _observable(self, collection: Collection, seen: Sequence[tuple[Claim, Projection]]) -> Content | None:
        known: dict[StixId, None] = {}
        live = []
        for claim, p in seen:
            obj = rewritten(p.obj, self._resolver(collection.no, claim, known))
            if obj is not None:
                live.append(replace(p, obj=obj))
        return owner.observable(sorted(live, key=lambda p: p.rank), self._policy, known) if live else None

    def _owners(self, collection: Collection, seen: Sequence[tuple[Claim, Projection]]) -> Content | None:
        chosen = owner.owners_choice([p for _, p in seen])
        claim = next(claim for claim, p in seen if p is chosen)
        known: dict[StixId, None] = {}
        obj = rewritten(chosen.obj, self._resolver(collection.no, claim, known))
        return None if obj is None else owner.owners(chosen, obj, self._policy, known)

    # ------------------------------------------------------------ what goes along with what carries it

    def _carry(self) -> Wanted:
        """Bring in what newly shown objects carry, take out what nothing carries any more."""
        for at in self._uncounted:
            self._count(at, self._result[at])
        self._uncounted.clear()
        names: dict[tuple[int, StixId], None] = {}
        for (no, used), delta in self.carried.items():
            if delta and not self._stays(no, used):
                names[no, StixId(used.partition("@")[0])] = None
        for marking in self._markings:
            for no in self._policy.collections:
                names[no, marking] = None
        self._counting = False
        for no, name in names:
            with suppress(Missing):
                self._look_at_carried(no, name)
        wanted = self._scene.wanted()
        if wanted:
            return wanted
        if self._counting or self._to_spread:
            return self.wanted()
        return self._last_wants()

    _counting = False

    def _last_wants(self) -> Wanted:
        for (no, thing), found in self._result.items():
            before = self._scene.view(no, thing) if found is None else None
            if before is not None and before.alive and before.type in _HUB_MADE:
                with suppress(Missing):
                    self._scene.body(no, before)
        return self._scene.wanted()

    def _count(self, at: tuple[int, CanonicalKey], found: Content | None) -> None:
        """Note by how much the uses of what a view carries change."""
        before = self._scene.view(*at)
        old = self._counted.get(at, before.uses if before is not None and before.alive else ())
        new = () if found is None else found.uses
        if old == new:
            return
        for used in set(old) - set(new):
            self.carried[at[0], used] -= 1
        for used in set(new) - set(old):
            self.carried[at[0], used] += 1
        self._counted[at] = new
        self._counting = True

    def _stays(self, no: int, used: str) -> bool:
        """Whether what it names was there before this step and still is; False where that is not known yet."""
        try:
            before = self._scene.carried(no, used)
        except Missing:
            return False
        return before > 0 and before + self.carried[no, used] > 0

    def _in_use(self, no: int, used: str) -> bool:
        return self._scene.carried(no, used) + self.carried.get((no, used), 0) > 0

    def _look_at_carried(self, no: int, name: StixId) -> None:
        thing = object_key(name)
        shown_before = self._shown_as(no, thing)
        found: Content | None = None
        if name in self._known:
            if self._in_use(no, name):
                found = owner.vouched(self._known[name])
        else:
            found = self._defined(no, name)
        self._result[no, thing] = found
        self._count((no, thing), found)
        if (found is None) != (shown_before is None):
            self._to_spread[no, thing] = found is None

    def _defined(self, no: int, name: StixId) -> Content | None:
        """A centre's own marking-definition, for a collection where something carries it."""
        users = [centre for centre in self._policy.centres if self._in_use(no, f"{name}@{centre}")]
        claims = [claim for centre in users if (claim := self._scene.claim(claim_key(centre, name))) is not None]
        claims = [claim for claim in claims if claim.state is not ClaimState.WITHDRAWN]
        if not claims:
            return None
        chosen = owner.owners_choice([as_definition(claim, self._policy) for claim in claims])
        claim = next(claim for claim in claims if (claim.centre, claim.id) == chosen.of)
        known: dict[StixId, None] = {}
        obj = rewritten(chosen.obj, self._resolver(no, claim, known))
        return None if obj is None else owner.marking(chosen, obj, known)

    def body(self, draft: Draft) -> bytes:
        """The newest bytes of the view that a draft ends."""
        if draft.before is None:
            return b""
        return self._scene.body(draft.collection.no, draft.before)


_HUB_MADE = frozenset({"indicator", "relationship"})


def _refuses(collection: Collection, found: Content) -> bool:
    """Whether the collection's filter leaves this out."""
    if collection.types and found.type not in collection.types:
        return True
    if found.type != "indicator":
        return False
    if collection.kinds and not collection.kinds.intersection(found.kinds):
        return True
    return (found.confidence or 0) < collection.min_confidence
