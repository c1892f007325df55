"""Reads lists with one value per line, including hosts files and simple adblock rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from connectors.csv.levels import level_remarks, level_tags
from connectors.csv.lines import Line
from connectors.csv.mapping import Layout
from connectors.csv.rows import FilePlace, LeaveOut, Row

_HOSTS = re.compile(
    r"(?:0\.0\.0\.0|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|255\.255\.255\.255|::1?|fe80::1\S*|ff0\d::\d)\s+(\S.*)"
)
_LOCAL = re.compile(r"localhost(?:\.\w+)?|localhost[46](?:\.localdomain[46])?|local|broadcasthost|ip6-\w+")
_INLINE_COMMENT = re.compile(r"(?<!\s)\s++[#;].*")
_NETBLOCK = re.compile(r"(\d+(?:\.\d+){3})\t(\d+(?:\.\d+){3})\t\d{1,2}(?:\t.*)?", re.ASCII)
"""Start, end, netmask and more, as in the block list of DShield."""
_REMARKS = 16
_BLOCKED = re.compile(r"\|\|([^\s/^]+)\^(?:\$\S*)?")


def read_list(lines: Iterable[Line], layout: Layout, leave_out: LeaveOut) -> Iterator[Row]:
    """Yields one row per line, with the column ``value``. A level in a remark applies to its line or those below."""
    above: list[str] = []
    for line in lines:
        place = FilePlace("line", line.number, line.text or "")
        if line.text is None:
            leave_out("a line over 1 MiB", place)
            continue
        text = line.text.strip()
        if not text or (layout.comments and text.startswith(layout.comments)):
            above += level_remarks(text) if len(above) < _REMARKS else []
            continue
        if text.startswith("@@"):
            leave_out("an exception of a blocklist", place)
            continue
        bare = _INLINE_COMMENT.sub("", text).strip()
        tags = [*above, *level_tags(text[len(bare) :].lstrip("#; "))]
        for value in _values(bare):
            yield Row({"value": value, **({"@remarks": tags} if tags else {})}, place)


def _values(text: str) -> list[str]:
    if hosts := _HOSTS.fullmatch(text):
        return [name for name in hosts[1].split() if name != "0.0.0.0" and not _LOCAL.fullmatch(name.lower())]  # noqa: S104 - nothing listens
    if blocked := _BLOCKED.fullmatch(text):
        return [blocked[1]]
    if netblock := _NETBLOCK.fullmatch(text):
        return [f"{netblock[1]}-{netblock[2]}"]
    return [] if _LOCAL.fullmatch(text.lower()) or text in ("[", "]", "{", "}", "],") else [text]
