"""What one step knows of the store so far; the step's own changes replace what the store says.

Every read either has its answer, or is noted and raises ``Missing``. The changes are put in when an answer is
taken, so that all code sees one state, that after the step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.core.merge.references import has_own_meaning, keyed
from hub.model.claims import Change, Claim, ClaimHead, ClaimKey, View
from hub.model.policy import Policy
from hub.model.reads import (
    BODY,
    CLAIM,
    PAGE,
    PAST,
    PLACED,
    PLACEMENT,
    REFERRER_LIMIT,
    REFERRERS,
    THING,
    UNDER_ID,
    USES,
    A,
    Answers,
    K,
    Read,
    Reads,
)
from hub.model.stix_types import SCO_TYPES, ViewAuthor, stix_type
from hub.model.words import CanonicalKey, StixId

_AS_THEY_ARE: tuple[Read[Any, Any], ...] = (PAGE, PLACEMENT, BODY, USES, PAST)
"""What the step's own changes do not alter, or is overlaid when it is asked."""


class Missing(Exception):  # not an error: the work is tried again with the answer
    """The answer is not there yet.

    A function that may raise it is called again from the start: what it does before must be safe to do twice.
    """


def is_placed(claim: ClaimHead) -> bool:
    """Whether it is a relationship whose thing depends on what its ends mean in each collection (``Placements``)."""
    return claim.thing is None


def sighting_of(stix_id: str) -> StixId:
    """The name under which the index keeps the sightings of an id, apart from everything that refers to it."""
    return StixId(f"sighting-of:{stix_id}")


def marked_with(source: int, marking: str) -> StixId:
    """The name under which the index keeps the claims that have a marking of their source's own."""
    return StixId(f"marked:{source}/{marking}")


def is_marking(name: StixId) -> bool:
    """Whether ``marked_with`` made this name."""
    return name.startswith("marked:")


def indexed_references(claim: Claim, policy: Policy) -> tuple[StixId, ...]:
    """The ids whose meaning decides what the claim's views show; empty for a withdrawn claim."""
    if not claim.body:
        return ()
    said = claim.beside_author if stix_type(claim.type).view_author is ViewAuthor.HUB else claim.references
    refs = [ref for ref in said if ref not in policy.registered and ref != policy.hub_identity]
    refs.extend(marked_with(claim.source, ref) for ref in claim.marks.others)  # a group's too: it may be removed
    if claim.sighted is not None:
        refs.append(sighting_of(claim.sighted))
    return tuple(dict.fromkeys(refs))


