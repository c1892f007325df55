"""What stix2-patterns and stix2-matcher say: the oracles, called in one place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stix2matcher.matcher import match
from stix2patterns.validator import run_validator

Observation = list[dict[str, Any]]
"""The objects that were seen together."""

_START = datetime(2026, 1, 1, tzinfo=UTC)


def is_taken_by_reference(pattern: str, spec_version: str = "2.1") -> bool:
    """Whether stix2-patterns accepts a pattern; its crashes (a negative index, an index of hashes) count as a no."""
    try:
        return not run_validator(pattern, stix_version=spec_version)
    except (AttributeError, UnboundLocalError, RecursionError):
        return False


def matches(pattern: str, observations: list[Observation]) -> bool:
    """Whether a pattern is true of the observations, made a second apart in their order, by stix2-matcher."""
    bundle: list[dict[str, Any]] = []
    for number, objects in enumerate(observations):
        when = (_START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
        things = [{"id": f"{thing['type']}--{number}-{index}", **thing} for index, thing in enumerate(objects)]
        seen = {"number_observed": 1, "first_observed": when, "last_observed": when}
        seen |= {
            "type": "observed-data",
            "id": f"observed-data--{number}",
            "object_refs": [thing["id"] for thing in things],
        }
        bundle += [seen, *things]
    return bool(match(pattern, [{"type": "bundle", "objects": bundle}], stix_version="2.1"))
