"""``export.sigma``: the Sigma rules of indicators, as they are, as the documents of one YAML stream.

Source: Sigma rules specification 2.0; YAML 1.2, chapter 9 (streams of documents).
"""

from __future__ import annotations

import yaml

from hub.doors.export.entry import ListedObject
from hub.doors.export.escape import whole_lines
from hub.doors.export.format import Format, Unit, Writer

_NEEDED = ("title", "logsource", "detection")
_MOST_DEPTH = 50
"""Deeper than any rule. The parser calls itself for each level."""


def _line(one: ListedObject) -> bytes | None:
    pattern = one.obj["pattern"]
    return f"--- # {one.id}\n{whole_lines(pattern)}".encode() if _is_one_rule(pattern) else None


def _is_one_rule(pattern: str) -> bool:
    """Returns whether a pattern is exactly one document with a rule, so that it cannot change or add another."""
    try:
        if not _is_one_document(pattern):
            return False
        rule = yaml.safe_load(pattern)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    # "action" is of old collections: "global" and "reset" concern the documents that follow
    return isinstance(rule, dict) and all(rule.get(name) for name in _NEEDED) and "action" not in rule


def _is_one_document(pattern: str) -> bool:
    depth = documents = 0
    for event in yaml.parse(pattern, Loader=yaml.SafeLoader):
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if event.explicit or event.version or event.tags:
                    return False
            case yaml.DocumentEndEvent() if event.explicit:
                return False
            case yaml.CollectionStartEvent():
                depth += 1
            case yaml.CollectionEndEvent():
                depth -= 1
            case yaml.AliasEvent():
                return False  # a few lines may stand for millions
            case _:
                pass
        if depth > _MOST_DEPTH:
            return False
    return documents == 1


FORMAT = Format(
    name="sigma",
    media_type="application/yaml",
    begin=lambda _: Writer(_line),
    escape=whole_lines,
    says_type=True,
    lines_are_alone=True,
    unit=Unit.INDICATOR,
    pattern_type="sigma",
)
