"""The answer of ``explain``, composed from views and visible projections. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hub.core.merge.project import Projection
from hub.core.merge.references import object_key
from hub.core.merge.voices import voices, weight
from hub.model.claims import Claim, View
from hub.model.extensions import VIEW_EXTENSION
from hub.model.feedback import Verdict, verdict_of
from hub.model.policy import Collection, Policy, Source
from hub.model.stix_types import ViewAuthor, stix_type
from hub.model.times import exact_time, parse_us
from hub.model.words import CanonicalKey, Level, Naming, Seq, StixId, StixObject
from hub.store.thing_port import ShownView

# ---------------------------------------------------------------- the answer


@dataclass(frozen=True, slots=True)
class KnownClaim:
    """One contribution to a view, as far as the caller may see it. Times are STIX text, or only days."""

    source: str
    """The source's name, as shown to the caller."""
    level: Level
    id: StixId | None
    """The source's own id; only for that source and for operators."""
    created: str | None
    modified: str | None
    confidence: int | None
    """As claimed, 0 to 100."""
    state: str
    """``live``, ``revoked`` or ``expired``."""


@dataclass(frozen=True, slots=True)
class KnownFeedback:
    """A sighting of a thing, or a verdict on it, as far as the caller may see it. Times are STIX text, or only days."""

    source: str
    """The source's name, as shown to the caller."""
    level: Level
    verdict: Verdict | None
    """None for a sighting."""
    count: int | None
    """Of a sighting: how often; None if it states none."""
    first_seen: str | None
    last_seen: str | None
    modified: str | None
    text: str | None
    """The note or the reason that was given."""


@dataclass(frozen=True, slots=True)
class Linked:
    """An object at the other end of a relationship of a view, as their collection shows both."""

    relationship: str
    """``relationship_type``."""
    is_source: bool
    """Whether the view is the source of the relationship."""
    id: StixId
    type: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a view."""

    linked: tuple[Linked, ...] = ()
    is_cut: bool = False
    """Whether there are more."""


NO_LINKS = Links()


@dataclass(frozen=True, slots=True)
class KnownView:
    """What one collection shows of a thing, and from which claims."""

    collection: Collection
    id: StixId | None
    """None while the collection shows nothing."""
    state: Literal["live", "withdrawn", "none"]
    seq: Seq
    """The change that led to the current state; 0 if there never was one."""
    version: str | None
    first: str | None
    """The first time in the view's list of sources."""
    last: str | None
    confidence: int | None
    how: str
    """The formula of the confidence with its numbers; empty if there is none."""
    voices: int
    claims: tuple[KnownClaim, ...]
    """By rank, best first."""
    feedback: tuple[KnownFeedback, ...]
    """The newest first, at most ``MOST_FEEDBACK``; for operators and centres that claim the thing, empty for others."""
    name: str | None = None
    description: str | None = None
    references: tuple[StixObject, ...] = ()
    """The external references of the object that is shown."""
    links: Links = NO_LINKS


@dataclass(frozen=True, slots=True)
class KnownThing:
    """A thing, as far as the caller may see it."""

    key: CanonicalKey | None
    """None if it would reveal more than what is shown."""
    type: str
    text: str
    """What identifies it: a pattern, a value, or the id under which it is shown."""
    views: tuple[KnownView, ...]


# ---------------------------------------------------------------- composing it


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks the question."""

    source: Source | None = None
    operator: bool = False

    def owns(self, claim: Claim) -> bool:
        """Whether the caller may see a claim's own id: its source and operators may."""
        return self.operator or (self.source is not None and self.source.no == claim.source)


@dataclass(frozen=True, slots=True)
class CollectionPart:
    """The result for one collection: the view, and the claims that its audience may see."""

    collection: Collection
    shown: ShownView | None
    claims: Sequence[tuple[Claim, Projection]]
    """By rank."""
    feedback: Sequence[tuple[Claim, Projection]]
    """The feedback that its audience may see; empty for a caller who does not claim the thing."""
    links: Links = NO_LINKS


def known_thing(
    thing: CanonicalKey, parts: Sequence[CollectionPart], asker: Asker, policy: Policy
) -> KnownThing | None:
    """A thing, as far as the caller may see it; None if the caller may see nothing of it."""
    about = next((claim for part in parts for claim, _ in part.claims), None)
    shown = next((part.shown for part in parts if part.shown is not None), None)
    if about is None and shown is None:
        return None
    kind = about.type if about is not None else (shown.view.type if shown is not None else "")
    own = any(asker.owns(claim) for part in parts for claim, _ in part.claims)
    return KnownThing(
        key=thing if own or _is_told(thing, kind, shown) else None,
        type=kind,
        text=text_of(parts, shown, asker),
        views=tuple(_view(part, asker, policy) for part in parts if part.shown is not None or part.claims),
    )


def _is_told(thing: CanonicalKey, kind: str, shown: ShownView | None) -> bool:
    """Whether the key reveals no more than the view: it must not confirm a guessed id that is not shown."""
    return kind == "indicator" or (shown is not None and thing == object_key(shown.view.object_id))


def _object(shown: ShownView | None) -> StixObject:
    return orjson.loads(shown.body) if shown is not None and shown.body else {}


