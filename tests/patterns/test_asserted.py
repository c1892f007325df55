"""Which values a pattern asserts alone: by example, and against stix2-matcher over generated compositions."""

# ruff: noqa: E501 (tables read better in lines)
from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from hub.patterns import Canonical, Named, Observable, canonical
from hub.patterns.observables import is_of_its_kind, meant_type
from tests.examples import few
from tests.patterns.reference import Observation, matches

MD5, SHA1 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def taken(pattern: str) -> Canonical:
    found = canonical(pattern)
    assert isinstance(found, Canonical), found
    return found


def asserted(pattern: str) -> set[str]:
    """The values with their kinds, short."""
    return {f"{one.kind} {one.value}" for one in taken(pattern).asserted}


# ---------------------------------------------------------------- by example


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'a.example']", {"ipv4-addr 198.51.100.7", "domain-name a.example"}),
        ("[ipv4-addr:value = '198.51.100.7'] OR [domain-name:value = 'a.example']", {"ipv4-addr 198.51.100.7", "domain-name a.example"}),
        (f"[file:hashes.MD5 = '{MD5}' OR file:hashes.'SHA-1' = '{SHA1}']", {f"file {MD5}", f"file {SHA1}"}),
        (f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']", set()),
        ("[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value LIKE '198.51.100.%']", {"ipv4-addr 198.51.100.7"}),
        ("[ipv4-addr:value = '198.51.100.7' OR (ipv4-addr:value = '198.51.100.8' AND ipv4-addr:x_seen = true)]", {"ipv4-addr 198.51.100.7"}),
        ("[ipv4-addr:value = '198.51.100.7'] OR [ipv4-addr:value = '198.51.100.8'] WITHIN 5 SECONDS", {"ipv4-addr 198.51.100.7"}),
        ("([ipv4-addr:value = '198.51.100.7'] OR [ipv4-addr:value = '198.51.100.8']) WITHIN 5 SECONDS", set()),
        ("[ipv4-addr:value = '198.51.100.7'] OR ([ipv4-addr:value = '198.51.100.8'] AND [url:value = 'http://a.example/'])", {"ipv4-addr 198.51.100.7"}),
        ("[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [ipv4-addr:value = '198.51.100.8']", set()),
    ],
)  # fmt: skip
def test_each_alternative_is_asserted_alone(pattern: str, expected: set[str]) -> None:
    assert asserted(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.31']", {"ipv4-addr 198.51.100.31"}),
        ("[network-traffic:src_ref.value = '2001:DB8::31' AND network-traffic:src_ref.type = 'ipv6-addr']", {"ipv6-addr 2001:db8::31"}),
        ("[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'c2.example']", {"domain-name c2.example"}),
        ("[network-traffic:dst_ref.type IN ('ipv4-addr', 'ipv6-addr') AND network-traffic:dst_ref.value = '2001:db8::1']", {"ipv6-addr 2001:db8::1"}),
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value IN ('198.51.100.1', '198.51.100.2')]", {"ipv4-addr 198.51.100.1", "ipv4-addr 198.51.100.2"}),
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24']", {"ipv4-addr 198.51.100.0/24"}),
        ("[(network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.1') OR (network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '198.51.100.1')]", {"ipv4-addr 198.51.100.1"}),
        ("[network-traffic:dst_ref.value = '198.51.100.31']", {"ipv4-addr 198.51.100.31"}),
        ("[network-traffic:dst_ref.value = 'C2.Example']", {"domain-name c2.example"}),
        ("[network-traffic:dst_ref.value = '198.51.100.31:443']", {"network-traffic 198.51.100.31:443"}),
        # what restricts something, or contradicts itself, is no annotation
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '198.51.100.31']", set()),
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.31' AND network-traffic:dst_port = 443]", set()),
        ("[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_ref.value = '198.51.100.31']", set()),
        ("[network-traffic:src_ref.type = 'ipv6-addr' AND network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.31']", set()),
        ("[network-traffic:dst_ref.type != 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.31']", set()),
        ("[network-traffic:dst_ref.type = 'file' AND network-traffic:dst_ref.value = '198.51.100.31']", set()),
        ("[network-traffic:dst_ref.type = 'ipv4-addr'] AND [network-traffic:dst_ref.value = '198.51.100.31']", set()),
    ],
)  # fmt: skip
def test_the_annotation_of_a_type_restricts_nothing(pattern: str, expected: set[str]) -> None:
    assert asserted(pattern) == expected


def test_an_annotated_value_of_another_kind_is_of_no_kind() -> None:
    [one] = taken(
        "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = 'c2.example']"
    ).asserted
    assert one == Observable("ipv4-addr", "value", "c2.example")
    assert not is_of_its_kind(one.kind, one.path, one.value)


def test_every_other_value_is_named_with_what_the_pattern_says_of_it() -> None:
    found = taken(
        "[domain-name:value = 'a.example' AND domain-name:value != 'b.example'] AND [url:value LIKE '%.example/x']"
    )
    assert found.asserted == ()
    assert set(found.others) == {
        Named("domain-name", "value", "a.example", "=", False),
        Named("domain-name", "value", "b.example", "!=", True),
        Named("url", "value", "%.example/x", "LIKE", False),
    }


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("ipv4addr", "ipv4-addr"), ("IPv4-Addr", "ipv4-addr"), ("ip", "ipv4-addr"), ("domain", "domain-name"),
        ("hostname", "domain-name"), ("domain_name", "domain-name"), ("md5", "file"), ("sha-256", "file"),
        ("urls", "url"), ("email", "email-addr"), ("ipv4-addr", None), ("x-ipv4addr", None), ("app", None),
        ("cryptocurrency-wallet", None), ("android-property", None), ("payment-card", None),
    ],
)  # fmt: skip
def test_a_misspelt_object_type_is_known_as_one(kind: str, meant: str | None) -> None:
    assert meant_type(kind) == meant
    assert is_of_its_kind(kind, "x_any", "198.51.100.7") == (meant is None)


