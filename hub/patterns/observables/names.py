"""Domain names and e-mail addresses."""

from __future__ import annotations

import re

from ada_url import idna

_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_LAST_IS_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.DOTALL)
_MAX_CHARS = 253
"""RFC 1035, section 2.3.4: 255 octets on the wire are 253 characters without the root dot."""
_NOT_IN_LOCAL = re.compile(r"[\s<>,;:\\@\[\]()]")


def canonical_domain(value: str) -> str | None:
    """A domain name: A-labels in lower case (UTS 46, non-transitional, like browsers), without the root dot.

    Underscores and hyphens may be anywhere, because the DNS has such names; the last label must not be a number,
    because readers would take the whole as an address. A path, a port or a wildcard gives None.

    >>> canonical_domain("BÜCHER.Example."), canonical_domain("_dmarc.example"), canonical_domain("a.example/x")
    ('xn--bcher-kva.example', '_dmarc.example', None)
    """
    if value.isascii():
        name = value.lower()
    else:
        try:
            # Lower case first: ada leaves capitals that result only from its mapping of other letters.
            name = idna.encode(value).decode("ascii").lower()
        except UnicodeError:
            return None
    if name.endswith("."):
        name = name[:-1]
    if not _HOST.fullmatch(name) or len(name) > _MAX_CHARS or (name[-1] <= "f" and _LAST_IS_NUMBER.fullmatch(name)):
        return None
    return name


def canonical_email(value: str) -> str | None:
    """An e-mail address: the local part unchanged, the domain in canonical form.

    Only the mail server may decide whether the case of a local part matters (RFC 5321, section 2.4).

    >>> canonical_email("Info.Desk@EXAMPLE.com")
    'Info.Desk@example.com'
    """
    local, at, domain = value.rpartition("@")
    if not at or not local or not _is_local(local):
        return None
    name = canonical_domain(domain)
    return None if name is None else f"{local}@{name}"


def _is_local(text: str) -> bool:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return "\n" not in text and "\r" not in text
    return _NOT_IN_LOCAL.search(text) is None