def text_of(parts: Sequence[CollectionPart], shown: ShownView | None, asker: Asker) -> str:
    """What identifies the thing: its pattern or value, else the id under which a collection shows it."""
    obj = next((p.obj for part in parts for _, p in part.claims), None) or _object(shown)
    kind = obj.get("type")
    if kind == "indicator":
        return str(obj["pattern"])
    if kind == "relationship" and shown is not None:
        ends = _object(shown)
        return f"{ends.get('source_ref', '?')} {obj.get('relationship_type')} {ends.get('target_ref', '?')}"
    if kind == "file" and isinstance(obj.get("hashes"), dict):
        return ", ".join(f"{algorithm} {value}" for algorithm, value in sorted(obj["hashes"].items()))
    value = obj.get(stix_type(kind or "").value)
    if isinstance(value, str):
        return value
    if shown is not None:
        return shown.view.object_id
    # not shown: its id is only for its source and operators, and for others if the source is shown by name
    said = [claim.id for part in parts for claim, p in part.claims if asker.owns(claim) or not p.unnamed]
    return said[0] if said else f"{kind} without a view"


def _view(part: CollectionPart, asker: Asker, policy: Policy) -> KnownView:
    live = [p for _, p in part.claims if p.counts]
    view = None if part.shown is None else part.shown.view
    alive = view is not None and view.alive
    obj = _object(part.shown) if alive else {}
    merged = bool(part.claims) and stix_type(part.claims[0][0].type).view_author is not ViewAuthor.OWNER
    first, last = _span(obj)
    return KnownView(
        collection=part.collection,
        id=view.object_id if view is not None and alive else None,
        state=_state(view),
        seq=view.seq if view is not None else Seq(0),
        version=obj.get("modified"),
        first=first,
        last=last,
        confidence=obj.get("confidence"),
        how=_how(live, policy) if alive and merged and "confidence" in obj else "",
        voices=len(voices(live, policy.source_of_identity)) if alive else 0,
        claims=tuple(known_claim(claim, p, asker, policy) for claim, p in part.claims),
        feedback=_feedback(part.feedback, asker),
        name=obj.get("name"),
        description=obj.get("description"),
        references=tuple(obj.get("external_references") or ()),
        links=part.links if alive else NO_LINKS,
    )


def _state(view: View | None) -> Literal["live", "withdrawn", "none"]:
    if view is None:
        return "none"
    return "live" if view.alive else "withdrawn"


def _span(obj: StixObject) -> tuple[str | None, str | None]:
    """The first and the last time in the view's list of sources; days for sources that hide the time."""
    sources = (obj.get("extensions") or {}).get(VIEW_EXTENSION, {}).get("sources") or []
    if sources:
        return min(source["first"] for source in sources), max(source["last"] for source in sources)
    return obj.get("created"), obj.get("modified")


def _how(live: Sequence[Projection], policy: Policy) -> str:
    """The formula of the confidence with its numbers: per voice the best of trust times confidence, less by age, then
    combined.

    Source: docs/semantics.md, section 5, ``confidence``.
    """
    best = [max(weight(p) for p in claims) for claims in voices(live, policy.source_of_identity).values()]
    numbers = [_number(value) for value in sorted(best, reverse=True)]
    if len(numbers) == 1:
        return numbers[0]
    doubts = " * ".join(f"(100 - {number})" for number in numbers)
    power = "" if len(numbers) == 2 else "^" + str(len(numbers) - 1)
    return f"100 - {doubts} / 100{power}"


def _number(millionths: int) -> str:
    whole, rest = divmod(millionths, 10_000)
    return str(whole) if rest == 0 else f"{whole}.{rest:04d}".rstrip("0")


def known_claim(claim: Claim, p: Projection, asker: Asker, policy: Policy) -> KnownClaim:
    """A claim, as far as the caller may see it."""
    own = asker.owns(claim)
    exact = own or p.source.naming is Naming.NAMED
    return KnownClaim(
        source=p.source.name if own else p.source.shown_name,
        level=p.level,
        id=claim.id if own else None,
        created=_moment(p.obj.get("created"), exact=exact),
        modified=_moment(p.obj.get("modified"), exact=exact),
        confidence=p.obj.get("confidence"),
        state=_claim_state(p, policy),
    )


MOST_FEEDBACK = 100
"""How much feedback a view lists; the counts in its object are of all."""


def _feedback(said: Sequence[tuple[Claim, Projection]], asker: Asker) -> tuple[KnownFeedback, ...]:
    found = [(claim, p) for claim, p in said if not p.revoked and (claim.type == "sighting" or verdict_of(p.obj))]
    newest = sorted(found, key=lambda pair: (-pair[1].modified_us, pair[1].of))
    return tuple(_one_feedback(claim, p, asker) for claim, p in newest[:MOST_FEEDBACK])


def _one_feedback(claim: Claim, p: Projection, asker: Asker) -> KnownFeedback:
    own, is_sighting = asker.owns(claim), claim.type == "sighting"
    exact = own or p.source.naming is Naming.NAMED
    return KnownFeedback(
        source=p.source.name if own else p.source.shown_name,
        level=p.level,
        verdict=None if is_sighting else verdict_of(p.obj),
        count=p.obj.get("count"),
        first_seen=_moment(p.obj.get("first_seen"), exact=exact),
        last_seen=_moment(p.obj.get("last_seen"), exact=exact),
        modified=_moment(p.obj.get("modified"), exact=exact),
        text=p.obj.get("description" if is_sighting else "explanation"),
    )


def _moment(said: Any, *, exact: bool) -> str | None:
    if said is None:
        return None
    text = exact_time(parse_us(said))
    return text if exact else text[:10]


def _claim_state(p: Projection, policy: Policy) -> str:
    if p.revoked:
        return "revoked"
    end_us, today_us = p.validity.end_us, policy.today_us
    return "expired" if end_us is not None and today_us is not None and end_us <= today_us else "live"
