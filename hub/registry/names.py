"""The syntax of names of principals, groups and collections, and of identities, countries, sectors and rules.

Each function returns the value as the registry stores it, or raises WrongUsage with the expected syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from ipaddress import ip_network

from hub.model.errors import WrongUsage
from hub.model.event_log import MEMBERS
from hub.model.policy import Widths
from hub.model.principals import PLACEHOLDER_USER, Attribute, GroupRule
from hub.model.stix_types import SCO_TYPES
from hub.model.times import DAY_US, parse_us
from hub.model.tokens import Network
from hub.model.words import Level, Naming, StixId

RESERVED = frozenset({"intake", MEMBERS, "anonymous", PLACEHOLDER_USER})
"""``intake`` is the write-only TAXII collection and the prefix of intake topics; ``anonymous`` is shown for sources
without a name, and stands for readers without credentials. A principal with the name of the placeholder user would be
that user on the brokers.
"""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_STIX_ID = re.compile(rf"[a-z0-9][a-z0-9-]{{1,249}}--{_UUID}", re.ASCII)
_IDENTITY = re.compile(rf"identity--{_UUID}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_SECTOR = re.compile(r"[a-z0-9]([a-z0-9 _-]{0,61}[a-z0-9])?", re.ASCII)
_WIDTHS = re.compile(r"/?([0-9]{1,3})(?: *, */?([0-9]{1,3}))?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": DAY_US}
_LONGEST_US = 3_660 * DAY_US
_OBSERVABLE_OR_TYPE = re.compile(r"[a-z0-9][a-z0-9-]{1,249}", re.ASCII)


def name(said: str, *, what: str = "name") -> str:
    """The name of a principal, a group or a collection; ``what`` describes it in the error."""
    if _NAME.fullmatch(said) is None:
        raise WrongUsage(
            "name.syntax",
            f"{said!r} is no {what}.",
            "A name has 1 to 63 small letters, digits and hyphens, and begins with a letter or digit.",
        )
    if said in RESERVED:
        raise WrongUsage("name.reserved", f"The name {said!r} is reserved.", "Take another one.")
    return said


def identity(said: str) -> StixId:
    """The id of a STIX identity. Source: STIX 2.1, section 2.9 (an RFC 4122 UUID in small letters)."""
    if _IDENTITY.fullmatch(said) is None:
        raise WrongUsage(
            "identity.syntax",
            f"{said!r} is not a STIX identity.",
            "It looks like identity--6ba7b810-9dad-41d1-80b4-00c04fd430c8.",
        )
    return StixId(said)


def stix_id(said: str) -> StixId:
    """The id of a STIX object. Source: STIX 2.1, section 2.9 (an RFC 4122 UUID in small letters)."""
    if _STIX_ID.fullmatch(said) is None:
        raise WrongUsage(
            "id.syntax", f"{said!r} is not a STIX id.", "It looks like malware--6ba7b810-9dad-41d1-80b4-00c04fd430c8."
        )
    return StixId(said)


def country(said: str) -> str:
    """A country as two capital letters (ISO 3166-1 alpha-2; ``EU`` and other reserved codes are accepted)."""
    code = said.strip().upper()
    if _COUNTRY.fullmatch(code) is None:
        raise WrongUsage(
            "country.syntax", f"{said!r} is not a country code.", "It has two letters, such as RO (ISO 3166-1)."
        )
    return code


def sector(said: str) -> str:
    """A sector in small letters, such as ``energy`` (STIX 2.1, section 10.13, or a custom word)."""
    word = said.strip().lower()
    if _SECTOR.fullmatch(word) is None:
        raise WrongUsage(
            "sector.syntax", f"{said!r} is not a sector.", "It is a word such as energy or financial-services."
        )
    return word


def rule(said: str) -> GroupRule:
    """A rule of a group such as ``country=RO``."""
    key, equals, value = said.partition("=")
    try:
        attribute = Attribute(key.strip().lower())
    except ValueError:
        attribute = None
    if attribute is None or not equals:
        raise WrongUsage("rule.syntax", f"{said!r} is not a rule.", "A rule is country=RO or sector=energy.")
    return GroupRule(attribute, country(value) if attribute is Attribute.COUNTRY else sector(value))


def level(said: str) -> Level:
    """A TLP level such as ``amber+strict``."""
    try:
        return Level.of(said)
    except ValueError as error:
        raise WrongUsage("level.unknown", f"{error}.") from error


def naming(said: str, known: Sequence[Naming] = tuple(Naming)) -> Naming:
    """How a source is shown: one of ``known``."""
    if said not in known:
        raise WrongUsage("naming.unknown", f"There is no naming {said!r}.", f"It is one of {', '.join(known)}.")
    return Naming(said)


def percent(said: int, *, what: str) -> int:
    """A whole number from 0 to 100."""
    if not 0 <= said <= 100:
        raise WrongUsage("number.range", f"{said} is no {what}.", "It is a whole number from 0 to 100.")
    return said


def widths(said: str, now: Widths) -> Widths:
    """The widest networks, such as ``/8,/19``: prefix lengths of IPv4 and IPv6. Without the second that of ``now``."""
    found = _WIDTHS.fullmatch(said)
    made = Widths(int(found[1]), now.ipv6 if found[2] is None else int(found[2])) if found else None
    if made is None or made.ipv4 > 32 or made.ipv6 > 128:
        out = "It looks like /16 (IPv4) or /16,/29 (IPv4, IPv6)."
        raise WrongUsage("width.syntax", f"{said!r} is no width of networks.", out)
    return made


def object_type(said: str) -> str:
    """A STIX object type, for a collection's filter; a custom type is accepted unless it resembles a standard one."""
    from hub.core.validate import TYPES  # a slow import that few commands need

    near = get_close_matches(said, TYPES, n=1)
    if _OBSERVABLE_OR_TYPE.fullmatch(said) is None or (near and said not in TYPES and not said.startswith("x-")):
        out = f"Did you mean {near[0]}?" if near else "It looks like indicator or ipv4-addr."
        raise WrongUsage("type.syntax", f"{said!r} is not a STIX type.", out)
    return said


