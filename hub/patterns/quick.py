"""The fast path: nine patterns in ten are one equality over one property that the hub knows.

It accepts only patterns that the full parser would read in the same way; a property test compares the two. All others
(another path, an escape, a comment, a second comparison) go to the full parser.
"""

from __future__ import annotations

import re

from hub.model.problems import Problem
from hub.patterns.observables import ObservableRule, canonical_by, hashes, rule_for

_AT = "/pattern"
_SINGLE = re.compile(r"\[[ \t\r\n]*+([a-z0-9-]++:[A-Za-z0-9.'-]++)[ \t\r\n]*+=[ \t\r\n]*+'([^'\\]*+)'[ \t\r\n]*+\]")

Quick = tuple[str, str, str, str, tuple[Problem, ...]]
"""Canonical text, kind, path, value, warnings."""


def _known() -> dict[str, tuple[str, str, str, ObservableRule]]:
    """By the path as people write it: the canonical text before the value, the kind, the path, the rule."""
    values = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr")
    paths = [(f"{kind}:value", kind, "value") for kind in values]
    for name in ("MD5", "SHA-1", "SHA-256", "SHA-512"):
        path = "hashes." + (name if "-" not in name else f"'{name}'")
        bare = name.replace("-", "")
        spelled = {f"'{name}'", f"'{name.lower()}'", bare, bare.lower(), f"'{bare}'", f"'{bare.lower()}'"}
        paths += [(f"file:hashes.{key}", "file", path) for key in spelled if hashes.algorithm(key.strip("'")) == name]
    found = {}
    for spelled_path, kind, path in paths:
        rule = rule_for(kind, path)
        if rule is not None:
            found[spelled_path] = (f"[{kind}:{path} = '", kind, path, rule)
    return found


_KNOWN = _known()


def match(pattern: str) -> Quick | Problem | None:
    """The content of a pattern that is one equality of a known property; a Problem if it is refused; else None."""
    found = _SINGLE.fullmatch(pattern)
    if found is None:
        return None
    path_text, value = found.groups()
    known = _KNOWN.get(path_text)
    if known is None:
        return None
    head, kind, path, rule = known
    if not value.isascii():  # a lone surrogate is possible, but rare: use the full parser
        return None
    read = canonical_by(rule, value, _AT)
    if isinstance(read, Problem):
        return read
    return f"{head}{read[0]}']", kind, path, read[0], read[1]
