"""STIX objects, one a line."""

from __future__ import annotations

import json
from typing import Any

from tests.doors.entries import an_object
from tests.doors.list_readers import Reader


def read(content: bytes) -> list[Any]:
    *lines, rest = content.split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


READER = Reader(read, says=lambda one: one.obj, example=[an_object()])
