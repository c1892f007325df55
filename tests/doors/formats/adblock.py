"""Filter lists: ``!`` begins a comment, ``||name^`` is a name with all below it, and everything else another rule."""

from __future__ import annotations

import re

from tests.doors.list_readers import Reader, visible_lines

RULE = re.compile(r"\|\|([a-z0-9_.-]+)\^")


def read(content: bytes) -> list[str]:
    rules = [line for line in visible_lines(content) if not line.startswith("!")]
    found = [RULE.fullmatch(rule) for rule in rules]
    assert None not in found
    return [rule[1] for rule in found if rule is not None]


READER = Reader(read, says=lambda entry: entry.value)
