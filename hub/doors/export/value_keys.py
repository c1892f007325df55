"""The canonical key of a value alone: that of an indicator whose pattern asserts it by ``=`` and nothing else.

So a value has the same key whatever the pattern is in which an indicator asserts it. See docs/canonical-key.md.
"""

from __future__ import annotations

import re

from hub.doors.export.entry import HASHES, NETWORK_KINDS, Entry
from hub.model.words import CanonicalKey
from hub.patterns.keys import pattern_key
from hub.patterns.observables.hashes import ALGORITHMS

KEYED_KINDS = NETWORK_KINDS | HASHES | {"email-addr", "mac-addr", "file:name", "mutex:name", "windows-registry-key:key"}
"""Kinds whose values are strings in patterns; a number would be another constant, and so another key."""

_ALGORITHMS = {name.lower(): name for name in ALGORITHMS}
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def key_of_value(entry: Entry) -> CanonicalKey:
    """Returns the key of a value of one of ``KEYED_KINDS``, 32 bytes."""
    value = entry.value.replace("\\", "\\\\").replace("'", "\\'")
    return pattern_key("stix", f"[{_path(entry.type)} = '{value}']")


def _path(kind: str) -> str:
    """Returns the type and the property that a kind names.

    >>> _path("sha-256"), _path("md5"), _path("url"), _path("file:name")
    ("file:hashes.'SHA-256'", 'file:hashes.MD5', 'url:value', 'file:name')
    """
    name = _ALGORITHMS.get(kind)
    if name is not None:
        return f"file:hashes.{name}" if _BARE.fullmatch(name) else f"file:hashes.'{name}'"
    return kind if ":" in kind else f"{kind}:value"
