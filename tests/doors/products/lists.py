"""Lists for the parsers of products: large batches of harmless and hostile values, since each call takes its time."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hub.doors.export.entry import Entry
from hub.doors.export.format import About
from hub.doors.export.formats import FORMATS
from hub.model.words import Seq
from hub.patterns.observables import canonical_by, rule_for
from tests.doors.entries import HOSTILE, PLAIN, an_entry

PAGES = Path(__file__).parents[3] / "docs/clients"
VISIBLE = [chr(code) for code in range(0x20, 0x7F)]
BREAKS = (
    *HOSTILE, *VISIBLE, ";", "|", "$(reboot)", "${x}", "=cmd|' /C calc'!A0", "</script>", "\x00", "\u2028",
    "\u2029", "\x85", "x" * 63, "x" * 64, "-x", "_x", "x_", "default", "include",
    "\\", "\\n", "\\\"", "%0a", "%", "%25", "rpz-ip", "A", "\u00e9",
)  # fmt: skip
"""What somebody may put into any part of a value."""
TEMPLATES = {
    "ipv4-addr": ("{}", "198.51.100.7{}", "198.51.100.0/24{}", "{}198.51.100.7"),
    "ipv6-addr": ("{}", "2001:db8::7{}", "2001:db8::/32{}", "{}::1"),
    "domain-name": ("{}", "{}.example", "c2.{}", "a{}b.example", "c2.example{}"),
    "url": ("{}", "http://c2.example/{}", "http://c2.example/?{}", "https://c2.example:8443/a{}b", "http://{}.example/",
            "http://c2.example{}", "http://c2.example/#{}", "http://198.51.100.7/{}", "http://[2001:db8::7]/{}"),
}  # fmt: skip
HARMLESS = {
    "ipv4-addr": [f"203.0.113.{host}" for host in range(100)] + ["198.51.100.0/24", "198.51.100.7", "192.0.2.128/25"],
    "ipv6-addr": [f"2001:db8:0:{group:x}::" + "1:0:0:1" * (group % 2) for group in range(60)]
    + [
        "2001:db8::/32",
        "::ffff:198.51.100.7",
        "2001:db8::7",
        "::1:0:0:0:1",
        "1:2:3:4:5:6:7:8",
        "1:0:3:4:5:6:7:8",
        "1::",
    ],
    "domain-name": [f"{'a' * (n % 60 + 1)}{n}.c2-{n}.example" for n in range(100)]
    + ["example", ".".join(["x" * 49] * 5)],
    "url": [f"http://h{n}.example/{'p/' * (n % 50)}f?q={n}&r=%C3%A9;x" for n in range(100)],
}


@cache
def entries_of(kind: str) -> tuple[Entry, ...]:
    """Entries of a kind: as somebody wrote them, and as the hub keeps them. Each value comes once."""
    found = dict.fromkeys((*HARMLESS.get(kind, ()), *_hostile(kind), *([PLAIN[kind]] if kind in PLAIN else ())))
    return tuple(an_entry(value, type=kind, id="indicator--1") for value in found if value)


def _hostile(kind: str) -> Iterator[str]:
    for template in TEMPLATES.get(kind, ("{}", "d41d8cd98f00b204e9800998ecf8427e{}")):
        for text in BREAKS:
            value = template.format(text)
            yield value
            kept = canonical_by(rule_for(kind, "value"), value, "")
            if isinstance(kept, tuple):
                yield kept[0]


@dataclass(frozen=True)
class Written:
    """A list and what stands in it."""

    content: bytes
    entries: tuple[Entry, ...]
    """Those that the format could express."""

    @property
    def values(self) -> list[str]:
        """Their values."""
        return [entry.value for entry in self.entries]


def written(name: str, *kinds: str, entries: tuple[Entry, ...] = (), **options: str) -> Written:
    """A list of a format as the hub writes it; without ``entries``, of all entries of these kinds."""
    format = FORMATS[name]
    about = About(
        "community", Seq(7), 1_767_225_600_000_000, frozenset(kinds), None, format.options.model_validate(options)
    )
    writer = format.begin(about)
    some = entries or tuple(entry for kind in kinds or sorted(format.kinds) for entry in entries_of(kind))
    most = format.limits.line_bytes or sys.maxsize
    lines = [(entry, line) for entry in some if (line := writer.line(entry)) is not None and len(line) <= most]
    assert entries or len(lines) >= len(HARMLESS.get(kinds[0] if kinds else "", ())) - 2, "the harmless ones are there"
    content = writer.head + b"".join(line for _, line in lines) + b"".join(writer.end())
    return Written(content, tuple(entry for entry, _ in lines))


def empty(name: str, *kinds: str, **options: str) -> bytes:
    """A list without entries."""
    return written(name, *kinds, entries=(an_entry("", type="none"),), **options).content


def pasted(page: str, language: str, number: int = 0) -> str:
    """A block of a product's page, by its language."""
    blocks = re.findall(rf"```{language}\n(.+?)```", (PAGES / f"{page}.md").read_text("utf-8"), re.DOTALL)
    return str(blocks[number])
