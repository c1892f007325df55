"""Which kinds of events matter in a history: those that change what somebody sees, as the oracle has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.intake import Claim
from tests.oracle.showing import Shelf
from tests.oracle.sight import Seen
from tests.oracle.whole import COLLECTIONS, Whole
from tests.oracle.words import type_of
from tests.promises.histories import GROUP, IDENTITY, Changed, Event, History, Pinned, Set, Waited
from tests.story import uid

_LOOKED_AT = ("community", GROUP)
_OF_THEIR_OWNER = {"malware", "report", "note", "grouping", "opinion", "sighting", "identity", "observed-data"}
_KINDS: Mapping[str, str] = {"ceiling": "a ceiling is lowered", "suspended": "a centre is suspended"}
KINDS = (
    "several authors claim one id",
    "things need only each other",
    "an end of a relationship becomes another thing",
    "a group comes to see a claim",
    "a group sees a claim no longer",
    "a centre is suspended",
    "a centre comes back",
    "a ceiling is lowered",
    "an indicator expires",
    "members' sightings are counted",
    "members' verdicts are counted",
    "a part is hidden",
    "a pin decides",
    "a withdrawal that stands keeps something out",
    "other terms of a centre change a view",
    "another value of the policy changes a view",
)


@dataclass
class Moment:
    """What the collections that are looked at show, and of which claims."""

    claims: dict[tuple[str, str], Claim]
    seen: dict[str, dict[tuple[str, str], Seen]]
    things: dict[tuple[str, str], str | None]
    """What each claim is about that is in the first of them."""
    content: dict[str, dict[str, Any]]
    expired: set[tuple[str, str]]
    needy: dict[str, list[str | None]]
    """By thing that is not shown what its claims refer to."""

    @classmethod
    def of(cls, whole: Whole) -> Moment:
        """Now."""
        shelves: dict[str, Shelf] = {one.name: whole.shelf(one) for one in COLLECTIONS if one.name in _LOOKED_AT}
        content = {name: shelf.content() for name, shelf in shelves.items()}
        seen = {
            name: {(one.source.name, one.claim.id): one for one in shelf.seen if not one.is_part}
            for name, shelf in shelves.items()
        }
        first, aged = shelves[_LOOKED_AT[0]], shelves[_LOOKED_AT[0]].merger.ageing
        here = seen[_LOOKED_AT[0]]
        things = {at: first.thing(one) for at, one in here.items()}
        needy: dict[str, list[str | None]] = {}
        for at, one in here.items():
            thing = things[at]
            if "object_refs" in one.obj and thing is not None and thing not in content[_LOOKED_AT[0]]:
                needy.setdefault(thing, []).extend(first.means(one, ref) for ref in one.obj["object_refs"])
        expired = {at for at, one in here.items() if one.claim.type == "indicator" and aged.has_expired(one)}
        return cls(dict(whole.intake.claims), seen, things, content, expired, needy)


def effects(history: History) -> set[str]:
    """The kinds of events that matter in it, of ``KINDS``. References to the ids that a hub makes count as said."""
    aliases = {name: f"identity--{uid('alias', name)}" for name in IDENTITY}
    whole = Whole(f"identity--{uid('hub')}", aliases)
    whole.begin(history)
    found: set[str] = set()
    before = Moment.of(whole)
    for number, event in enumerate(history.events):
        whole.event(number, event, {})
        after = Moment.of(whole)
        found |= {*_of_operators(event, before, after), *_of_claims(before, after)}
        before = after
    if any("withdrawal.stands" in ending.codes for ending in whole.endings.values()):
        found.add("a withdrawal that stands keeps something out")
    return found


def _of_operators(event: Event, before: Moment, after: Moment) -> Iterator[str]:
    now, then = after.seen[_LOOKED_AT[0]].keys(), before.seen[_LOOKED_AT[0]].keys()
    match event:
        case Changed(_, fields):
            name, value = fields[0]
            if name in _KINDS and then - now:
                yield _KINDS[name]
            if name == "suspended" and value is False and now - then:
                yield "a centre comes back"
            if name not in _KINDS and after.content != before.content:
                yield "other terms of a centre change a view"
        case Pinned() if after.content != before.content:
            yield "a pin decides"
        case Set() if after.content != before.content:
            yield "another value of the policy changes a view"
        case Waited() if after.expired - before.expired:
            yield "an indicator expires"


def _of_claims(before: Moment, after: Moment) -> Iterator[str]:
    here, group = (after.seen[name] for name in _LOOKED_AT)
    authors = {(one.claim.id, one.author, one.author != "unknown" or one.source.name) for one in here.values()}
    ids = [stix_id for stix_id, *_ in authors if type_of(stix_id) in _OF_THEIR_OWNER]
    if len(ids) > len(set(ids)):
        yield "several authors claim one id"
    if _in_circles(after.needy):
        yield "things need only each other"
    same = [at for at, claim in after.claims.items() if (old := before.claims.get(at)) and old.stamp == claim.stamp]
    moved = [
        at for at in same if None not in (was := (before.things.get(at), after.things.get(at))) and was[0] != was[1]
    ]
    if any(type_of(stix_id) == "relationship" for _, stix_id in moved):
        yield "an end of a relationship becomes another thing"
    in_group = before.seen[_LOOKED_AT[1]]
    remarked = {at for at in after.claims.keys() & before.claims.keys() if at not in same}
    if remarked & (group.keys() - in_group.keys()):
        yield "a group comes to see a claim"
    if remarked & (in_group.keys() - group.keys()):
        yield "a group sees a claim no longer"
    if any(one.hides for one in here.values()):
        yield "a part is hidden"
    said = [one for obj in after.content[_LOOKED_AT[0]].values() for one in obj.get("extensions", {}).values()]
    if any("sightings" in one for one in said):
        yield "members' sightings are counted"
    if any("false_positives" in one for one in said):
        yield "members' verdicts are counted"


def _in_circles(needy: Mapping[str, list[str | None]]) -> set[str]:
    """Things that are not shown, and that refer to others of these."""
    left = set(needy)
    while gone := {thing for thing in left if not left & set(needy[thing])}:
        left -= gone
    return left
