"""What a collection showed of a thing at an earlier number of its change log, and from which claims.

The log has the object as it was shown, with its sources. Of claims the hub keeps the newest only, so those of that time
are told of as far as they still stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from hub.core.merge.solution import made_id
from hub.model.errors import NotFound, Refused
from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import Collection, Policy
from hub.model.principals import Principal
from hub.model.times import exact_time
from hub.model.words import CanonicalKey, Naming, Seq, StixObject, received_us
from hub.questions.explain import ENOUGH, Explaining, asker_of, checked, nothing_known
from hub.questions.explained import Asker, CollectionPart, KnownClaim, KnownThing, known_claim, known_thing
from hub.store.port import AsOf, Store

_MOST_GENERATIONS = 1_000


@dataclass(frozen=True, slots=True)
class Past:
    """What a collection showed of a thing at a number of its log."""

    seq: Seq
    """The change that made it."""
    date_added: str
    state: Literal["live", "withdrawn"]
    is_current: bool
    """Whether the collection still shows it so, and no newer version is put off; then ``claims`` are all of its claims.
    """
    obj: StixObject
    """The object; of a withdrawal what is left of it, if anything."""
    claims: tuple[KnownClaim, ...]
    """The claims that stand today and had arrived by then, by rank. Without those of sources that are not shown by name
    to the caller: when exactly they arrived is not for others."""

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The sources that the object names, with the first and the last time of their claims."""
        return list((self.obj.get("extensions") or {}).get(VIEW_EXTENSION, {}).get("sources") or ())


@dataclass(frozen=True, slots=True)
class Lacking:
    """Why it cannot be told what a collection showed."""

    code: str
    says: str


@dataclass(frozen=True, slots=True)
class PastThing:
    """A thing, and what a collection showed of it."""

    thing: KnownThing
    then: Past | Lacking


async def explain_at(
    store: Store, principal: Principal, collection: Collection, at: int, asked: str
) -> tuple[PastThing, ...]:
    """What a collection, about which the principal may ask, showed at its change ``at`` of the things that are asked
    for. Raises Refused for a number that the collection has not reached, and NotFound if it shows nothing of them now
    and never did, or if nothing can be told of that time.
    """
    said, policy = checked(asked), await store.policy()
    last = (await store.logs.head(collection.no)).seq
    if at > last:
        says = f"The last change of {collection.name} has the number {last:,}; there is no {at:,} yet."
        raise Refused("explain.at-beyond", says, "See ctihub status for the numbers of collections.")
    asker = asker_of(principal, policy)
    question, explaining = _Question(store, policy, asker, Seq(at)), Explaining(store, policy, asker, [collection])
    known: list[PastThing] = []
    async for things, _ in explaining.asked_for(said):
        for thing, (part,) in (await explaining.parts(things)).items():
            if (answer := await question.answer(thing, part)) is not None:
                known.append(answer)
        if len(known) >= ENOUGH:
            break
    if not known:
        raise nothing_known(said)
    if all(isinstance(one.then, Lacking) for one in known):
        first = known[0].then
        assert isinstance(first, Lacking)  # noqa: S101 - all are
        raise NotFound(first.code, first.says)
    return tuple(known)


class _Question:
    """One question about one number of one log."""

    def __init__(self, store: Store, policy: Policy, asker: Asker, at: Seq) -> None:
        self._store = store
        self._policy = policy
        self._asker = asker
        self._at = at

    async def answer(self, thing: CanonicalKey, part: CollectionPart) -> PastThing | None:
        """What the collection showed of a thing; None if the caller may see nothing of the thing."""
        known = known_thing(thing, [part], self._asker, self._policy)
        if known is None or part.shown is None:
            return None
        view = part.shown.view
        ids = {claim.id for claim, _ in part.claims} | {view.object_id}
        generations = range(min(view.generation, _MOST_GENERATIONS) + 1)
        ids |= {made_id(self._policy, (part.collection.no, thing), view.type, number) for number in generations}
        found = await self._store.logs.as_of(part.collection.no, ids, self._at)
        return PastThing(known, self._lacking(part, found) if found.row is None else self._past(part, found))

    def _lacking(self, part: CollectionPart, found: AsOf) -> Lacking:
        name, at = part.collection.name, f"{self._at:,}"
        if not found.is_kept:
            says = (
                f"What {name} showed of this at change {at} is not kept: a newer version followed, and superseded ones "
            )
            return Lacking("explain.at-deleted", says + "are deleted by retention.versions and retention.per-object.")
        if not found.is_near:
            says = f"This has come back to {name} since change {at}, and too many changes lie between to look for it."
            return Lacking("explain.at-far", says)
        says = f"{name} did not show this at change {at}"
        return Lacking(
            "explain.at-before", f"{says}; it first did at change {found.next:,}." if found.next else f"{says}."
        )

    def _past(self, part: CollectionPart, found: AsOf) -> Past:
        assert found.row is not None  # noqa: S101 - the caller asked
        assert part.shown is not None  # noqa: S101 - the caller asked
        row, view = found.row, part.shown.view
        is_current = row.seq == view.seq and view.late_us is None
        obj = orjson.loads(found.body) if found.body else {}
        past = Past(
            seq=row.seq,
            date_added=exact_time(row.date_added_us),
            state="withdrawn" if row.withdrawn else "live",
            is_current=is_current,
            obj=obj,
            claims=(),
        )
        return replace(past, claims=() if row.withdrawn else self._standing(part, past, row.date_added_us))

    def _standing(self, part: CollectionPart, past: Past, until_us: int) -> tuple[KnownClaim, ...]:
        """The claims that stood then: all of the current version, else those that are known to."""
        named = {source["name"] for source in past.sources}
        return tuple(
            known_claim(claim, p, self._asker, self._policy)
            for claim, p in part.claims
            if past.is_current
            or (
                received_us(claim.stamp) <= until_us
                and (p.source.naming is Naming.NAMED or self._asker.owns(claim))
                and (not named or p.source.shown_name in named)
            )
        )
