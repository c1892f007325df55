"""STIX bundles, by the parser of stix2."""

from __future__ import annotations

import json
from typing import Any

import stix2

from tests.doors.entries import an_object
from tests.doors.list_readers import Reader


def read(content: bytes) -> list[Any]:
    bundle = json.loads(content)
    envelope = {name: value for name, value in bundle.items() if name != "objects"}
    assert set(envelope) == {"type", "id"}
    stix2.Bundle(**envelope)
    assert bundle.get("objects") != [], "STIX 2.1, section 2.4: lists are not empty"
    return list(bundle.get("objects", []))


READER = Reader(read, says=lambda one: one.obj, example=[an_object()])