class Facts:
    """See the head of this module."""

    def __init__(self, policy: Policy, changed: Mapping[ClaimKey, Claim], referrer_limit: int = REFERRER_LIMIT) -> None:
        """``changed``: the claims that the step changes. ``referrer_limit``: see ``Reads``."""
        self._referrer_limit = referrer_limit
        self._asked = Reads(referrer_limit)
        self._changed = changed
        self._claims: dict[ClaimKey, Claim] = dict(changed)
        self._known: dict[Read[Any, Any], dict[Any, Any]] = defaultdict(dict)
        self._known[CLAIM].update(changed)
        self._by_digest: dict[bytes, Claim] = {}
        """Observables by the digest of their content: many claims have the same content."""
        self._of_thing: dict[CanonicalKey, list[Claim]] = defaultdict(list)
        self._of_id: dict[StixId, list[Claim]] = defaultdict(list)
        self._referring: dict[StixId, list[Claim]] = defaultdict(list)
        """Of the claims that the step changes: by thing, by id, and by the ids that they refer to."""
        self.index = Index(self)
        self.views = StoredViews(self, policy)
        self.placements = Placements(self)
        for claim in changed.values():
            if claim.thing is not None:
                self._of_thing[claim.thing].append(claim)
            self._of_id[claim.id].append(claim)
            for target in indexed_references(claim, policy):
                self._referring[target].append(claim)

    # ------------------------------------------------------------ asking

    def get(self, read: Read[K, A], key: K) -> A:
        """The answer, as the step has it."""
        found = self._known[read]
        if key not in found:
            self._asked.add(read, key)
            raise Missing
        answer: A = found[key]
        return answer

    def ask_ahead(self, read: Read[K, Any], keys: Iterable[K]) -> None:
        """Note what will be needed, so that it comes with the first answers."""
        known = self._known[read]
        self._asked.update(read, [key for key in keys if key not in known])

    def asked(self) -> Reads:
        """What has been noted since the last call."""
        found, self._asked = self._asked, Reads(self._referrer_limit)
        return found

    def prefetch(self, claim: ClaimHead) -> None:
        """Note what the work on a claim will need."""
        self.ask_ahead(REFERRERS, (claim.id,))
        if claim.type == "marking-definition":
            self.ask_ahead(REFERRERS, (marked_with(claim.source, claim.id),))
        if is_placed(claim):
            self.ask_ahead(PLACEMENT, (claim.key,))
        if claim.type != "indicator":
            self._want_ids(claim.references)

    def _want_ids(self, refs: Iterable[StixId]) -> None:
        """Note that what these ids mean will be needed."""
        self.ask_ahead(UNDER_ID, [ref for ref in refs if has_own_meaning(ref)])

    def want_thing(self, thing: CanonicalKey) -> None:
        """Note that a thing's claims and views will be needed."""
        self.ask_ahead(THING, (thing,))

    # ------------------------------------------------------------ being told

    def add(self, claim: Claim) -> ClaimHead:
        """A claim as the store has it; returns it as the step has it."""
        kept = self._claims.setdefault(claim.key, claim)
        self._known[CLAIM][claim.key] = kept
        return kept

    def tell(self, answers: Answers) -> None:
        """Take answers; the step's own changes replace what they say."""
        claims = self._known[CLAIM]
        for key, claim in answers.of(CLAIM).items():
            claims.setdefault(key, claim if claim is None else self._kept(claim))
        for thing, record in answers.of(THING).items():
            about = {old.key: claim for old in record.claims if (claim := self._kept(old)).thing == thing}
            about |= {claim.key: claim for claim in self._of_thing.get(thing, ())}
            self._known[THING][thing] = record._replace(claims=list(about.values()))
        for stix_id, under in answers.of(UNDER_ID).items():
            found = {claim.key: self._kept(claim) for claim in under}
            found |= {claim.key: claim for claim in self._of_id.get(stix_id, ())}
            self._known[UNDER_ID][stix_id] = list(found.values())
        for name, referring in answers.of(REFERRERS).items():
            kept = None if referring is None else [self._kept(one) for one in referring if one.key not in self._changed]
            self._known[REFERRERS][name] = None if kept is None else [*kept, *self._referring.get(name, ())]
        for thing, placed in answers.of(PLACED).items():
            self._known[PLACED][thing] = {no: [self._kept(claim) for claim in some] for no, some in placed.items()}
        for read in _AS_THEY_ARE:
            self._known[read].update(answers.of(read))

    def _kept(self, claim: Claim) -> Claim:
        """A claim as the step has it."""
        kept = self._claims.get(claim.key)
        if kept is None:
            if claim.type in SCO_TYPES:
                claim.share(self._by_digest.setdefault(claim.digest, claim))
            kept = self._claims[claim.key] = claim
        return kept

    # ------------------------------------------------------------ claims

    def claim(self, key: ClaimKey) -> ClaimHead | None:
        """The claim under this key."""
        kept = self._claims.get(key)
        return kept if kept is not None else self.get(CLAIM, key)

    def claims_of_thing(self, thing: CanonicalKey) -> Sequence[ClaimHead]:
        """All claims about a thing."""
        return self.get(THING, thing).claims

    def claims_of_id(self, stix_id: StixId) -> Sequence[ClaimHead]:
        """All claims under a STIX id, of whatever source."""
        return self.get(UNDER_ID, stix_id)

    def is_changed(self, claim: ClaimHead) -> bool:
        """Whether the step changes the claim."""
        return claim.key in self._changed

    def changed_referring(self, name: StixId) -> Sequence[ClaimHead]:
        """The claims that the step changes and that refer to a STIX id."""
        return self._referring.get(name, ())

    def kept(self, key: ClaimKey) -> ClaimHead:
        """A claim that is known to be there."""
        return self._claims[key]

    def known(self, read: Read[K, A], key: K) -> A | None:
        """The answer, if there is one already."""
        return self._known[read].get(key)

    def forget(self, read: Read[K, Any], key: K) -> None:
        """Keep an answer no longer."""
        del self._known[read][key]


