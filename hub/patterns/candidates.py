"""What a value typed by a person may be. Values are refanged only here, and in connectors that read text."""

from __future__ import annotations

import re

from hub.patterns.observables import hashes, rule_for
from hub.patterns.values import Observable

_DEFANGED = (
    (re.compile(r"^(?:hxxp|h\[xx\]p|h\*\*p|meow)(s?)(?=:|\[)", re.IGNORECASE), r"http\1"),
    (re.compile(r"^fxp(?=s?:|\[)", re.IGNORECASE), "ftp"),
    (re.compile(r"\[:(//)?\]"), r":\1"),
    (re.compile(r"\s?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}|\\\.|\[\.(?=[^\]]*$))\s?", re.IGNORECASE), "."),
    (re.compile(r"\s?(?:\[@\]|\(@\)|\[at\]|\(at\))\s?", re.IGNORECASE), "@"),
)
"""The ways in which analysts defang a value in mail and reports, each with its replacement."""
_MAY_BE_DEFANGED = re.compile(r"[\[({\\]|^(?:hxxp|h\*\*p|meow|fxp)", re.IGNORECASE)
"""Without any of these no replacement finds anything: most values are written plainly."""
_QUOTES = " \t\r\n\v\f\"'<>`"
_WITHOUT_SCHEME = re.compile(r"[^/?#\s:@]+\.[^/?#\s:@]+(?::[0-9]+)?(?:/|$)")
_MAX_CHARS = 8_192
_GUESSES = (
    ("ipv4-addr", "value"),
    ("ipv6-addr", "value"),
    ("url", "value"),
    ("email-addr", "value"),
    ("mac-addr", "value"),
)


def refang(text: str) -> str:
    """The original of a defanged value, without surrounding quotes and white space.

    >>> refang("hxxps[://]login[.]example/a"), refang("info[at]example[dot]com")
    ('https://login.example/a', 'info@example.com')
    """
    text = text.strip(_QUOTES)
    if not _MAY_BE_DEFANGED.search(text):
        return text
    for pattern, replacement in _DEFANGED:
        text = pattern.sub(replacement, text)
    return text


def value_candidates(text: str) -> tuple[Observable, ...]:
    """Everything that a bare value may be, in canonical form, most likely first; empty if nothing fits.

    A digest of 40 hexadecimal digits may be SHA-1 or RIPEMD-160: each is a candidate.

    >>> [(found.kind, found.value) for found in value_candidates("198.51.100[.]7")]
    [('ipv4-addr', '198.51.100.7')]
    """
    if len(text) > _MAX_CHARS:
        return ()
    value = refang(text)
    found = [candidate for kind, path in _GUESSES if (candidate := _candidate(kind, path, value))]
    if len(value) >= _SHORTEST_DIGEST:
        digests = ((path, rule.canonicalise(value)) for path, rule in _DIGESTS)
        found += [Observable("file", path, digest) for path, digest in digests if isinstance(digest, str)]
    if not found and (domain := _candidate("domain-name", "value", value)):
        found.append(domain)
    if not found and _WITHOUT_SCHEME.match(value):
        guesses = (_candidate("url", "value", f"{scheme}://{value}") for scheme in ("http", "https"))
        found += [guess for guess in guesses if guess]
    if value[:2].upper() == "AS" and (number := _candidate("autonomous-system", "number", value)):
        found.insert(0, number)
    return tuple(found)


def _candidate(kind: str, path: str, value: str) -> Observable | None:
    rule = rule_for(kind, path)
    canonical = rule.canonicalise(value) if rule else None
    return Observable(kind, path, canonical) if isinstance(canonical, str) else None


_SHORTEST_DIGEST = 32
"""Hexadecimal digits of an MD5."""
_LIKELY_FIRST = ("SHA-256", "SHA-1", "MD5", "SHA-512")
_DIGESTS = tuple(
    (path, rule)
    for name in (*_LIKELY_FIRST, *(name for name in hashes.ALGORITHMS if name not in (*_LIKELY_FIRST, "SSDEEP", "MD6")))
    if (rule := rule_for("file", path := f"hashes.'{name}'" if "-" in name else f"hashes.{name}")) is not None
)
"""The paths of digests with their rules, which take much longer to find than to apply."""
