"""The canonical key, ``ctihub-key-v1``, which contributions about one thing share. See docs/canonical-key.md."""

from __future__ import annotations

from hashlib import sha256

from hub.model.words import CanonicalKey

_VERSION = b"ctihub-key-v1\n"
_OUTER_WHITE = " \t\n\v\f\r"


def key(kind: str, text: str) -> CanonicalKey:
    """SHA-256 of ``ctihub-key-v1``, the kind and the text, each on its own line, in UTF-8.

    ``kind`` is ``object`` for a thing identified by its STIX id, ``relationship`` for a merged relationship, and for a
    pattern the kind of ``pattern_key``. A line break in a kind (no vocabulary has one) is written ``\\n``, so that
    different kinds and texts give different input.
    """
    return CanonicalKey(sha256(key_input(kind, text)).digest())


def key_input(kind: str, text: str) -> bytes:
    """What ``key`` is the SHA-256 of."""
    if "\n" in kind or "\\" in kind:
        kind = kind.replace("\\", "\\\\").replace("\n", "\\n")
    return b"%b%b\n%b" % (_VERSION, _bytes(kind), _bytes(text))


def pattern_key(pattern_type: str, text: str) -> CanonicalKey:
    """The key of an indicator: kind ``stix``, or ``pattern:`` followed by the type for other patterns.

    ``pattern_type`` may be any text: without this prefix, a pattern could have the same kind as an object.
    """
    return key(pattern_type if pattern_type == "stix" else f"pattern:{pattern_type}", text)


def canonical_text(pattern: str, pattern_type: str) -> str:
    """The text that identifies a pattern that is not STIX (snort, suricata, sigma, yara, pcre and any other).

    Line ends become ``\\n`` and surrounding white space is removed; nothing else changes, because only the engine of
    the rule knows what is significant. STIX patterns use ``canonical`` instead.
    """
    if pattern_type == "stix":
        raise ValueError("a STIX pattern has a canonical form: call canonical()")
    return pattern.replace("\r\n", "\n").replace("\r", "\n").strip(_OUTER_WHITE)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