class Index:
    """The claims that refer to an id. Every method may raise ``Missing``."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def referrers(self, name: StixId) -> Sequence[ClaimHead] | None:
        """All claims that refer to a STIX id; None when there are more than the limit."""
        return self._facts.get(REFERRERS, name)

    def page(self, name: StixId, after: bytes) -> list[Claim]:
        """The next claims of the store, of those that the step does not change, that refer to a STIX id.

        They are not kept: ``add`` those that matter. The last one's key is where the next page begins.
        """
        found = self._facts.get(PAGE, (name, after))
        self._facts.forget(PAGE, (name, after))
        return found

    def sightings(self, names: Iterable[StixId]) -> list[tuple[StixId, ClaimHead]]:
        """All claims of sightings of these ids, each with the id."""
        found: list[tuple[StixId, ClaimHead]] = []
        missing = False
        for stix_id in names:
            if self._facts.known(REFERRERS, stix_id) == []:  # nothing refers to it, so no sighting does
                continue
            try:
                found.extend((stix_id, claim) for claim in self.referrers(sighting_of(stix_id)) or ())
            except Missing:  # ask for all of them at once
                missing = True
        if missing:
            raise Missing
        return found


class StoredViews:
    """The stored views. Every method may raise ``Missing``."""

    def __init__(self, facts: Facts, policy: Policy) -> None:
        self._facts = facts
        self._collections = policy.collections
        self._keyed_names: dict[CanonicalKey, list[StixId]] = {}

    def of(self, collection: int, thing: CanonicalKey) -> View | None:
        """The stored view of a thing, also one that has ended."""
        return self._facts.get(THING, thing).views.get(collection)

    def shown_as(self, collection: int, thing: CanonicalKey) -> StixId | None:
        """The id of the stored view of a thing; None for no view, or one that has ended."""
        view = self.of(collection, thing)
        return view.object_id if view is not None and view.alive else None

    def keyed_names(self, kind: str, thing: CanonicalKey) -> list[StixId]:
        """How references name a thing by its key: not at all before some collection has shown it."""
        if thing not in self._keyed_names:
            views = self._facts.get(THING, thing).views
            shown = not self._collections.keys().isdisjoint(views)
            self._keyed_names[thing] = [keyed(kind, thing)] if shown else []
        return self._keyed_names[thing]

    def body(self, collection: int, view: View) -> bytes:
        """The newest bytes of a view."""
        return self._facts.get(BODY, (collection, view.seq))

    def past(self, collection: int, object_id: StixId) -> Change | None:
        """The last object that a collection showed under an id which another id of the same view followed."""
        return self._facts.get(PAST, (collection, object_id))

    def uses(self, collection: int, used: str) -> int:
        """How many views of a collection use something, before this step."""
        return self._facts.get(USES, (collection, used))


class Placements:
    """The things that relationships are about, by collection. Every method may raise ``Missing``."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.moved: dict[ClaimKey, dict[int, CanonicalKey]] = {}
        """The things of those that the step has computed."""
        self._newly: dict[tuple[int, CanonicalKey], dict[ClaimKey, None]] = defaultdict(dict)

    def of(self, key: ClaimKey) -> dict[int, CanonicalKey]:
        """The thing that a relationship is about, by collection."""
        placed = self.moved.get(key)
        return self._facts.get(PLACEMENT, key) if placed is None else placed

    def place(self, key: ClaimKey, where: dict[int, CanonicalKey]) -> None:
        """From now on the relationship is about these things."""
        for collection, thing in self.of(key).items():
            self._newly[collection, thing].pop(key, None)
        self.moved[key] = where
        for collection, thing in where.items():
            self._newly[collection, thing][key] = None

    def under(self, collection: int, thing: CanonicalKey) -> list[ClaimHead]:
        """The relationships that are about a thing in a collection."""
        here = [claim for claim in self._facts.get(PLACED, thing).get(collection, ()) if claim.key not in self.moved]
        return [*here, *(self._facts.kept(key) for key in self._newly.get((collection, thing), ()))]
