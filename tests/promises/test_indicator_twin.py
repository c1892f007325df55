"""What an indicator's view says, computed a second time, plainly, by the table of docs/semantics.md, section 5.

Of INV-11 this is the other half: a view is marked as strictly as the strictest of what is in it, and no group is added.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, prod
from typing import Any

from hypothesis import given

from hub.model.markings import LEVEL_OF_ID
from hub.model.words import Naming
from tests.promises.histories import CENTRES, IDENTITY, PAPS, VALUES, WIDE, History
from tests.promises.scenes import dense_histories
from tests.promises.telling import told
from tests.promises.test_histories import few
from tests.promises.test_order import without_hub_ids
from tests.promises.watching import AUDIENCES, GROUP_OF, Watch, covers
from tests.story import said_of

DAY = 10
"""Characters of a timestamp that say the day."""
WIDTH = int(WIDE.partition("/")[2])


@few(45)
@given(history=dense_histories())
async def test_an_indicator_says_what_the_table_says(history: History) -> None:
    history = without_hub_ids(history)
    async with told(history) as telling:
        for name in AUDIENCES:
            if name == "sure":  # a filter is another matter
                continue
            watch = Watch(name, {centre: dict(fields) for centre, fields in history.settings.items()})
            watch.follow(history)
            shown = await telling.story.shown(name, "indicator")
            for value in (*VALUES, WIDE):
                found = [obj for obj in shown.values() if value in obj["pattern"]]
                assert [_essence(obj) for obj in found] == _expected(watch, value), (name, value)


def _essence(obj: dict[str, Any]) -> dict[str, Any]:
    said = said_of(obj)
    markings = obj["object_marking_refs"]
    return {
        "level": next(LEVEL_OF_ID[ref] for ref in markings if ref in LEVEL_OF_ID),
        "groups": {GROUP_OF[ref] for ref in markings if ref in GROUP_OF},
        "statements": sum(ref not in GROUP_OF and ref not in LEVEL_OF_ID for ref in markings),
        "confidence": obj.get("confidence"),
        "voices": said["voices"],
        "floor": said["floor"],
        "revoked_by": said.get("revoked_by", 0),
        "sources": sorted((s["name"], s["first"], s["last"]) for s in said["sources"]),
        "labels": obj.get("labels", []),
        "types": obj.get("indicator_types", []),
        "valid_from": obj["valid_from"],
        "valid_until": obj.get("valid_until"),
        "name": obj.get("name"),
        "wide": [one.get("wide", False) for one in said["observables"]],
        "portals": len(obj.get("external_references", [])),
    }


def _expected(watch: Watch, value: str) -> list[dict[str, Any]]:
    seen = [
        (centre, claim.obj)
        for (centre, _), claim in watch.claims.items()
        if claim.obj["type"] == "indicator" and value in claim.obj["pattern"] and watch.sees(centre, claim.obj)
    ]
    live = [_Claim(watch, centre, obj) for centre, obj in seen if not obj.get("revoked")]
    gone = [_Claim(watch, centre, obj) for centre, obj in seen if obj.get("revoked")]
    if not live:
        return []
    best = sorted(live, key=lambda c: (-c.trust, [-ord(x) for x in c.obj["modified"]], IDENTITY[c.centre], c.obj["id"]))
    named = [c.obj["name"] for c in best if "name" in c.obj]
    level, groups = max(c.level for c in live), _groups(live)
    voices = _voices(live)
    until = [c.until for c in live]
    pap = max((c.pap for c in live), default=0)
    labels = {label for c in live for label in c.obj.get("labels", ()) if label in ("botnet", "c2")}
    free = [c.level for c in live if not c.restrictions]
    return [{
        "level": level,
        "groups": groups,
        "statements": len({ref for c in live for ref in c.statements}),
        "confidence": _confidence(voices),
        "voices": len(voices),
        "floor": min(free or [c.level for c in live]).label,
        "revoked_by": sum(c.level <= level and _may_be_told(c, groups) for c in gone),
        "sources": _sources(watch, live),
        "labels": sorted(labels | ({f"PAP:{('', 'GREEN', '', 'RED')[pap]}"} if pap else set())),
        "types": sorted({kind for c in live for kind in c.obj.get("indicator_types", ())}),
        "valid_from": min(c.start for c in live),
        "valid_until": None if None in until else max(u for u in until if u is not None),
        "name": named[0] if named else f"ipv4-addr {value}",
        "wide": [value == WIDE and not any(c.widest.ipv4 <= WIDTH for c in live)],
        "portals": len({c.centre for c in live if "external_references" in c.obj and not c.hides}),
    }]  # fmt: skip


class _Claim:
    """One visible claim, with what the table asks of it."""

    def __init__(self, watch: Watch, centre: str, obj: dict[str, Any]) -> None:
        audience = AUDIENCES[watch.collection]
        self.level, self.restrictions, texts = watch.marked_for(centre, obj, *audience)
        self.centre, self.obj = centre, watch.seen_of(centre, obj, *audience)
        self.trust = watch.setting(centre, "trust")
        self.author = self.obj.get("created_by_ref", IDENTITY[centre])
        self.naming = watch.setting(centre, "naming")
        self.hides = self.author == IDENTITY[centre] and self.naming is not Naming.NAMED
        alone = self.centre if self.naming is not Naming.NAMED else ""  # nobody else's marking goes by its id
        self.statements = [(ref, alone) for ref in texts]
        by_id = [PAPS[ref] for ref in obj.get("object_marking_refs", ()) if ref in PAPS]
        stated = (*self.obj.get("labels", ()), *texts.values(), *by_id)
        self.pap = max(({"PAP:GREEN": 1, "PAP:RED": 3}.get(text, 0) for text in stated), default=0)
        self.widest = watch.setting(centre, "widest_blocked")
        self.start = obj["valid_from"][:DAY] + "T00:00:00.000Z" if self.hides else obj["valid_from"]
        end = self.obj.get("valid_until")
        self.until = end[:DAY] + "T23:59:59.999Z" if end and self.hides else end


def _groups(live: list[_Claim]) -> set[str]:
    """The widest groups that every restriction permits."""
    restrictions = [some for c in live for some in c.restrictions]
    common = {g for some in restrictions for g in some if all(any(covers(to, g) for to in one) for one in restrictions)}
    return {group for group in common if not any(other != group and covers(other, group) for other in common)}


def _may_be_told(c: _Claim, groups: set[str]) -> bool:
    """Whether everybody in these groups, or with none everybody, may know of a claim."""
    return not c.restrictions or (
        bool(groups) and all(any(covers(to, group) for to in some) for some in c.restrictions for group in groups)
    )


def _voices(live: list[_Claim]) -> dict[str, list[_Claim]]:
    centre_of = {identity: centre for centre, identity in IDENTITY.items()}
    relayed_by: dict[str, set[str]] = {}
    for c in live:
        relayed_by.setdefault(c.author, set()).add(c.centre)
    found: dict[str, list[_Claim]] = {}
    for c in live:
        third_party = c.author not in centre_of
        shared = third_party and len(relayed_by[c.author]) > 1
        found.setdefault(c.author if shared else c.centre if third_party else centre_of[c.author], []).append(c)
    return found


def _confidence(voices: dict[str, list[_Claim]]) -> int | None:
    if not any("confidence" in c.obj for some in voices.values() for c in some):
        return None
    sure = [max(Fraction(c.trust * c.obj.get("confidence", 50), 100) for c in some) for some in voices.values()]
    return floor(100 - 100 * prod((1 - c / 100 for c in sure), start=Fraction(1)))


def _sources(watch: Watch, live: list[_Claim]) -> list[tuple[str, str, str]]:
    found = []
    for centre in CENTRES:
        mine = [c.obj for c in live if c.centre == centre]
        if mine:
            naming = watch.setting(centre, "naming")
            first, last = min(o["created"] for o in mine), max(o["modified"] for o in mine)
            name = {
                Naming.NAMED: centre, Naming.ALIAS: watch.setting(centre, "alias"), Naming.ANONYMOUS: "anonymous",
            }[naming]  # fmt: skip
            found.append((name, first, last) if naming is Naming.NAMED else (name, first[:DAY], last[:DAY]))
    return sorted(found)
