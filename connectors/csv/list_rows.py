"""The rows of a list with a value a line: hosts files and simple adblock rules too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from connectors.csv.lines import Line
from connectors.csv.mapping import Layout
from connectors.csv.rows import LeaveOut, Place, Row

_HOSTS = re.compile(
    r"(?:0\.0\.0\.0|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|255\.255\.255\.255|::1?|fe80::1\S*|ff0\d::\d)\s+(\S.*)"
)
_LOCAL = re.compile(r"localhost(?:\.\w+)?|localhost[46](?:\.localdomain[46])?|local|broadcasthost|ip6-\w+")
_INLINE_COMMENT = re.compile(r"(?<!\s)\s++[#;].*")
_BLOCKED = re.compile(r"\|\|([^\s/^]+)\^(?:\$\S*)?")


def read_list(lines: Iterable[Line], layout: Layout, leave_out: LeaveOut) -> Iterator[Row]:
    """One row a line, with the column ``value``."""
    for line in lines:
        place = Place("line", line.number, line.text or "")
        if line.text is None:
            leave_out("a line over 1 MiB", place)
            continue
        text = line.text.strip()
        if not text or (layout.comments and text.startswith(layout.comments)):
            continue
        if text.startswith("@@"):
            leave_out("an exception of a blocklist", place)
            continue
        for value in _values(_INLINE_COMMENT.sub("", text).strip()):
            yield Row({"value": value}, place)


def _values(text: str) -> list[str]:
    if hosts := _HOSTS.fullmatch(text):
        return [name for name in hosts[1].split() if name != "0.0.0.0" and not _LOCAL.fullmatch(name.lower())]  # noqa: S104 - nothing listens
    if blocked := _BLOCKED.fullmatch(text):
        return [blocked[1]]
    return [] if _LOCAL.fullmatch(text.lower()) or text in ("[", "]", "{", "}", "],") else [text]
