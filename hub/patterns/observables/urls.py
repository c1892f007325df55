"""URLs: parsed and written like browsers (WHATWG, by ada), then percent-encoded as in RFC 3986 outside the host."""

from __future__ import annotations

import re

from ada_url import parse_url

from hub.model.problems import Code, Problem
from hub.patterns.observables.addresses import ambiguous_octets, canonical_ipv6

_SPECIAL = frozenset(("http", "https", "ftp", "ws", "wss", "file"))
_WITHOUT_SLASHES = frozenset(
    (
        "mailto",
        "magnet",
        "data",
        "javascript",
        "urn",
        "tel",
        "sip",
        "sips",
        "sms",
        "bitcoin",
        "ethereum",
        "about",
        "blob",
    )
)
"""Schemes whose URLs have no ``//``. Any other word before a colon is a host with a port, a drive letter or a
mistake."""
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX_DIGITS = frozenset("0123456789ABCDEFabcdef")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r":[0-9]*$")
_RAW_HOST = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:[/\\]*(?:[^/\\?#]*@)?([0-9.]+)(?=[:/\\?#]|\s*$)")
_NOT_READ = dict.fromkeys(map(ord, "\t\n\r"))
_MAX_ROUNDS = 4


def canonical_url(value: str) -> str | Problem | None:
    """The canonical form of a URL, without credentials but with the fragment.

    WHATWG: scheme and host in lower case, the host in A-labels, default ports and dot segments removed, ``/`` for an
    empty path. RFC 3986, section 6.2.2: escapes in capitals, unreserved characters not escaped. The host has no root
    dot. Text that is not an absolute URL gives None; a host such as ``010.0.0.1`` gives a Problem.

    >>> canonical_url("HTTP://user:pw@EXAMPLE.com.:80/%7Ea/../b?q=%c3%a9#Top")
    'http://example.com/b?q=%C3%A9#Top'
    """
    if ":" not in value:
        return None
    for _ in range(_MAX_ROUNDS):
        try:
            href = parse_url(value, ("href",))["href"]
        except ValueError:
            return None
        found = _beyond_whatwg(value, href)
        if found is None or found == href or isinstance(found, Problem):
            return found
        value = found  # again: to the parser, decoded text may be a dot segment or a drive letter
    return None


def host_of(url: str) -> str:
    """The host of a canonical URL, as the canonical value of a name or an address; ``""`` if it has none.

    >>> host_of("http://c2.example:8080/a"), host_of("http://[2001:db8::7]/")
    ('c2.example', '2001:db8::7')
    """
    _, slashes, rest = url.partition("://")
    end = _AUTHORITY_END.search(rest)
    authority = rest[: end.start()] if end else rest
    if not slashes or not authority:
        return ""
    if authority.startswith("["):
        address = canonical_ipv6(authority[1:].partition("]")[0])
        return address if isinstance(address, str) else ""
    return _PORT.sub("", authority)


def userinfo(value: str) -> str:
    """The user name (or else the password) of a URL, which the canonical form omits; ``""`` if it has none."""
    if "@" not in value:
        return ""
    try:
        parsed = parse_url(value, ("username", "password"))
    except ValueError:
        return ""
    return parsed["username"] or parsed["password"]


def _beyond_whatwg(value: str, href: str) -> str | Problem | None:
    """Applies the hub's own rules to the parser's ``href``; None if the value only looks like a URL."""
    scheme, _, rest = href.partition(":")
    if not rest.startswith("//"):
        return _escapes(href) if scheme in _WITHOUT_SLASHES else None
    if scheme not in _SPECIAL and ("." in scheme or scheme.startswith("hxx")):
        return None
    end = _AUTHORITY_END.search(rest, 2)
    at = end.start() if end else len(rest)
    authority, path = rest[2:at], rest[at:]
    if "@" in authority:
        authority = authority.rpartition("@")[2]
    if "." in authority:
        if authority[0] <= "9" and (problem := _ambiguous_host(value)):
            return problem
        if scheme in _SPECIAL:
            authority = _without_root_dot(authority)
    return f"{scheme}://{authority}{_escapes(path, is_file=scheme == 'file')}"


def _without_root_dot(authority: str) -> str:
    port = _PORT.search(authority)
    host, tail = (authority[: port.start()], port.group()) if port else (authority, "")
    if host.endswith(".") and len(host) > 1 and not host.endswith(".."):
        host = host[:-1]
    return host + tail


def _escapes(text: str, *, is_file: bool = False) -> str:
    if "%" not in text:
        return text
    if is_file:  # a decoded letter could create a drive, as in '%43|'
        return _ESCAPE.sub(lambda match: match[0].upper(), text)
    # After a stray percent sign a decoded digit could create a new escape: '%2%65' is not '%2e'.
    keep = _HEX_DIGITS if _STRAY_PERCENT.search(text) else frozenset[str]()

    def normal(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        if code in _UNRESERVED and chr(code) not in keep:
            return chr(code)
        return match[0].upper()

    return _ESCAPE.sub(normal, text)


def _ambiguous_host(value: str) -> Problem | None:
    raw = _RAW_HOST.match(value.translate(_NOT_READ))
    if raw is None or (problem := ambiguous_octets(raw[1].removesuffix("."))) is None:
        return None
    return Problem(Code.VALUE_AMBIGUOUS, "", f"The host of the URL: {problem.says}")
