"""``export.yara``: the YARA rules of indicators, as they are, in one file.

A compiler refuses a whole file for one wrong rule, and a global rule decides about all others. So each pattern is
compiled alone, and one that could change what others do is left out.

Source: YARA's documentation, "Writing YARA rules" (including files, global rules).
"""

from __future__ import annotations

import hashlib
from typing import Any

from hub.doors.export.entry import ListedObject
from hub.doors.export.escape import whole_lines
from hub.doors.export.format import About, Format, Options, Unit, Writer
from hub.model.errors import Broken

_MOST_KNOWN = 100_000
_known: dict[bytes, tuple[str, ...]] = {}
"""The names of the rules of each pattern that this process has compiled, by its SHA-256: a rule takes 20 ms or more."""


class _Rules:
    """The rules of one list."""

    def __init__(self) -> None:
        try:
            import plyara
            import plyara.exceptions
            import yara_x
        except ImportError as error:
            raise Broken("extra.missing", f"{error.name} is not installed.", "Install ctihub[yara].") from None
        self._parser = plyara.Plyara()
        self._compiler = yara_x.Compiler
        self._refusals = (yara_x.CompileError, plyara.exceptions.ParseError, RecursionError)
        self._names: set[str] = set()

    def line(self, one: ListedObject) -> bytes | None:
        """Returns the rules of an indicator; None if they cannot be in a file with others."""
        names = self._names_of(one.obj["pattern"])
        if self._names.intersection(names):
            return None
        self._names.update(names)
        return self.alone(one)

    def alone(self, one: ListedObject) -> bytes | None:
        """Returns the rules of an indicator in a file without others."""
        pattern = one.obj["pattern"]
        return f"// {one.id}\n{whole_lines(pattern)}".encode() if self._names_of(pattern) else None

    def _names_of(self, pattern: str) -> tuple[str, ...]:
        """Returns the names of the rules of a pattern; none if they cannot be in a file with others."""
        digest = hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).digest()
        names = _known.get(digest)
        if names is None:
            found = self._parsed(pattern)
            is_global = any("global" in rule.get("scopes", ()) for rule in found)
            names = () if is_global else tuple(rule["rule_name"] for rule in found)
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[digest] = names
        return names

    def _parsed(self, pattern: str) -> list[dict[str, Any]]:
        """Returns the rules of a pattern; none if it needs anything besides itself, or is wrong."""
        compiler = self._compiler()
        compiler.enable_includes(False)
        try:
            compiler.add_source(pattern)
            self._parser.clear()
            return list(self._parser.parse_string(pattern))
        except self._refusals:
            return []


def _begin(about: About[Options]) -> Writer:
    del about
    rules = _Rules()
    return Writer(rules.line, alone=rules.alone)


FORMAT = Format(
    name="yara",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=whole_lines,
    says_type=True,
    unit=Unit.INDICATOR,
    pattern_type="yara",
)