def test_a_misspelt_object_type_is_warned_of_once() -> None:
    found = taken("[ipv4addr:value = '198.51.100.7' OR ipv4addr:value LIKE '198.51.100.%']")
    assert [str(warning.code) for warning in found.warnings] == ["value.not-of-its-kind"]
    assert "ipv4-addr" in found.warnings[0].says


# ---------------------------------------------------------------- against an evaluator

KINDS = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "md5")


def value_of(kind: str, number: int) -> str:
    """A value that no other leaf has."""
    return {
        "ipv4-addr": f"198.51.100.{number}",
        "ipv6-addr": f"2001:db8::{number + 1:x}",
        "domain-name": f"n{number}.example",
        "url": f"http://n{number}.example/x",
        "md5": f"{number:032x}",
    }[kind]


def seen_alone(one: Observable) -> Observation:
    """An observation of this value and of nothing else: itself, and traffic from and to it."""
    if one.kind == "file":
        return [{"type": "file", "hashes": {"MD5": one.value}}]
    value = {"type": one.kind, "id": f"{one.kind}--1", "value": one.value}
    if one.kind == "url":
        return [value]
    return [
        value,
        {"type": "network-traffic", "protocols": ["tcp"], "dst_ref": value["id"]},
        {"type": "network-traffic", "protocols": ["tcp"], "src_ref": value["id"]},
    ]


@st.composite
def alternatives(draw: st.DrawFn, number: count[int], kind: str | None = None) -> str:
    """One comparison, with its own value."""
    kind = kind or draw(st.sampled_from(KINDS))
    value = value_of(kind, next(number))
    if kind == "md5":
        return f"file:hashes.MD5 = '{value}'"
    if kind != "url" and draw(st.booleans()):
        end = draw(st.sampled_from(["src_ref", "dst_ref"]))
        bare = f"network-traffic:{end}.value = '{value}'"
        typed = f"network-traffic:{end}.type = '{kind}'"
        return draw(st.sampled_from([bare, f"({typed} AND {bare})", f"({bare} AND {typed})"]))
    if kind == "ipv4-addr" and draw(st.booleans()):
        return f"ipv4-addr:value ISSUBSET '{value}/32'"
    return f"{kind}:value {draw(st.sampled_from(['= ', 'IN ']))}".replace("IN ", f"IN ('{value}')").replace(
        "= ", f"= '{value}'"
    )


@st.composite
def inside(draw: st.DrawFn, number: count[int], depth: int = 2) -> str:
    """Comparisons joined by OR, some of them by AND (with what is of the same object)."""
    shape = draw(st.integers(0, 3)) if depth else 0
    if shape == 0:
        return draw(alternatives(number))
    if shape == 1:
        kind = draw(st.sampled_from(["domain-name", "url"]))
        one, other = (value_of(kind, next(number)) for _ in range(2))
        return f"({kind}:value = '{one}' AND {kind}:x_other = '{other}')"
    operands = draw(st.lists(st.deferred(lambda: inside(number, depth - 1)), min_size=2, max_size=3))
    return f"({' OR '.join(operands)})"


@st.composite
def patterns(draw: st.DrawFn, number: count[int], depth: int = 2) -> str:
    """Observations joined by OR, AND and FOLLOWEDBY."""
    if not depth or draw(st.booleans()):
        return f"[{draw(inside(number))}]"
    operands = draw(st.lists(st.deferred(lambda: patterns(number, depth - 1)), min_size=2, max_size=3))
    return f"({draw(st.sampled_from([' OR ', ' OR ', ' AND ', ' FOLLOWEDBY '])).join(operands)})"


def plain(one: Observable) -> Observable:
    """What a comparison names, under the kind that its value is of."""
    return Observable(kind_by_text(one.value), "value", one.value.removesuffix("/32"))


def kind_by_text(value: str) -> str:
    if value.startswith("http"):
        return "url"
    if value.endswith(".example"):
        return "domain-name"
    return "ipv6-addr" if ":" in value else "ipv4-addr" if "." in value else "file"


@few(50, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_observation_of_just_that_value_matches_if_and_only_if_it_is_asserted_alone(data: st.DataObject) -> None:
    pattern = data.draw(patterns(count()))
    found = taken(pattern)
    for one in found.asserted:
        assert matches(pattern, [seen_alone(one)]), one
    for other in found.others:
        assert not matches(pattern, [seen_alone(plain(other))]), other


@few(40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_value_of_a_pattern_is_asserted_or_named(data: st.DataObject) -> None:
    number: count[int] = count()
    pattern = data.draw(patterns(number))
    found = taken(pattern)
    values = {one.value.removesuffix("/32") for one in (*found.asserted, *found.others)}
    used = next(number)
    assert all(any(value_of(kind, no) in values for kind in KINDS) for no in range(used))
