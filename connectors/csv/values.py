"""Reads values of feeds: refangs them, detects their kinds, and creates patterns.

Only text that is not STIX is refanged; in STIX every character is literal. The hub decides whether a value is
acceptable (a private address, a leading zero); here it only must look like a value of its kind.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from connectors.csv.kinds import HASH_OF_LENGTH, KINDS

__all__ = ["KINDS", "NotAValueError", "pattern", "read_cell", "read_values", "refang", "without_secrets"]

Value = tuple[str, str]
"""The kind (one that a pattern can assert) and the value."""

# Possessive quantifiers for blanks: with backtracking, a megabyte of blanks would take for ever.
_DOT = re.compile(r"(?<!\s)\s*+[\[({]\s*+(?:\.|dot|punkt)\s*+[\])}]\s*|\[\.|\.\]|\\\.", re.IGNORECASE)
_AT = re.compile(r"(?<!\s)\s*+[\[({]\s*+(?:@|at)\s*+[\])}]\s*", re.IGNORECASE)
_COLON = re.compile(r"[\[({]\s*(:(?://)?|//)\s*[\])}]")
_SCHEME = re.compile(r"^\s*(?:h[tx*]{2}p|ht\*\*p|meow)(s?)(?=\s*:)", re.IGNORECASE)
_FTP = re.compile(r"^\s*f[tx]p(?=\s*:)", re.IGNORECASE)
_BRACKETS = frozenset("[({\\])}")
_AROUND = " \t\r\n\"'`<>\u00a0\u200b\ufeff"

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?", re.ASCII)
_MASKED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})(?:/|\s+)(\d{1,3}(?:\.\d{1,3}){3})", re.ASCII)
_COMMAS = re.compile(r"\d{1,3}(?:,\d{1,3}){3}", re.ASCII)
_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})[:|]\d{1,5}|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?", re.ASCII)
_RANGE = re.compile(r"(\S+)\s*[-\u2013]\s*(\S+)")
_SHORT_RANGE = re.compile(r"((?:\d{1,3}\.){3})(\d{1,3})\s*[-\u2013]\s*(\d{1,3})", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/].*", re.DOTALL)
_BEFORE_URL = re.compile(
    r"(?<![\s,;|])[\s,;|]++(?=(?:h[tx*]{2}ps?|ht\*\*ps?|meows?|f[tx]ps?)\s*[\[({]?\s*:)", re.IGNORECASE
)
_LABEL = r"\w(?:[\w-]{0,61}\w)?"
_NAME = rf"(?:{_LABEL}\.)+(?!\d){_LABEL}\.?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\.?\Z){_NAME}")
_WITH_PORT = re.compile(r"([^:/|\s]+)[:|]\d{1,5}")
_MAILBOX = r"[^\s@:;,|<>()\[\]\"\\]+"
_EMAIL = re.compile(rf"{_MAILBOX}@{_NAME}")
_EMAIL_AND_MORE = re.compile(rf"({_MAILBOX}@{_NAME})(?:\s*[:;,|]|\s)\s*(\S.*)", re.DOTALL)
_LOGIN = re.compile(r"://\S*?([:|;])(?=[^\s:|;/]*[A-Za-z])(?:[^\s:|;/@]+@[^\s:|;/@]+|[\w.-]+)\s?\1\s?[^\s/]+\Z")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_HASH_AND_MORE = re.compile(r"([0-9A-Fa-f]{32,128})(?:\s*[;,|:]\s*|\s+\*?)\S.*", re.DOTALL)
_AND_REMARK = re.compile(r"([^\t;]+)[\t;].*", re.DOTALL)
_BETWEEN = re.compile(r"[\s,;|]+(?:/\s[\s,;|]*)?")
_SECRET = re.compile(
    r"(@[^\s@:;|,]+\s*[:;|,\t]\s*).+|(://[^\s/@]*:)[^\s@]+(?=@)|(://\S*?([:|;])[^\s:|;/]+\4)\S+", re.DOTALL
)
_SLASH = re.compile(r"(?<!\s)\s*+/\s*")
_RANGE_NETWORKS = 64
_RANGE_CHARS = 100
_LOGIN_CHARS = 2_048
_WITH_LOGIN = "a URL with what looks like a login"
_RESERVED = frozenset({"example", "test", "invalid", "localhost", "onion"})
"""Last labels that no registry assigns but that lists of names may contain. Source: RFC 2606, 6761, 7686."""
_ALSO_FILES = frozenset({"zip", "mov"})
"""Top-level domains that are mostly file extensions: names with these are not detected as domains."""


class NotAValueError(ValueError):
    """The text is not a value of its kind; the message is a short reason for counting."""


def refang(text: str) -> str:
    """Undoes the defanging of addresses.

    >>> refang("hxxps[://]bad-domain[.]example(dot)com/a")
    'https://bad-domain.example.com/a'
    >>> refang(" user[at]example[.]net ")
    'user@example.net'
    """
    text = text.strip(_AROUND)
    if text.isalnum():
        return text
    if not _BRACKETS.isdisjoint(text):
        text = _AT.sub("@", _DOT.sub(".", _COLON.sub(r"\1", text)))
    return _FTP.sub("ftp", _SCHEME.sub(lambda match: f"http{match[1].lower()}", text))


def read_cell(text: str, kind: str, separator: str | None = None) -> tuple[list[Value], list[str]]:
    """Returns the values of a cell, and the reasons why parts of it are not values.

    Without a ``separator`` a cell has several values only if each part is a value of some kind: words around a value
    may negate it ("not bad.example"). Text after an e-mail address is treated as a password, text after a digest as a
    remark.

    >>> read_cell("a.example; b.example, 198.51.100.1", "domain-name")
    ([('domain-name', 'a.example'), ('domain-name', 'b.example')], ['not a value of the kind domain-name'])
    >>> read_cell("00112233445566778899aabbccddeeff;dropper.exe", "hash")
    ([('MD5', '00112233445566778899aabbccddeeff')], [])
    """
    if separator:
        return _read_each([part for part in text.split(separator) if part.strip()], kind)
    text = _unlisted(text)
    urls = [part for part in _BEFORE_URL.split(text) if part.strip(_AROUND)]
    if len(urls) > 1:
        parts = [part.strip(",;|") for url in urls for part in url.split() if part.strip(",;|")]
        return _read_each(parts, kind) if all(map(_kinds_of, parts)) else ([], [_none_of(kind)])
    try:
        return read_values(text, kind), []
    except NotAValueError as reason:
        if str(reason) == _WITH_LOGIN:  # the page itself is not malicious
            return [], [_WITH_LOGIN]
        return _read_parts(refang(text), kind, str(reason))


def _read_parts(text: str, kind: str, reason: str) -> tuple[list[Value], list[str]]:
    parts = [part for part in _BETWEEN.split(text) if part.strip(_AROUND)]
    are = [_kinds_of(part) for part in parts]
    mail = _EMAIL_AND_MORE.fullmatch(text) if kind in ("detect", "email-addr") else None
    if mail and not all("email-addr" in one for one in are):
        values, _ = _read_each([mail[1]], kind)
        return values, ["what follows an e-mail address, most likely a password"] if values else [reason]
    digest = _HASH_AND_MORE.fullmatch(text) if kind in ("detect", "hash", *HASH_OF_LENGTH.values()) else None
    if digest and not all(one & {*HASH_OF_LENGTH.values()} for one in are):
        return _read_each([digest[1]], kind)
    if len(parts) > 1 and all(are) and (kind != "detect" or len({"email-addr" in one for one in are}) == 1):
        return _read_each(parts, kind)
    if (remark := _AND_REMARK.fullmatch(text)) and not any("email-addr" in one for one in are):
        return _read_each([remark[1]], kind)
    return [], [reason]


def _kinds_of(part: str) -> frozenset[str]:
    """Returns the detected kinds of a part of a cell; none if it is not a value."""
    try:
        return frozenset(kind for kind, _ in read_values(part, "detect"))
    except NotAValueError:
        return frozenset()


def _read_each(parts: list[str], kind: str) -> tuple[list[Value], list[str]]:
    values, problems = [], []
    for part in parts:
        try:
            values += read_values(part, kind)
        except NotAValueError as reason:
            problems.append(str(reason))
    return values, problems


def _unlisted(text: str) -> str:
    """Removes the brackets of a JSON or Python list: ``["a.example", "b.example"]``."""
    text = text.strip()
    if text[:1] == "[" and text[1:].lstrip()[:1] in ('"', "'"):
        return re.sub(r"[\"']\s*(,|\Z)\s*[\"']?", r" \1 ", text.strip("[], \t\r\n").strip("\"'"))
    return text.removesuffix(",")


def read_values(text: str, kind: str) -> list[Value]:
    """Returns (kind, value) of a refanged cell; several for a range of addresses. Raises NotAValueError.

    >>> read_values("203.0.113.4-203.0.113.7", "ip")
    [('ipv4-addr', '203.0.113.4/30')]
    >>> read_values("203.0.113.64/255.255.255.192", "ip")
    [('ipv4-addr', '203.0.113.64/26')]
    >>> read_values("hxxp://files.example/a", "detect")
    [('url', 'http://files.example/a')]
    """
    value = refang(text)
    if kind in ("ip", "ipv4-addr", "ipv6-addr"):
        return _addresses(value.replace(",", ".") if _COMMAS.fullmatch(value) else value)
    if kind == "detect":
        return _detected(value)
    return [_one(value, kind)]


def _none_of(kind: str) -> str:
    return "not a value of any kind" if kind == "detect" else f"not a value of the kind {kind}"


def _one(value: str, kind: str) -> Value:
    if kind == "url" and _URL.fullmatch(value):
        return kind, value
    if kind == "domain-name":
        name = ported[1] if (ported := _WITH_PORT.fullmatch(value)) else value
        if _DOMAIN.fullmatch(name):
            return kind, name.lower()
    if kind == "email-addr" and _EMAIL.fullmatch(value):
        return kind, value
    if kind in ("hash", *HASH_OF_LENGTH.values()) and _HEX.fullmatch(value):
        algorithm = HASH_OF_LENGTH.get(len(value))
        if algorithm and kind in ("hash", algorithm):
            return algorithm, value.lower()
    raise NotAValueError(_none_of(kind))


def _detected(value: str) -> list[Value]:
    """Detects the kind from the text only; stricter than for a stated kind."""
    if len(value) in HASH_OF_LENGTH and _HEX.fullmatch(value):
        return [(HASH_OF_LENGTH[len(value)], value.lower())]
    if _URL.fullmatch(value):
        return [_detected_url(value)]
    if _EMAIL.fullmatch(value) and _is_top_level(value):
        return [("email-addr", value)]
    try:
        name = _one(value, "domain-name")
    except NotAValueError:
        pass
    else:
        if not _is_top_level(name[1]) or _last_label(name[1]) in _ALSO_FILES:
            raise NotAValueError("a name whose end is no top-level domain, or one that files have as well")
        return [name]
    try:
        return _addresses(value)
    except NotAValueError:
        raise NotAValueError(_none_of("detect")) from None


def _detected_url(value: str) -> Value:
    if _LOGIN.search(value[:_LOGIN_CHARS]):
        raise NotAValueError(_WITH_LOGIN)
    if re.search(r"\s", value):
        raise NotAValueError("a URL with text behind it")
    return "url", value


def _last_label(name: str) -> str:
    return name.rstrip(".").rpartition(".")[2].lower()


def _is_top_level(name: str) -> bool:
    return _is_known_label(_last_label(name))


@lru_cache(maxsize=4096)
def _is_known_label(label: str) -> bool:
    if label in _RESERVED:
        return True
    try:
        return _suffixes().publicsuffix(label.encode("idna").decode()) is not None
    except UnicodeError:
        return False


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def _addresses(value: str) -> list[Value]:
    if port := _PORT.fullmatch(value):
        value = port[1] or port[2]
    value = _SLASH.sub("/", value)
    if masked := _MASKED.fullmatch(value):
        value = _with_prefix(masked[1], masked[2])
    if _IPV4.fullmatch(value):  # also with leading zeros, which the hub then rejects with a reason
        return [("ipv4-addr", value)]
    try:
        found = ipaddress.ip_interface(value) if "/" in value else ipaddress.ip_address(value)
    except ValueError:
        return _range(value)
    if found.version == 4:  # written differently, for example in digits of another script
        raise NotAValueError(_none_of("ip"))
    return [("ipv6-addr", re.sub("%[^/]*", "", str(found)))]  # a zone is valid on one machine only: RFC 4007


def _with_prefix(address: str, mask: str) -> str:
    try:
        return f"{address}/{ipaddress.IPv4Network((0, mask)).prefixlen}"
    except ValueError:
        raise NotAValueError(_none_of("ip")) from None


def _range(value: str) -> list[Value]:
    if short := _SHORT_RANGE.fullmatch(value):
        value = f"{short[1]}{short[2]}-{short[1]}{short[3]}"
    ends = _RANGE.fullmatch(value) if len(value) <= _RANGE_CHARS else None
    try:
        if not ends:
            raise ValueError
        first, last = (ipaddress.ip_address(end) for end in ends.groups())
        networks = []
        for network in ipaddress.summarize_address_range(first, last):
            networks.append(network)
            if len(networks) > _RANGE_NETWORKS:
                raise NotAValueError("a range of too many networks")
    except NotAValueError:
        raise
    except (ValueError, TypeError):
        raise NotAValueError(_none_of("ip")) from None
    return [(f"ipv{network.version}-addr", _network(network)) for network in networks]


def _network(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def without_secrets(text: str) -> str:
    """Returns text without what looks like a password, and without the text after it, for messages.

    >>> without_secrets("user@mail.example:hunter2 x")
    'user@mail.example:…'
    """
    return _SECRET.sub(lambda match: f"{match[1] or match[2] or match[3]}…", text)


def pattern(kind: str, value: str) -> str:
    """Returns a STIX pattern that asserts the value.

    >>> pattern("SHA-256", "00ff")
    "[file:hashes.'SHA-256' = '00ff']"
    """
    path = f"file:hashes.'{kind}'" if kind in HASH_OF_LENGTH.values() else f"{kind}:value"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{path} = '{quoted}']"
