"""STIX patterns: their canonical text, and the values that they assert. Performance matters here.

Pure: no clock, no I/O. Nothing here raises on data: a refused pattern is returned as a Problem. docs/canonical-key.md
has a definition that others can implement; docs/patterns.md lists what is refused.
"""

from __future__ import annotations

from hub.model.problems import Code, Problem
from hub.patterns.candidates import value_candidates
from hub.patterns.covering import NetworkWidths, covering, host_observable, network_width
from hub.patterns.engine import canonical, canonical_in_full
from hub.patterns.keys import canonical_text, key, key_input, pattern_key
from hub.patterns.lookup import (
    digest_key,
    digest_keys,
    host_key,
    host_keys,
    keys_around,
    keys_asked,
    value_key,
    values_in,
    width_key,
)
from hub.patterns.observables import canonical_by, is_of_its_kind, rule_for, type_of
from hub.patterns.observables.urls import host_of
from hub.patterns.together import digests_together
from hub.patterns.values import Canonical, Named, Observable

__all__ = [
    "Canonical",
    "Named",
    "NetworkWidths",
    "Observable",
    "canonical",
    "canonical_in_full",
    "canonical_observable",
    "canonical_text",
    "canonical_value",
    "covering",
    "digest_key",
    "digest_keys",
    "digests_together",
    "host_key",
    "host_keys",
    "host_observable",
    "host_of",
    "is_of_its_kind",
    "key",
    "key_input",
    "keys_around",
    "keys_asked",
    "network_width",
    "pattern_key",
    "type_of",
    "value_candidates",
    "value_key",
    "values_in",
    "width_key",
]


def canonical_observable(kind: str, path: str, value: str) -> tuple[str, tuple[Problem, ...]] | Problem:
    """The canonical form of the value of ``kind``:``path`` with warnings, or the Problem that refuses it.

    ``path`` is written as in a pattern: ``value``, ``hashes.'SHA-256'``, ``dst_ref.value``. Problems point to the whole
    object (``at`` is ``""``), because only the caller knows the property. A property without a rule keeps its value.
    """
    if not _is_unicode(value):
        return Problem(Code.STIX_VALUE, "", "The value has half of a surrogate pair in it, which is not a character.")
    return canonical_by(rule_for(kind, path), value, "")


def canonical_value(kind: str, path: str, value: str) -> str | Problem:
    """``canonical_observable`` without its warnings."""
    found = canonical_observable(kind, path, value)
    return found if isinstance(found, Problem) else found[0]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
