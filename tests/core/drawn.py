"""Objects drawn from the validation tables: every property of every type, in values that the tables let pass."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, assert_never

from hypothesis import strategies as st

from hub.core.validate import TYPES, kinds
from hub.core.validate.common import PROPERTIES, REQUIRED
from hub.core.validate.kinds import ObjectType, PropertyRule, ValueKind
from hub.model.stix_types import Excludes, InOrder, stix_type
from hub.model.words import StixObject

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
WORDS = st.from_regex(r"[a-z][a-z0-9_]{2,8}", fullmatch=True)
UUIDS = st.uuids(version=4).map(str)
TIMES = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
VALUES = {
    "an IPv4 address": st.ip_addresses(v=4).map(str),
    "a domain name": st.sampled_from(["c2.example", "a-b.example", "xn--bcher-kva.example"]),
    "a URL": st.sampled_from(["http://c2.example/a?b=c#d", "https://198.51.100.7:8443/", "ftp://a.example/x"]),
    "an e-mail address": st.sampled_from(["info@c2.example", "a.b+c@d.example"]),
    "a MAC address": st.from_regex(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", fullmatch=True),
    "a CPE 2.3 name": st.just("cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*"),
    "a MIME type": st.just("text/plain"),
    "an IANA character set": st.just("UTF-8"),
    "an RFC 5646 language tag": st.sampled_from(["de", "en-GB", "ro-RO"]),
    "a selector such as labels.[0]": st.just("id"),
}
"""Values of texts with a pattern that STIX's tools take as well: what differs in them has tests of its own."""

HASHES = {
    "MD5": "[0-9a-f]{32}",
    "SHA-1": "[0-9a-f]{40}",
    "SHA-256": "[0-9a-f]{64}",
    "SHA3-256": "[0-9a-f]{64}",
    "SSDEEP": "[0-9]{1,3}:[a-z]{3,9}:[a-z]{3,9}",
}


def values(kind: ValueKind) -> st.SearchStrategy[Any]:  # noqa: C901 (one case a kind)
    """Values of a kind."""
    match kind:
        case kinds.Text(pattern, what, filled):
            if pattern is None:
                return TEXTS.filter(bool) if filled else TEXTS
            return VALUES[what] if what in VALUES else st.from_regex(pattern, fullmatch=True)
        case kinds.Flag():
            return st.booleans()
        case kinds.Integer(least, most):
            return st.integers(-(10**9) if least is None else least, 10**9 if most is None else most)
        case kinds.Number(low, high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False, width=32)
        case kinds.Timestamp():
            return TIMES
        case kinds.Reference(types, but):
            return st.builds("{}--{}".format, st.sampled_from(sorted(types or set(TYPES) - but)), UUIDS)
        case kinds.Ipv6():
            # the validator does not know how RFC 5952 writes mapped addresses
            return st.ip_addresses(network="2001:db8::/32").map(str)
        case kinds.EnumValue(of):
            return st.sampled_from(sorted(of))
        case kinds.Binary():
            return st.sampled_from(["QUJD", "QUI=", "QQ=="])
        case kinds.Hex():
            return st.from_regex("(?:[0-9a-f]{2}){1,4}", fullmatch=True)
        case kinds.Hashes():
            return st.sampled_from(sorted(HASHES)).flatmap(
                lambda name: st.from_regex(HASHES[name], fullmatch=True).map(lambda digest: {name: digest})
            )
        case kinds.Dictionary(of, keys):
            given = {"(?:SO": "SO_RCVBUF", "[A-Z]": "XResolution"}
            key = next((st.just(name) for beginning, name in given.items() if keys.startswith(beginning)), WORDS)
            if of == kinds.Dictionary():
                return st.just({"de": {"name": "x"}})
            return st.dictionaries(key, TEXTS if of is None else values(of), min_size=1, max_size=2)
        case kinds.Anything():
            return TEXTS
        case kinds.ListOf(of):
            return st.lists(values(of), min_size=1, max_size=2)
        case kinds.Embedded():
            return _records(kind)
        case kinds.Extensions(known):
            return st.sampled_from(sorted(known)).flatmap(partial(_extension, known)) if known else DEFINED
        case _:
            assert_never(kind)


def _extension(known: Mapping[str, kinds.Embedded], name: str) -> st.SearchStrategy[Any]:
    return values(known[name]).map(lambda value: {name: value})


DEFINED = st.builds(
    lambda uuid, rank: {f"extension-definition--{uuid}": {"extension_type": "property-extension", "rank": rank}},
    UUIDS,
    st.integers(0, 9),
)


_NOT_DRAWN = {
    "granular_markings",  # their selectors depend on the rest
    "objects",  # deprecated, and lifted: test_lift has it
    "extension_properties",  # depends on extension_types
    "integrity_level",
    "modified_time", "created_time",  # alone they make what the validator finds empty
}  # fmt: skip


@st.composite
def _records(draw: st.DrawFn, kind: kinds.Embedded) -> dict[str, Any]:
    drawn = draw(_properties(kind.properties, kind.required))
    return _owing_nothing(draw, drawn, kind.rules, kind.properties)


@st.composite
def _properties(draw: st.DrawFn, table: Any, required: tuple[str, ...]) -> dict[str, Any]:
    optional = sorted(set(table) - set(required) - _NOT_DRAWN)
    names = [
        *required,
        *draw(st.lists(st.sampled_from(optional), max_size=4, unique=True) if optional else st.just([])),
    ]
    return {name: draw(values(table[name])) for name in names}


def _owing_nothing(  # noqa: C901 (one case a rule)
    draw: st.DrawFn, drawn: dict[str, Any], rules: tuple[PropertyRule, ...], table: Any
) -> dict[str, Any]:
    """The properties, changed until they keep the rules."""
    for _ in range(3):
        for rule in rules:
            match rule:
                case InOrder(first, last, _):
                    if first in drawn and last in drawn:
                        drawn[first], drawn[last] = "2026-01-31T12:00:00.000Z", "2026-02-01T12:00:00.000Z"
                case kinds.AnyOf(names):
                    if not set(names) & drawn.keys():
                        drawn[names[0]] = draw(values(table[names[0]]))
                case kinds.OneOf(names):
                    names = tuple(name for name in names if name not in _NOT_DRAWN)
                    for name in names:
                        drawn.pop(name, None)
                    chosen = draw(st.sampled_from(names))
                    drawn[chosen] = draw(values(table[chosen]))
                case kinds.Needs(name, others, when):
                    if name in drawn and (when is None or drawn[name] is when):
                        for other in set(others) - drawn.keys():
                            drawn[other] = draw(values(table[other]))
                case Excludes(name, other, when):
                    if name in drawn and drawn[name] is when:
                        drawn.pop(other, None)
    return drawn


@st.composite
def objects(draw: st.DrawFn, name: str) -> StixObject:
    """Good objects of a type."""
    table: ObjectType = TYPES[name]
    family = stix_type(name).family
    common = {key: kind for key, kind in PROPERTIES[family].items() if key not in table.without}
    everything = {**common, **table.properties}
    needed = [key for key in REQUIRED[family] if key not in table.without and key != "spec_version"]
    drawn = draw(_properties(everything, (*needed, *table.required)))
    obj = {"type": name, "spec_version": "2.1", "id": f"{name}--{draw(UUIDS)}", **drawn}
    rules = table.rules
    if "modified" in obj:
        obj["created"], obj["modified"] = "2026-01-31T12:00:00.000Z", "2026-02-01T12:00:00.000Z"
    return _owing_nothing(draw, obj, rules, everything)
