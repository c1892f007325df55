"""What one step has read from the store so far, with the step's own changes applied.

Every read either returns its answer, or is recorded and raises ``Missing``. The changes are applied when an answer
arrives, so that all code sees one state: the state after the step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.core.merge.references import has_own_meaning
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
"""Reads whose answers the step's own changes do not affect, or are applied to later."""


class Missing(Exception):  # not an error: the work is repeated once the answer is there
    """The answer is not available yet.

    A function that may raise it is called again from the start, so everything before the raise must be safe to repeat.
    """


class AskedTogether:
    """Lets several pieces of work ask for what they lack in one round.

    Each piece runs in a ``with`` block of its own. ``end`` raises ``Missing`` if one of them did.
    """

    def __init__(self) -> None:
        self._is_missing = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        is_missing = kind is Missing
        self._is_missing |= is_missing
        return is_missing

    def end(self) -> None:
        """Raise ``Missing`` if a piece of work lacks an answer."""
        if self._is_missing:
            raise Missing


def is_placed(claim: ClaimHead) -> bool:
    """Whether it is a relationship whose thing depends on what its ends mean in each collection (``Placements``)."""
    return claim.thing is None


def feedback_on(stix_id: str) -> StixId:
    """The name under which the index stores the feedback on an id, separate from other references to the id."""
    return StixId(f"feedback-on:{stix_id}")


def marked_with(source: int, marking: str) -> StixId:
    """The name under which the index stores the claims that carry one of their source's own markings."""
    return StixId(f"marked:{source}/{marking}")


def is_marking(name: StixId) -> bool:
    """Whether this name was made by ``marked_with``."""
    return name.startswith("marked:")


def indexed_references(claim: Claim, policy: Policy) -> tuple[StixId, ...]:
    """The ids whose meaning affects the claim's views; empty for a withdrawn claim."""
    if not claim.body:
        return ()
    said = claim.beside_author if stix_type(claim.type).view_author is ViewAuthor.HUB else claim.references
    refs = [ref for ref in said if ref not in policy.registered and ref != policy.hub_identity]
    refs.extend(marked_with(claim.source, ref) for ref in claim.marks.others)  # also of groups: they may be removed
    refs.extend(map(feedback_on, claim.feedback_on))
    return tuple(dict.fromkeys(refs))


class Facts:
    """See the module docstring."""

    def __init__(self, policy: Policy, changed: Mapping[ClaimKey, Claim], referrer_limit: int = REFERRER_LIMIT) -> None:
        """``changed``: the claims that the step changes. ``referrer_limit``: see ``Reads``."""
        self._referrer_limit = referrer_limit
        self._asked = Reads(referrer_limit)
        self._changed = changed
        self._claims: dict[ClaimKey, Claim] = dict(changed)
        self._known: dict[Read[Any, Any], dict[Any, Any]] = defaultdict(dict)
        self._known[CLAIM].update(changed)
        self._by_digest: dict[bytes, Claim] = {}
        """Observables by the digest of their content, because many claims have equal content."""
        self._of_thing: dict[CanonicalKey, list[Claim]] = defaultdict(list)
        self._of_id: dict[StixId, list[Claim]] = defaultdict(list)
        self._referring: dict[StixId, list[Claim]] = defaultdict(list)
        """The claims that the step changes: by thing, by id, and by the ids that they refer to."""
        self.index = Index(self)
        self.views = StoredViews(self)
        self.placements = Placements(self)
        for claim in changed.values():
            if claim.thing is not None:
                self._of_thing[claim.thing].append(claim)
            self._of_id[claim.id].append(claim)
            for target in indexed_references(claim, policy):
                self._referring[target].append(claim)

    # ------------------------------------------------------------ reading

    def get(self, read: Read[K, A], key: K) -> A:
        """The answer, with the step's changes applied. Raises ``Missing``."""
        found = self._known[read]
        if key not in found:
            self._asked.add(read, key)
            raise Missing
        answer: A = found[key]
        return answer

    def ask_ahead(self, read: Read[K, Any], keys: Iterable[K]) -> None:
        """Request answers that will be needed, so that they arrive in the first round."""
        known = self._known[read]
        self._asked.update(read, [key for key in keys if key not in known])

    def asked(self) -> Reads:
        """The reads requested since the last call."""
        found, self._asked = self._asked, Reads(self._referrer_limit)
        return found

    def prefetch(self, claim: ClaimHead) -> None:
        """Request what the work on a claim will need."""
        self.ask_ahead(REFERRERS, (claim.id,))
        if claim.type == "marking-definition":
            self.ask_ahead(REFERRERS, (marked_with(claim.source, claim.id),))
        if is_placed(claim):
            self.ask_ahead(PLACEMENT, (claim.key,))
        if claim.type != "indicator":
            self._want_ids(claim.references)

    def _want_ids(self, refs: Iterable[StixId]) -> None:
        """Request what is needed to resolve these ids."""
        self.ask_ahead(UNDER_ID, [ref for ref in refs if has_own_meaning(ref)])

    def want_thing(self, thing: CanonicalKey) -> None:
        """Request a thing's claims and views."""
        self.ask_ahead(THING, (thing,))

    # ------------------------------------------------------------ answers

    def add(self, claim: Claim) -> ClaimHead:
        """Add a claim from the store; returns it with the step's changes applied."""
        kept = self._claims.setdefault(claim.key, claim)
        self._known[CLAIM][claim.key] = kept
        return kept

    def tell(self, answers: Answers) -> None:
        """Accept answers, and apply the step's own changes to them."""
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
        """The claim with the step's changes applied."""
        kept = self._claims.get(claim.key)
        if kept is None:
            if claim.body and claim.type in SCO_TYPES:
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
        """All claims under a STIX id, of all sources."""
        return self.get(UNDER_ID, stix_id)

    def is_changed(self, claim: ClaimHead) -> bool:
        """Whether the step changes the claim."""
        return claim.key in self._changed

    def changed_referring(self, name: StixId) -> Sequence[ClaimHead]:
        """The claims that the step changes and that refer to a STIX id."""
        return self._referring.get(name, ())

    def kept(self, key: ClaimKey) -> ClaimHead:
        """The claim under this key, which must have been read already."""
        return self._claims[key]

    def known(self, read: Read[K, A], key: K) -> A | None:
        """The answer if it is already available, else None. Never raises ``Missing``."""
        return self._known[read].get(key)

    def forget(self, read: Read[K, Any], key: K) -> None:
        """Discard an answer."""
        del self._known[read][key]