def observable_kind(said: str) -> str:
    """A kind of observable, for a collection's filter: STIX 2.1, section 6, or ``x-…``."""
    if _OBSERVABLE_OR_TYPE.fullmatch(said) is None or (said not in SCO_TYPES and not said.startswith("x-")):
        near = get_close_matches(said, SCO_TYPES, n=1, cutoff=0.0)[0]
        raise WrongUsage("kind.syntax", f"{said!r} is not a kind of observable.", f"Did you mean {near}?")
    return said


def network(said: str) -> Network:
    """A network such as ``192.0.2.0/24`` or ``2001:db8::/32``, or a single address."""
    try:
        return ip_network(said.strip())
    except ValueError as error:
        out = "It looks like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7; the bits after the length are 0."
        raise WrongUsage("network.syntax", f"{said!r} is not a network: {error}.", out) from None


def duration_us(said: str) -> int:
    """A duration such as ``24h``, in microseconds; at most ten years."""
    found = _DURATION.fullmatch(said.strip())
    us = int(found[1]) * _UNIT_US[found[2]] if found else 0
    if not 0 < us <= _LONGEST_US:
        raise WrongUsage("duration.syntax", f"{said!r} is not a duration.", "It looks like 90s, 30m, 24h or 7d.")
    return us


def end(said: str, now_us: int) -> int:
    """When something ends, in microseconds since 1970: a duration from now, a date (its end in UTC) or an RFC 3339
    timestamp, in the future.
    """
    try:
        if _DURATION.fullmatch(said.strip()) is not None:
            return now_us + duration_us(said)
        day = _DATE.fullmatch(said.strip()) is not None
        us = parse_us(f"{said.strip()}T00:00:00Z" if day else said.strip()) + (DAY_US if day else 0)
    except ValueError:
        out = "It looks like 2027-12-31, 2027-12-31T18:00:00Z or 90d."
        raise WrongUsage("time.syntax", f"{said!r} is not a time.", out) from None
    if us <= now_us:
        raise WrongUsage(
            "time.past", f"{said!r} is in the past.", "Give a time in the future, or a duration such as 90d."
        )
    return us


def alias(said: str) -> str:
    """The name under which an ``alias`` centre is shown: printable, at most 200 characters."""
    text = said.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise WrongUsage("alias.syntax", "This alias cannot be shown.", "It is printable text of 1 to 200 characters.")
    return text
