"""Streams of Sigma rules, by pySigma."""

from __future__ import annotations

from typing import Any

from sigma.collection import SigmaCollection
from sigma.rule import SigmaRule

from hub.doors.export.entry import ListedObject
from tests.doors.entries import an_object
from tests.doors.list_readers import Reader

RULE = """title: A loader is started
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    Image|endswith: '\\evil.exe'
  condition: selection
level: high
"""


def read(content: bytes) -> list[Any]:
    text = content.decode()
    return [one.to_dict() for one in SigmaCollection.from_yaml(text)] if text else []


def says(one: ListedObject) -> Any:
    return SigmaRule.from_yaml(one.obj["pattern"]).to_dict()


READER = Reader(read, says, example=[an_object(RULE, pattern_type="sigma")])
