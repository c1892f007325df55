"""The keys of the policy: what operators set with ``ctihub policy set KEY VALUE``, one row for each.

A new key is one row of ``KEYS``, and a value of ``hub/model/policy.Policy`` that is made of it. The store keeps the
texts of the values that are set; a key that is not set has its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from hub.model.breaker import LEAST, SHARE, BreakerLimits
from hub.model.lifecycle import GRACE_DAYS, ConfidenceStep, Lifecycle, Retention

MOST_DAYS = 36_500
MOST_VERSIONS = 100
"""A step of the task that deletes versions counts up to so many of each object."""
_DAYS = re.compile(r"([0-9]{1,5}) ?d?", re.ASCII)
_STEP = re.compile(r"([0-9]{1,5}) ?d? ?= ?([0-9]{1,3}) ?%?", re.ASCII)


class Affects(Enum):
    """What must be done when a value changes."""

    INDICATORS = auto()
    """All indicators are computed again."""
    VERSIONS = auto()
    """Superseded versions are deleted."""
    LATER = auto()
    """Nothing: the value counts from the next time on that it is needed."""


class ValueSyntax(Protocol):
    """How values are written."""

    @property
    def syntax(self) -> str:
        """What a value looks like, for errors."""
        ...

    def read(self, text: str) -> Any:
        """The value. Raises ValueError."""
        ...

    def write(self, value: Any) -> str:
        """The text of a value; ``read`` gives the value back."""
        ...


@dataclass(frozen=True, slots=True)
class Days:
    """A number of days, or a word for no limit."""

    unlimited: str
    least: int = 0

    @property
    def syntax(self) -> str:
        """See ``ValueSyntax``."""
        return f"It is a number of days from {self.least} to {MOST_DAYS:,}, such as 90d, or {self.unlimited}."

    def read(self, text: str) -> int | None:
        """See ``ValueSyntax``; None: no limit.

        >>> Days("forever").read("90d"), Days("forever").read("forever")
        (90, None)
        """
        if text == self.unlimited:
            return None
        found = _DAYS.fullmatch(text)
        if found is None or not self.least <= int(found[1]) <= MOST_DAYS:
            raise ValueError(text)
        return int(found[1])

    def write(self, value: int | None) -> str:
        """See ``ValueSyntax``."""
        return self.unlimited if value is None else f"{value}d"


@dataclass(frozen=True, slots=True)
class Steps:
    """Percentages by age: ``30d=80,90d=50``."""

    @property
    def syntax(self) -> str:
        """See ``ValueSyntax``."""
        return (
            "It is percentages by age, such as 30d=80,90d=50: ages increase, percentages do not; or none. "
            "From an age on a claim counts for this share of its confidence."
        )

    def read(self, text: str) -> tuple[ConfidenceStep, ...] | None:
        """See ``ValueSyntax``; None: none.

        >>> [tuple(step) for step in Steps().read("30d=80, 90d=50")]
        [(30, 80), (90, 50)]
        """
        if text == "none":
            return None
        found = [_STEP.fullmatch(each.strip()) for each in text.split(",")]
        steps = tuple(ConfidenceStep(int(one[1]), int(one[2])) for one in found if one is not None)
        ages, shares = [0, *(step.age_days for step in steps)], [100, *(step.percent for step in steps)]
        grow = all(a < b for a, b in pairwise(ages))
        fall = all(a >= b for a, b in pairwise(shares))
        if None in found or not grow or not fall or ages[-1] > MOST_DAYS:
            raise ValueError(text)
        return steps

    def write(self, value: tuple[ConfidenceStep, ...] | None) -> str:
        """See ``ValueSyntax``."""
        return "none" if value is None else ",".join(f"{step.age_days}d={step.percent}" for step in value)


@dataclass(frozen=True, slots=True)
class Amount:
    """A whole number within limits, with a unit that need not be written; or a word for no limit, if there is one."""

    most: int
    unit: str = ""
    least: int = 0
    unlimited: str | None = None

    @property
    def syntax(self) -> str:
        """See ``ValueSyntax``."""
        or_word = "" if self.unlimited is None else f", or {self.unlimited}"
        return f"It is a whole number from {self.least} to {self.most:,}{self.unit}{or_word}."

    def read(self, text: str) -> int | None:
        """See ``ValueSyntax``; None: no limit.

        >>> Amount(100, "%").read("20%"), Amount(100, "%").read("20"), Amount(100, unlimited="all").read("all")
        (20, 20, None)
        """
        if text == self.unlimited:
            return None
        number = int(text.removesuffix(self.unit).strip().replace(",", ""))
        if not self.least <= number <= self.most:
            raise ValueError(text)
        return number

    def write(self, value: int | None) -> str:
        """See ``ValueSyntax``."""
        return str(self.unlimited) if value is None else f"{value}{self.unit}"


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """One key, or one for each kind of observable."""

    name: str
    """Of a key for each kind the part before ``.KIND``."""
    format: ValueSyntax
    default: Any
    help: str
    """One sentence for operators."""
    affects: Affects = Affects.LATER
    by_kind: bool = False

    @property
    def pattern(self) -> str:
        """The key as documents write it: ``grace``, ``confidence.KIND``."""
        return f"{self.name}.KIND" if self.by_kind else self.name


KEYS: tuple[PolicyKey, ...] = (
    PolicyKey(
        "grace", Days("forever"), GRACE_DAYS, "How long what has expired is still shown.", Affects.INDICATORS,
    ),
    PolicyKey(
        "validity.default", Days("none", 1), None,
        "How long an indicator is valid that does not say until when, from the later of its modified and valid_from.",
        Affects.INDICATORS, by_kind=True,
    ),
    PolicyKey(
        "validity.longest", Days("none", 1), None,
        "How long an indicator is valid at most, whatever it says, from the later of its modified and valid_from.",
        Affects.INDICATORS, by_kind=True,
    ),
    PolicyKey(
        "confidence", Steps(), None, "For which share of its confidence an indicator's claim counts, by its age.",
        Affects.INDICATORS, by_kind=True,
    ),
    PolicyKey(
        "pace", Amount(86_400, "s"), 0,
        "The shortest time between two versions of an object that only newer claims change; 0s: as they come.",
    ),
    PolicyKey(
        "retention.versions", Days("forever", 1), None,
        "How long a version stays in the change log after a newer one of the same object has followed.",
        Affects.VERSIONS,
    ),
    PolicyKey(
        "retention.per-object", Amount(MOST_VERSIONS, least=1, unlimited="all"), None,
        "How many versions of an object stay in the change log, with the current one; once a day the others go.",
        Affects.VERSIONS,
    ),
    PolicyKey(
        "retention.log", Days("forever", 1), 7, "How long the event log keeps what sources sent, once it is processed.",
    ),
    PolicyKey(
        "breaker.share", Amount(100, "%"), SHARE,
        "Which share of its live claims a source may take back within an hour; 0% switches the breaker off.",
    ),
    PolicyKey(
        "breaker.least", Amount(1_000_000_000), LEAST,
        "How many claims a source may take back within an hour, however few it has.",
    ),
)  # fmt: skip
"""All keys, in the order in which they are shown."""


class FoundKey(NamedTuple):
    """A key that somebody has named."""

    key: PolicyKey
    kind: str | None
    """The kind of observable, of a key for each kind."""


def find_key(said: str) -> FoundKey | None:
    """The key of this name, such as ``grace`` or ``confidence.ipv4-addr``; None if there is none."""
    name, dot, kind = said.rpartition(".")
    for key in KEYS:
        if not key.by_kind and key.name == said:
            return FoundKey(key, None)
        if key.by_kind and dot and key.name == name and kind:
            return FoundKey(key, kind)
    return None


Settings = Mapping[str, str]
"""The values that are set, as texts by key."""


def lifecycle_of(settings: Settings) -> Lifecycle:
    """What operators have decided about the age of claims."""
    return Lifecycle(
        _one(settings, "grace"), _each(settings, "validity.default"), _each(settings, "validity.longest"),
        _each(settings, "confidence"),
    )  # fmt: skip


def retention_of(settings: Settings) -> Retention:
    """How much the hub keeps of what it needs no more."""
    return Retention(*(_one(settings, f"retention.{name}") for name in ("versions", "per-object", "log")))


def pace_of(settings: Settings) -> int:
    """The shortest time between two versions of an object that only newer claims change, in seconds."""
    return int(_one(settings, "pace"))


def breaker_of(settings: Settings) -> BreakerLimits:
    """How much a source may take back within an hour."""
    return BreakerLimits(_one(settings, "breaker.share"), _one(settings, "breaker.least"))


def _one(settings: Settings, name: str) -> Any:
    key = next(key for key in KEYS if key.name == name)
    return key.format.read(settings[name]) if name in settings else key.default


def _each(settings: Settings, name: str) -> dict[str, Any]:
    """The values of a key for each kind, without those that set nothing."""
    key = next(key for key in KEYS if key.name == name)
    said = {kind[1:]: text for each, text in settings.items() if (kind := each.removeprefix(name)).startswith(".")}
    values = {kind: key.format.read(text) for kind, text in said.items()}
    return {kind: value for kind, value in values.items() if value is not None}
