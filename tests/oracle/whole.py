"""What a hub must show after a whole history of ``tests/promises/histories``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.oracle.intake import Claim, Ending, Intake, Terms
from tests.oracle.merged import Ageing, Merger, Observable
from tests.oracle.showing import Collection, Shelf
from tests.oracle.sight import Audience, Sight
from tests.oracle.words import LEVELS, Json, days, object_key, without
from tests.promises.histories import (
    CENTRES,
    GROUP,
    GROUP_MARKING,
    IDENTITY,
    SOURCES,
    SPELLINGS,
    VALUES,
    WIDE,
    Batch,
    Changed,
    Event,
    History,
    Pinned,
    Said,
    Set,
    Waited,
)

COLLECTIONS = (
    Collection("public", ("clear", "public")),
    Collection("community", ("green", "community")),
    Collection("network", ("amber+strict", "network")),
    Collection(GROUP, ("amber+strict", GROUP)),
    Collection("sure", ("green", "community"), frozenset({"indicator", "identity"}), 40),
    Collection("red", ("red", GROUP)),
)
PATTERNS = {spelling.format(value): f"[ipv4-addr:value = '{value}']" for spelling in SPELLINGS for value in VALUES}
PATTERNS[f"[ipv4-addr:value = '{WIDE}']"] = f"[ipv4-addr:value = '{WIDE}']"
OBSERVABLES = {f"[ipv4-addr:value = '{value}']": Observable("ipv4-addr", value) for value in (*VALUES, WIDE)}
Meant = dict[tuple[int, int], tuple[str, str]]
"""By event and place the id made by the hub that is the first reference of a message, and the thing of that id."""
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Whole:
    """All that has happened, and what must be shown of it. ``alias_ids``: the identities that the hub has made for
    centres with an alias.
    """

    hub: str
    alias_ids: dict[str, str]
    intake: Intake = field(init=False)
    pins: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    endings: dict[tuple[str, int, int], Ending] = field(default_factory=dict)
    """How each message ended, by source, event and place."""
    passed: int = 1
    """How many days."""

    def __post_init__(self) -> None:
        terms = {
            name: Terms(
                name,
                no,
                IDENTITY[name],
                alias_identity=self.alias_ids.get(name, ""),
                accredited_by="" if name in CENTRES else CENTRES[0],
                naming="named" if name in CENTRES else "anonymous",
            )
            for no, name in enumerate(SOURCES, 1)
        }
        prefixes = {pattern: one.prefix for pattern, one in OBSERVABLES.items()}
        groups = {marking: name for name, marking in GROUP_MARKING.items()}
        self.intake = Intake(terms, groups, PATTERNS.__getitem__, prefixes)

    def begin(self, history: History) -> None:
        """The sources as they are at first."""
        for name, fields in history.settings.items():
            self._change(name, fields)

    def follow(self, history: History, meant: Meant) -> None:
        """All of a history."""
        self.begin(history)
        for number, event in enumerate(history.events):
            self.event(number, event, meant)

    def event(self, number: int, event: Event, meant: Meant) -> None:
        """One event."""
        match event:
            case Changed(name, changed):
                self._change(name, dict(changed))
            case Set(key, value):
                self.values[key] = value
            case Pinned(stix_id, author):
                self.pins.pop(stix_id, None)
                if author is not None:
                    self.pins[stix_id] = author
            case Waited(number_of_days):
                self.passed += number_of_days
            case Batch(said):
                for at, one in enumerate(said):
                    stamp = (number, at if one.place is None else one.place)
                    self.endings[one.centre, *stamp] = self._hear(one, stamp, meant)

    def _hear(self, one: Said, stamp: tuple[int, int], meant: Meant) -> Ending:
        if one.obj is None:
            return self.intake.withdraw(one.centre, one.stix_id, _HOW[one.withdrawal.value])
        if one.by_hub_id is None or stamp not in meant:
            return self.intake.hear(one.centre, one.obj, stamp, {}, self._seen_by)
        made, thing = meant[stamp]
        things = {} if thing == object_key(made) else {made: thing}
        obj = _referring(one.obj, one.by_hub_id[0], made)
        return self.intake.hear(one.centre, obj, stamp, things, self._seen_by)

    def _change(self, name: str, fields: dict[str, Any]) -> None:
        said = {key: _PLAIN.get(key, lambda value: value)(value) for key, value in fields.items()}
        self.intake.terms[name] = replace(self.intake.terms[name], **said)

    @property
    def sight(self) -> Sight:
        """Who sees what now."""
        return Sight(self.intake.terms, self.intake.groups, self.intake.claims)

    def _seen_by(self, claim: Claim) -> set[str]:
        sight = self.sight
        if sight.marked_by_source(claim):
            return set()
        return {one.name for one in COLLECTIONS if sight.sees(one.audience, claim) is not None}

    def content(self) -> dict[tuple[str, str], Json]:
        """By collection and key what is shown: see ``tests.promises.telling.content``."""
        return {
            (one.name, thing): without(obj, "created", "modified")
            for one in COLLECTIONS
            for thing, obj in self.shelf(one).content().items()
        }

    def shelf(self, collection: Collection) -> Shelf:
        """One collection."""
        merger = Merger(self.hub, self.intake.terms, GROUP_MARKING, self._ageing(), OBSERVABLES)
        return Shelf.of(collection, merger, self.sight, self.pins)

    def _ageing(self) -> Ageing:
        def of(name: str) -> str:
            """The value for the addresses of the histories: their own, or else that for any kind."""
            said = [self.values.get(f"{name}.{kind}", "none") for kind in ("ipv4-addr", "any")]
            return next((value for value in said if value != "none"), "none")

        def days_of(value: str) -> int | None:
            return None if value in ("none", "forever") else int(value[:-1])

        steps = [step.split("=") for step in of("confidence").split(",") if step != "none"]
        return Ageing(
            _START + days(self.passed),
            days_of(self.values.get("grace", "30d")),
            days_of(of("validity.default")),
            days_of(of("validity.longest")),
            tuple((int(age[:-1]), int(share)) for age, share in steps),
        )


_HOW: dict[str, Any] = {"stands": "stands", "soft": "soft", "restore": "restore"}
_PLAIN: dict[str, Any] = {
    "naming": lambda naming: naming.value,
    "ceiling": lambda level: LEVELS[int(level)],
    "default_level": lambda level: LEVELS[int(level)],
    "widest_blocked": lambda widths: widths.ipv4,
}


def _referring(obj: Json, name: str, to: str) -> Json:
    said = obj[name]
    return obj | {name: to if isinstance(said, str) else list(dict.fromkeys([to, *said[1:]]))}


__all__ = ["COLLECTIONS", "Audience", "Whole"]
