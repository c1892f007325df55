"""How long an indicator's claim counts, and for how much by its age: by what it says, the policy, and the hub's date.

Source: docs/semantics.md, section 5 (``valid_until``, ``confidence``) and section 7 ("Time").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hub.core.merge.asserted import asserted_by
from hub.model.lifecycle import ConfidenceStep, Lifecycle
from hub.model.policy import Policy
from hub.model.times import DAY_US, LAST_US, end_of_day, parse_us
from hub.model.words import StixObject


class Validity(NamedTuple):
    """The validity of a claim at the hub's date."""

    end_us: int | None = None
    """When it ends, in microseconds since 1970; None: never."""
    percent: int = 100
    """The share of its confidence for which it counts at its age."""
    has_expired: bool = False
    """Whether it ended longer ago than the grace: it counts no more."""
    due_day: int | None = None
    """The next date, in days since 1970, at which ``percent`` or ``has_expired`` changes; None: never."""


ALWAYS = Validity()
"""The validity of claims that have no end and no confidence of their own, such as those of other types."""


def validity_of(indicator: StixObject, modified_us: int, policy: Policy, *, by_day: bool) -> Validity:
    """The validity of an indicator's claim, as an audience sees the claim.

    ``by_day``: no time of day may show, so that all times count as the end of their day; the times in ``indicator`` do
    so already.
    """
    lifecycle, today = policy.lifecycle, policy.today_no
    said = indicator.get("valid_until")
    end_us = None if said is None else parse_us(said)
    steps: list[ConfidenceStep] = []
    if lifecycle.is_by_kind:
        kinds = asserted_by(indicator).kinds
        end_us = _end_us(end_us, indicator, modified_us, lifecycle, kinds)
        steps = [step for some in lifecycle.steps_of(kinds) for step in some]
    if by_day:
        end_us, modified_us = None if end_us is None else end_of_day(end_us), end_of_day(modified_us)
    ahead: list[int] = []
    has_expired = False
    if end_us is not None and lifecycle.grace_days is not None:
        gone = end_us // DAY_US + lifecycle.grace_days + 1  # the first midnight later than the end of the grace
        has_expired = today is not None and gone <= today
        ahead = [] if has_expired else [gone]
    percent = 100
    for step in steps:
        day = -(-modified_us // DAY_US) + step.age_days  # the first midnight at which the claim has this age
        if today is not None and day <= today:
            percent = min(percent, step.percent)
        else:
            ahead.append(day)
    return Validity(end_us, percent, has_expired, None if has_expired else min(ahead, default=None))


def _end_us(
    end_us: int | None, indicator: StixObject, modified_us: int, lifecycle: Lifecycle, kinds: Iterable[str]
) -> int | None:
    """When the claim ends: by its own word (``end_us``), by the default if it does not say, and by the longest
    validity.
    """
    from_us = max(modified_us, parse_us(indicator["valid_from"]))
    default, longest = lifecycle.default_of(kinds), lifecycle.longest_of(kinds)
    if end_us is None and default is not None:
        end_us = from_us + default * DAY_US
    if longest is not None:
        end_us = min(from_us + longest * DAY_US, LAST_US if end_us is None else end_us)
    return None if end_us is None else min(end_us, LAST_US)
