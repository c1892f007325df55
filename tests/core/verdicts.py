"""What becomes of bytes on their way to a normalised object, as the tests ask for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub.core.judge import judge, objects_in
from hub.core.validate import validate
from hub.model.problems import Problem
from hub.model.words import Limits, StixObject

LIMITS = Limits()
DATA = Path(__file__).parent.parent / "data"

UUID = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
IDENTITY = "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff"


def an_object(kind: str, **properties: Any) -> StixObject:
    """A versioned object of STIX 2.1 with what every one has."""
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{UUID}",
        "created": "2026-01-31T12:00:00.000Z",
        "modified": "2026-01-31T12:00:00.000Z",
    } | properties


def an_indicator(**properties: Any) -> StixObject:
    """A plain, good indicator."""
    return (
        an_object(
            "indicator",
            name="Beacon",
            indicator_types=["malicious-activity"],
            pattern="[domain-name:value = 'c2.example']",
            pattern_type="stix",
            valid_from="2026-01-31T12:00:00Z",
        )
        | properties
    )


def without(obj: StixObject, *names: str) -> StixObject:
    """The object without some of its properties."""
    return {name: value for name, value in obj.items() if name not in names}


def problems_of(obj: StixObject) -> list[Problem]:
    """What ``validate`` says of a decoded object."""
    return validate(obj, LIMITS)


def codes_of(obj: StixObject) -> list[str]:
    """The codes of that."""
    return [problem.code.value for problem in problems_of(obj)]


def outcome(value: bytes) -> list[StixObject] | Problem:
    """The normalised objects that a record becomes, or the first problem that refuses one of them."""
    slices = objects_in(value, LIMITS)
    if isinstance(slices, Problem):
        return slices
    normal: list[StixObject] = []
    for one in slices:
        found = _of_one(one)
        if isinstance(found, Problem):
            return found
        normal += found
    return normal


def _of_one(value: bytes) -> list[StixObject] | Problem:
    found = judge(value, LIMITS)
    if isinstance(found, tuple):
        return found[0]
    return found if isinstance(found, Problem) else [normal.obj for normal in found]


def verdict(obj: Any) -> str:
    """``accepted``, or the code that refuses a value written as JSON."""
    found = outcome(json.dumps(obj).encode())
    return found.code.value if isinstance(found, Problem) else "accepted"


def sample_objects(*folders: str) -> list[tuple[str, StixObject]]:
    """The objects of the STIX files in ``tests/data/stix``, each with the file that it comes from."""
    found = []
    for folder in folders:
        for path in sorted((DATA / "stix" / folder).glob("*.json")):
            content = json.loads(path.read_text())
            objects = content.get("objects", []) if content.get("type") == "bundle" else [content]
            found += [(f"{folder}/{path.name}", one) for one in objects]
    return found