class Index:
    """The claims that refer to an id. Every method may raise ``Missing``."""

    is_without_feedback = False
    """Whether it is known that there is no feedback on anything."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def referrers(self, name: StixId) -> Sequence[ClaimHead] | None:
        """All claims that refer to a STIX id; None if there are more than the limit."""
        return self._facts.get(REFERRERS, name)

    def page(self, name: StixId, after: bytes) -> list[Claim]:
        """The next page of stored claims, unchanged by the step, that refer to a STIX id.

        They are not kept: ``add`` those that are needed. The next page begins after the key of the last one.
        """
        found = self._facts.get(PAGE, (name, after))
        self._facts.forget(PAGE, (name, after))
        return found

    def feedback(self, names: Iterable[StixId]) -> list[tuple[StixId, ClaimHead]]:
        """All sightings of these ids and opinions on them, each with the id."""
        found: list[tuple[StixId, ClaimHead]] = []
        together = AskedTogether()
        for stix_id in names:
            if self._facts.known(REFERRERS, stix_id) == []:  # without any reference to it there is no feedback
                continue
            with together:
                found.extend((stix_id, claim) for claim in self.referrers(feedback_on(stix_id)) or ())
        together.end()
        return found


class StoredViews:
    """The stored views. Every method may raise ``Missing``."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def of(self, collection: int, thing: CanonicalKey) -> View | None:
        """The stored view of a thing, even if it has ended."""
        return self._facts.get(THING, thing).views.get(collection)

    def shown_as(self, collection: int, thing: CanonicalKey) -> StixId | None:
        """The id of the stored view of a thing; None if there is none, or it has ended."""
        view = self.of(collection, thing)
        return view.object_id if view is not None and view.alive else None

    def body(self, collection: int, view: View) -> bytes:
        """The newest bytes of a view."""
        return self._facts.get(BODY, (collection, view.seq))

    def past(self, collection: int, object_id: StixId) -> Change | None:
        """The last object that a collection showed under an id that the view no longer has."""
        return self._facts.get(PAST, (collection, object_id))

    def uses(self, collection: int, used: str) -> int:
        """The number of views of a collection that used something before this step."""
        return self._facts.get(USES, (collection, used))


class Placements:
    """The things that relationships are about, by collection. Every method may raise ``Missing``."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.moved: dict[ClaimKey, dict[int, CanonicalKey]] = {}
        """The things of the relationships that the step has computed."""
        self._newly: dict[tuple[int, CanonicalKey], dict[ClaimKey, None]] = defaultdict(dict)

    def of(self, key: ClaimKey) -> dict[int, CanonicalKey]:
        """The things that a relationship is about, by collection."""
        placed = self.moved.get(key)
        return self._facts.get(PLACEMENT, key) if placed is None else placed

    def place(self, key: ClaimKey, where: dict[int, CanonicalKey]) -> None:
        """Set the things that the relationship is about."""
        for collection, thing in self.of(key).items():
            self._newly[collection, thing].pop(key, None)
        self.moved[key] = where
        for collection, thing in where.items():
            self._newly[collection, thing][key] = None

    def under(self, collection: int, thing: CanonicalKey) -> list[ClaimHead]:
        """The relationships that are about a thing in a collection."""
        here = [claim for claim in self._facts.get(PLACED, thing).get(collection, ()) if claim.key not in self.moved]
        return [*here, *(self._facts.kept(key) for key in self._newly.get((collection, thing), ()))]
