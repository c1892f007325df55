"""One step's merge: from the claims that changed to the views that change, over all collections, to a fixed point.

Sans-IO: ``wanted`` says what must be looked up, ``give`` takes the answer, until nothing is wanted; then ``drafts`` are
the views that differ. Work that lacks an answer waits and is tried again, so each round asks for everything at once.

Existence is the least solution: when a view ends, or may need itself, whatever needs it is taken down first and then
built up again from what still stands, so that a circle of things that need only each other has no view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.facts import Facts, Missing, is_floating, is_marking, marked_with
from hub.core.merge.known import known_objects
from hub.core.merge.project import decision_of
from hub.core.merge.projections import Projections
from hub.core.merge.references import LEANING, has_own_meaning, key_in, object_key, required_references
from hub.core.merge.resolver import Resolver
from hub.core.merge.turns import Touched, Turns
from hub.core.merge.uses import Place, Uses
from hub.model.claims import Change, Claim, ClaimHead, ClaimKey, ClaimState, View
from hub.model.policy import Collection, Policy
from hub.model.questions import CROWD, Answers, Questions
from hub.model.stix_types import SCO_TYPES, ViewAuthor, stix_type
from hub.model.words import CanonicalKey, StixId, derived_id

Nos = tuple[int, ...]
"""Collections, by number."""
T = TypeVar("T")

_ROUNDS = 200_000
"""Passes over what there is to do in one step, after which something must be wrong: a fixed point takes far fewer."""


@dataclass(slots=True)
class Draft:
    """A view that differs from the one before: ``content`` None ends it."""

    collection: Collection
    thing: CanonicalKey
    before: View | None
    content: Content | None
    object_id: StixId
    is_merged: bool
    """It is an indicator or a merged relationship, which leaves with a last, revoked version."""
    past: Change | None = None
    """The last object shown under this id, where the view has gone by another since."""


class Engine:
    """See the head of this module."""

    def __init__(
        self,
        policy: Policy,
        changed: Mapping[ClaimKey, tuple[Claim | None, Claim]],
        again: Sequence[Claim] = (),
        *,
        only: int | None = None,
        crowd: int = CROWD,
        pending: Mapping[tuple[int, StixId], bytes] | None = None,
    ) -> None:
        """``changed``: old and new claim by key. ``again``: claims that a change of policy, or of something that they
        refer to, concerns; ``only`` in this collection. ``crowd``: more referrers of one id than this come in pages,
        and what need not happen at once is ``left`` for later steps. ``pending``: what earlier steps have left so, and
        how far it is done, by collection and name.
        """
        self._policy = policy
        self._nos = tuple(policy.collections) if only is None else (only,)
        self._facts = Facts(policy, {key: new for key, (_, new) in changed.items()}, crowd)
        projections = Projections(policy, self._facts, {key: old for key, (old, _) in changed.items()})
        self._resolver = Resolver(policy, self._facts, projections, dict(pending or {}))
        self._contents = Contents(policy, self._facts, projections, self._resolver, self._shown_as)
        self._uses = Uses(policy, self._facts, self._contents)
        self._turns = Turns(self._facts, self._resolver, crowd)
        self._known = known_objects(policy)
        self._result: dict[Place, Content | None] = {}
        self._to_place: dict[ClaimKey, None] = {}
        self._to_look: dict[Place, None] = {}
        self._to_spread: dict[Place, bool] = {}
        """Views that have come or changed their id; True: or gone, so that what needs them goes first."""
        self._to_touch: list[Touched] = []
        self._changed = changed
        self._to_begin: dict[ClaimKey, None] = dict.fromkeys(changed)
        self._ids_changed: dict[StixId, tuple[bool, Nos]] = {}
        """Ids and markings (``marked_with``) whose meaning may have changed. True: only if others claim the id too."""
        self._sighted: dict[StixId, Nos] = {}
        self._touched: dict[tuple[int, ClaimKey], ClaimHead] = {}
        """What this step looks at anew anyway, by collection."""
        self._markings: set[str] = set()
        """Marking-definitions that may have other content now, by their names (``marking_name``)."""
        self._redecided: set[StixId] = set()
        """Marking-definitions that have decided something before and decide something else now."""
        self._counting = False
        self._ids: dict[tuple[int, CanonicalKey, int], StixId] = {}
        self._uncounted: dict[Place, None] = {}
        """Places whose result has changed since what they carry was counted."""
        for old, new in changed.values():
            self._facts.prefetch(new)
            for one in (old, new):
                if one is not None and one.thing is not None:
                    self._facts.want_thing(one.thing)
        for claim in again:
            self._start(self._facts.add(claim), self._nos)
            self._id_changes(claim.id, self._nos)
            self._facts.prefetch(claim)
        if again:
            self._markings.update(self._known)

    def resume(self, no: int, name: StixId, after: bytes) -> None:
        """Take up the next of those that refer to ``name``, ``left`` by an earlier step; see ``reached``."""
        self._turns.resume(no, name, after)

    # ------------------------------------------------------------ the outside

    def ask(self) -> Questions:
        """What must be looked up before the work can go on; empty when it is done."""
        for _ in range(_ROUNDS):
            wanted = self._work()
            if wanted:
                return wanted
            if not self._is_busy() and (found := self._carry()) is not None:
                return found
        raise RuntimeError("the merge of this step does not come to an end")

    def tell(self, answers: Answers) -> None:
        """Take what was looked up."""
        self._facts.tell(answers)

    def drafts(self) -> list[Draft]:
        """The views that differ from what the store has."""
        found = []
        for (no, thing), new in self._result.items():
            before = self._facts.view(no, thing)
            alive = before is not None and before.alive
            collection, merged = self._policy.collections[no], self._is_merged(thing, before)
            if new is None:
                if before is not None and alive:
                    found.append(Draft(collection, thing, before, None, before.object_id, merged))
                continue
            object_id = self._id_of(no, thing, new)
            if before is not None and alive and before.digest == new.digest and before.object_id == object_id:
                continue
            found.append(Draft(collection, thing, before, new, object_id, merged, self._past(no, thing, new)))
        return found

    @property
    def placements(self) -> dict[ClaimKey, dict[int, CanonicalKey]]:
        """Where relationships stand now, for those that moved."""
        return self._facts.placing

    @property
    def carried(self) -> dict[tuple[int, str], int]:
        """By how much the count of what views carry changes."""
        return self._uses.changes

    @property
    def left(self) -> list[tuple[int, StixId]]:
        """Collections, and ids in them that so many refer to that the referrers' turn comes in steps after this one."""
        return self._turns.left

    @property
    def cancelled(self) -> list[tuple[int, StixId]]:
        """What earlier steps have left, and nothing waits for any more."""
        return self._turns.cancelled

    @property
    def reached(self) -> bytes | None:
        """After which key the next step must ``resume``; None when all have had their turn."""
        return self._turns.reached

    def body(self, draft: Draft) -> bytes:
        """The newest bytes of the view that a draft ends."""
        return b"" if draft.before is None else self._facts.body(draft.collection.no, draft.before)

    # ------------------------------------------------------------ what there is to do

    def _begin(self, key: ClaimKey) -> None:
        """A claim has changed: for those who see it now or saw it before. What others see, it must not even stir."""
        old, new = self._changed[key]
        nos = tuple(no for no in self._nos if self._resolver.sees(no, new) or self._resolver.saw(no, new))
        self._start(new, nos)
        if new.type == "marking-definition":
            self._redefine(old, new)
        elif has_own_meaning(new.id):
            self._id_changes(new.id, nos, quiet=old is not None and _means_the_same(old, new))
        if old is None:
            return
        if old.sighted is not None:
            self._sight(old.sighted, nos)
        if old.thing != new.thing:
            if old.thing is None:
                self._to_place[old.key] = None
            else:
                self._look_at(old.thing, nos)

    def _redefine(self, old: ClaimHead | None, new: ClaimHead) -> None:
        """A marking may mean something else to what carries it."""
        before = decision_of(old)
        if before != decision_of(new):
            name = marked_with(new.id)
            self._id_changes(name, self._nos)
            if before.readable:
                self._redecided.add(name)

    def _start(self, claim: ClaimHead, nos: Nos) -> None:
        if is_floating(claim):
            self._to_place[claim.key] = None
        elif self._resolver.goes_along(claim):
            self._markings.update((claim.id, f"{claim.id}/{claim.centre}"))
        elif claim.thing is not None:
            self._look_at(claim.thing, nos)
        if claim.sighted is not None:
            self._sight(claim.sighted, nos)
        self._note(claim, nos)

    def _note(self, claim: ClaimHead, nos: Nos) -> None:
        for no in nos:
            self._touched[no, claim.key] = claim

    def _id_changes(self, name: StixId, nos: Nos, *, quiet: bool = False) -> None:
        was_quiet, before = self._ids_changed.get(name, (True, ()))
        self._ids_changed[name] = (quiet and was_quiet, tuple(dict.fromkeys((*before, *nos))))

    def _sight(self, ref: StixId, nos: Nos) -> None:
        self._sighted[ref] = tuple(dict.fromkeys((*self._sighted.get(ref, ()), *nos)))

    def _look_at(self, thing: CanonicalKey, nos: Nos) -> None:
        self._facts.want_thing(thing)
        for no in nos:
            self._to_look[no, thing] = None

    def _is_busy(self) -> bool:
        return self._is_stirring() or bool(self._to_look)

    def _is_stirring(self) -> bool:
        """Whether it is still open what must be looked at."""
        return bool(
            self._to_begin or self._ids_changed or self._sighted or self._to_place or self._to_spread or self._to_touch
        ) or not self._turns.done()  # fmt: skip

    def _work(self) -> Questions:
        """One pass over all there is to do; what lacks an answer stays."""
        for key in list(self._to_begin):
            with suppress(Missing):
                self._begin(key)
                del self._to_begin[key]
        for name, (quiet, nos) in list(self._ids_changed.items()):
            with suppress(Missing):
                self._spread_id(name, nos, quiet=quiet)
                self._forget_if_done(self._ids_changed, name, (quiet, nos))
        for ref, nos in list(self._sighted.items()):
            with suppress(Missing):
                self._look_at_sighted(ref, nos)
                self._forget_if_done(self._sighted, ref, nos)
        for key in list(self._to_place):
            with suppress(Missing):
                self._place(key)
                del self._to_place[key]
        for (no, thing), ended in list(self._to_spread.items()):
            with suppress(Missing):
                self._spread(no, thing, ended=ended)
                del self._to_spread[no, thing]
        self._walk()
        if not self._is_stirring():
            for at in list(self._to_look):
                with suppress(Missing):
                    self._look(*at)
        return self._facts.asked()

    @staticmethod
    def _forget_if_done(todo: dict[StixId, T], name: StixId, done: T) -> None:
        if todo[name] == done:  # else more has come to it meanwhile
            del todo[name]

    def _walk(self) -> None:
        """Touch those of the crowds whose turn it is."""
        known = len(self._turns.left_so_far)
        self._to_touch.extend(self._turns.advance())
        for no, name in list(self._turns.left_so_far)[known:]:
            # some may have been looked at already, after it had come and before it was known that they must wait
            for (where, _), claim in list(self._touched.items()):
                if where == no and (name in claim.references or is_marking(name)):
                    self._to_touch.append(Touched(no, name, claim, ended=False))
        self._to_touch = [touched for touched in self._to_touch if not self._is_touched(touched)]

    def _touch(self, claim: ClaimHead, nos: Nos) -> None:
        """Something that this claim refers to has changed there."""
        self._note(claim, nos)
        if claim.sighted is not None:  # it may count now where it did not
            self._sight(claim.sighted, nos)
        if is_floating(claim):
            self._to_place[claim.key] = None
            for no, thing in self._facts.placement(claim.key).items():
                self._resolver.relationships.add(thing)
                if no in nos:
                    self._to_look[no, thing] = None
        elif self._resolver.goes_along(claim):
            self._markings.update((claim.id, f"{claim.id}/{claim.centre}"))
        elif claim.thing is not None:
            self._look_at(claim.thing, nos)

    # ------------------------------------------------------------ what depends on what

    def _spread_id(self, name: StixId, nos: Nos, *, quiet: bool) -> None:
        """What an id means may have changed: for all that refers to it, or only where centres contest it."""
        referrers = self._facts.referrers(name)
        if referrers is not None and not referrers:
            return
        if quiet and len(self._facts.claims_of_id(name)) == 1:
            return
        for no in nos if is_marking(name) else ():
            self._turns.forget(no, name)
        for claim in referrers if referrers is not None else self._facts.changed_referrers(name):
            for no in nos:
                self._touch_referrer(no, name, claim, ended=False)
        if referrers is None:
            # a marking that can be read at last shows what waited for it; what was decided otherwise must not wait
            may_wait = is_marking(name) and name not in self._redecided
            for no in nos:
                self._turns.add(no, name, ended=not may_wait, at_once=not may_wait)

    def _look_at_sighted(self, ref: StixId, nos: Nos) -> None:
        """Sightings of this id have changed: so may have what is said of each indicator that it may mean."""
        thing = key_in(ref)
        if not ref.startswith("indicator--"):
            return
        if thing is not None:
            self._look_at(thing, nos)
        else:
            for claim in self._facts.claims_of_id(ref):
                if claim.thing is not None:
                    self._look_at(claim.thing, nos)

    def _spread(self, no: int, thing: CanonicalKey, *, ended: bool) -> None:
        """A view has come, gone, or changed its id: so may what refers to it."""
        names: dict[StixId, None] = {}
        kind = None
        for claim in self._resolver.about(no, thing):
            kind = claim.type
            names[claim.id] = None
            names[claim.object_id] = None
        before, now = self._facts.view(no, thing), self._result.get((no, thing))
        if before is not None:
            names[before.object_id] = None
            kind = before.type
        if now is not None:
            names[now.own_id or StixId("")] = None
            kind = now.type
        names.pop(StixId(""), None)
        if kind is not None and kind not in SCO_TYPES:
            names.update(dict.fromkeys(self._facts.keyed_names(kind, thing)))
        for name in names:
            if ended and now is not None:  # under another id, for which nobody waits
                self._turns.forget(no, name)
            self._spread_name(no, name, ended=ended, is_new=before is None or not before.alive)

    def _spread_name(self, no: int, name: StixId, *, ended: bool, is_new: bool) -> None:
        referrers = self._facts.referrers(name)
        if ended:
            self._turns.cancel(no, name)
        elif not is_new:
            self._turns.restore(no, name)
        for claim in referrers if referrers is not None else self._facts.changed_referrers(name):
            self._touch_referrer(no, name, claim, ended=ended)
        if referrers is None:
            # what was only taken down for a moment must not leave its referrers without it
            self._turns.add(no, name, ended=ended, at_once=ended or not is_new)

    def _is_touched(self, touched: Touched) -> bool:
        """Touch one of a crowd; says whether all that it takes was known."""
        try:
            self._touch_referrer(touched.no, touched.name, touched.claim, ended=touched.ended)
        except Missing:
            return False
        return True

    def _touch_referrer(self, no: int, name: StixId, claim: ClaimHead, *, ended: bool) -> None:
        revealed = is_marking(name)
        sees = self._resolver.sees(no, claim) or self._resolver.goes_along(claim)
        if not sees and not (revealed and self._resolver.saw(no, claim)):
            return
        self._touch(claim, (no,))
        if revealed and has_own_meaning(claim.id):  # who sees it has changed, and so what its own id means
            self._id_changes(claim.id, (no,))
        p = self._resolver.project(claim, no) if ended else None
        if p is not None and name in required_references(p.obj):
            thing = self._facts.placement(claim.key).get(no) if is_floating(claim) else claim.thing
            if thing is not None:
                self._take_down(no, thing)

    def _take_down(self, no: int, thing: CanonicalKey) -> None:
        """Until it is looked at again, this has no view: so a circle does not hold itself up."""
        if self._shown_as(no, thing) is not None:
            self._result[no, thing] = None
            self._uncounted[no, thing] = None
            self._to_look[no, thing] = None
            self._to_spread[no, thing] = True

    # ------------------------------------------------------------ ids

    def _id_of(self, no: int, thing: CanonicalKey, found: Content) -> StixId:
        if found.own_id is not None:
            return found.own_id
        before = self._facts.view(no, thing)
        at = (no, thing, 0 if before is None else before.generation)
        if at not in self._ids:
            name = f"{self._policy.collections[no].id} {thing.hex()} {at[2]}"
            self._ids[at] = derived_id(found.type, self._policy.namespace, name)
        return self._ids[at]

    def _shown_as(self, no: int, thing: CanonicalKey) -> StixId | None:
        """The id under which a collection shows a thing now, as far as this step has come."""
        if (no, thing) in self._result:
            found = self._result[no, thing]
            return None if found is None else self._id_of(no, thing, found)
        before = self._facts.view(no, thing)
        return before.object_id if before is not None and before.alive else None

    def _past(self, no: int, thing: CanonicalKey, new: Content) -> Change | None:
        """What was last shown under an owner's id, if the view has gone by another id since."""
        before = self._facts.view(no, thing)
        if new.own_id is None or before is None or before.object_id == new.own_id:
            return None
        return self._facts.past(no, new.own_id)

    # ------------------------------------------------------------ relationships find their things

    def _place(self, key: ClaimKey) -> None:
        claim = self._facts.claim(key)
        if claim is None:
            return
        old = self._facts.placement(key)
        where = {no: thing for no, thing in old.items() if no not in self._nos}
        for no in self._nos:
            thing = self._resolver.stands_for(no, claim) if is_floating(claim) else None
            if thing is not None:
                where[no] = thing
        self._resolver.relationships.update(where.values(), old.values())
        for no in self._nos:
            for place in (old.get(no), where.get(no)):
                if place is not None:
                    self._facts.want_thing(place)
                    self._to_look[no, place] = None
        if where != old:
            self._facts.place(key, where)
            self._id_changes(claim.id, tuple(no for no in self._nos if where.get(no) != old.get(no)))

    # ------------------------------------------------------------ looking at one thing in one collection

    def _look(self, no: int, thing: CanonicalKey) -> None:
        first = (no, thing) not in self._result
        shown_before = self._shown_as(no, thing)
        found = self._contents.content(self._policy.collections[no], thing)
        if (
            first and found is not None and shown_before is not None
            and found.type in LEANING and self._resolver.may_need_itself(no, thing)
        ):  # fmt: skip
            self._take_down(no, thing)
            return
        self._result[no, thing] = found
        self._uncounted[no, thing] = None
        shown_now = None if found is None else self._id_of(no, thing, found)
        if shown_now != shown_before:
            # what was shown under the old id must go at once: it refers to what is not there
            self._to_spread[no, thing] = self._to_spread.get((no, thing), False) or shown_before is not None
        self._to_look.pop((no, thing), None)

    # ------------------------------------------------------------ what goes along with what carries it

    def _carry(self) -> Questions | None:
        """Bring in what newly shown objects carry, take out what nothing carries any more; None: there is more."""
        self._counting = False
        for at in self._uncounted:
            self._counting |= self._uses.count(at, self._result[at])
        self._uncounted.clear()
        names = self._uses.names()
        for marking in self._markings:
            for no in self._nos:
                names[no, marking] = None
        for no, name in names:
            with suppress(Missing):
                self._look_at_carried(no, name)
        wanted = self._facts.asked()
        if wanted:
            return wanted
        if self._counting or self._is_busy():
            return None
        return self._last_wants()

    def _look_at_carried(self, no: int, name: str) -> None:
        if self._uses.stays(no, name):
            return
        thing = object_key(name)
        shown_before = self._shown_as(no, thing)
        found = self._uses.content(no, name)
        self._result[no, thing] = found
        self._counting |= self._uses.count((no, thing), found)
        if (found is None) != (shown_before is None):
            self._to_spread[no, thing] = found is None

    def _last_wants(self) -> Questions:
        """The bytes and dates that the stamps need."""
        for (no, thing), found in self._result.items():
            with suppress(Missing):
                if found is not None:
                    self._past(no, thing, found)
            with suppress(Missing):
                before = self._facts.view(no, thing)
                if before is not None and self._leaves(no, thing, before, found) and self._is_merged(thing, before):
                    self._facts.body(no, before)
        return self._facts.asked()

    def _is_merged(self, thing: CanonicalKey, before: View | None) -> bool:
        """Whether a view is of an indicator, or of a relationship that is merged."""
        if before is not None and stix_type(before.type).view_author is ViewAuthor.HUB:
            return True
        return thing in self._resolver.relationships

    def _leaves(self, no: int, thing: CanonicalKey, before: View, found: Content | None) -> bool:
        """Whether what was shown is so no more: nothing is, or it goes by another id from now on."""
        return before.alive and (found is None or self._id_of(no, thing, found) != before.object_id)


def _means_the_same(old: ClaimHead, new: ClaimHead) -> bool:
    """Whether an id that one centre alone claims means after a change what it meant before it, to everyone."""
    return (
        old.thing == new.thing
        and old.thing is not None
        and old.state is ClaimState.LIVE
        and new.state is ClaimState.LIVE
        and old.marks == new.marks
    )
