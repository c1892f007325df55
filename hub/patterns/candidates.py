"""What a value typed by a person may be. Values are refanged only here, and in connectors that read text."""

from __future__ import annotations

import re

from hub.patterns.observables import Canonicaliser, hashes, rule_for
from hub.patterns.observables.addresses import canonical_asn, canonical_ipv4, canonical_ipv6, canonical_mac
from hub.patterns.observables.names import canonical_domain, canonical_email
from hub.patterns.observables.urls import canonical_url
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
_GUESSES: tuple[tuple[str, Canonicaliser], ...] = (
    ("ipv6-addr", canonical_ipv6),
    ("url", canonical_url),
    ("email-addr", canonical_email),
    ("mac-addr", canonical_mac),
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
    if address := _candidate("ipv4-addr", canonical_ipv4, value):
        return (address,)  # nothing else is written like it
    found = [candidate for kind, canonicalise in _GUESSES if (candidate := _candidate(kind, canonicalise, value))]
    if not found:
        digests = ((path, rule.canonicalise(value)) for path, rule in _DIGESTS.get(len(value.upper()), ()))
        found = [Observable("file", path, digest) for path, digest in digests if isinstance(digest, str)]
    if not found and (domain := _candidate("domain-name", canonical_domain, value)):
        found.append(domain)
    if not found and _WITHOUT_SCHEME.match(value):
        guesses = (_candidate("url", canonical_url, f"{scheme}://{value}") for scheme in ("http", "https"))
        found += [guess for guess in guesses if guess]
    if value[:2].upper() == "AS" and (number := canonical_asn(value)):
        found.insert(0, Observable("autonomous-system", "number", number))
    return tuple(found)


def _candidate(kind: str, canonicalise: Canonicaliser, value: str) -> Observable | None:
    canonical = canonicalise(value)
    return Observable(kind, "value", canonical) if isinstance(canonical, str) else None


_DIGESTS = {
    chars: tuple(
        (path, rule)
        for name in hashes.CHARS
        if chars in hashes.CHARS[name] and name != "MD6"
        if (rule := rule_for("file", path := f"hashes.'{name}'" if "-" in name else f"hashes.{name}")) is not None
    )
    for chars in {chars for some in hashes.CHARS.values() for chars in some}
}
"""By their number of characters, the paths of digests with their rules, the likeliest first."""
