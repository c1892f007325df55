"""Files of YARA rules, by the compiler of YARA-X."""

from __future__ import annotations

from typing import Any

import yara_x

from hub.doors.export.entry import ListedObject
from tests.doors.entries import an_object
from tests.doors.list_readers import Reader

RULE = 'rule Loader : tools {\n  meta:\n    author = "ro"\n  strings:\n    $a = "evil" wide\n  condition:\n    $a\n}\n'


def read(content: bytes) -> list[Any]:
    return sorted(names(content.decode()))


def names(text: str) -> list[str]:
    return [rule.identifier for rule in yara_x.compile(text)] if text else []


def says(one: ListedObject) -> str:
    [name] = names(one.obj["pattern"])
    return name


READER = Reader(read, says, example=[an_object(RULE, pattern_type="yara")])
