"""Observables in canonical form: examples, and properties against other implementations of the same standards."""

# ruff: noqa: E501 (tables read better in lines)
from __future__ import annotations

import ipaddress
from urllib.parse import unquote_to_bytes, urlsplit

import idna
import pytest
from ada_url import parse_url
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from hub.model.problems import Code, Problem
from hub.patterns import canonical_observable, canonical_value, is_of_its_kind
from tests.examples import few

IPV4, IPV6, DOMAIN, URL, EMAIL = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr")

SAME = [
    (IPV4, "value", "198.51.100.7", "198.51.100.7"),
    (IPV4, "value", "198.51.100.7/32", "198.51.100.7"),
    (IPV4, "value", "198.51.100.7/24", "198.51.100.0/24"),
    (IPV4, "value", "198.51.100.7/0", "0.0.0.0/0"),
    (IPV6, "value", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    (IPV6, "value", "2001:db8::1/128", "2001:db8::1"),
    (IPV6, "value", "2001:db8::1/64", "2001:db8::/64"),
    (IPV6, "value", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    (IPV6, "value", "::FFFF:C633:6407", "::ffff:198.51.100.7"),
    (IPV6, "value", "0:0:0:0:0:ffff:198.51.100.7", "::ffff:198.51.100.7"),
    (DOMAIN, "value", "EXAMPLE.com.", "example.com"),
    (DOMAIN, "value", "bücher.example", "xn--bcher-kva.example"),
    (DOMAIN, "value", "XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    (DOMAIN, "value", "faß.example", "xn--fa-hia.example"),
    (DOMAIN, "value", "💩.example", "xn--ls8h.example"),
    (DOMAIN, "value", "a。example", "a.example"),
    (DOMAIN, "value", "_dmarc.a-.example", "_dmarc.a-.example"),
    (DOMAIN, "value", "localhost", "localhost"),
    (URL, "value", "HTTP://EXAMPLE.com.:80", "http://example.com/"),
    (URL, "value", "https://host:443/", "https://host/"),
    (URL, "value", "https://host:80/", "https://host:80/"),
    (URL, "value", "http://host/a/./b/../c", "http://host/a/c"),
    (URL, "value", "http://host/%7eA%2f%c3%a9?q=%7E&r=%2b", "http://host/~A%2F%C3%A9?q=~&r=%2B"),
    (URL, "value", "http://host/a b?c d#e f", "http://host/a%20b?c%20d#e%20f"),
    (URL, "value", "http://host/#Frag", "http://host/#Frag"),
    (URL, "value", "http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
    (URL, "value", "http://0x7f.1/", "http://127.0.0.1/"),
    (URL, "value", "http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
    (URL, "value", "http://user:secret@host/x", "http://host/x"),
    (URL, "value", "http://host/%2%65", "http://host/%2%65"),
    (URL, "value", "mailto:A@b.example", "mailto:A@b.example"),
    (URL, "value", "file:///%43|/%c3", "file:///%43|/%C3"),
    (EMAIL, "value", "Info.Desk@EXAMPLE.com.", "Info.Desk@example.com"),
    (EMAIL, "value", '"a b"@EXAMPLE.com', '"a b"@example.com'),
    ("mac-addr", "value", "D2-FB-49-24-37-18", "d2:fb:49:24:37:18"),
    ("mac-addr", "value", "d2fb.4924.3718", "d2:fb:49:24:37:18"),
    ("autonomous-system", "number", "AS064496", "64496"),
    ("windows-registry-key", "key", "hklm\\Software\\Foo\\", "HKEY_LOCAL_MACHINE\\Software\\Foo"),
    ("x509-certificate", "serial_number", "0A:1B", "0a:1b"),
    ("x509-certificate", "serial_number", "a1b", "0a:1b"),
    ("cryptocurrency-wallet", "value", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("cryptocurrency-wallet", "value", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
    ("file", "hashes.MD5", "D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e"),
    ("file", "hashes.'SHA-256'", "AB" * 32, "ab" * 32),
    ("x509-certificate", "hashes.'SHA-1'", "AB" * 20, "ab" * 20),
    ("file", "extensions.'windows-pebinary-ext'.sections[*].hashes.MD5", "AB" * 16, "ab" * 16),
    ("file", "hashes.SSDEEP", "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:s4dBAhxc", "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:s4dBAhxc"),
    ("network-traffic", "dst_ref.value", "198.51.100.7/32", "198.51.100.7"),
    ("network-traffic", "src_ref.value", "2001:DB8::1", "2001:db8::1"),
    ("network-traffic", "dst_ref.value", "EXAMPLE.com", "example.com"),
    ("domain-name", "resolves_to_refs[*].value", "2001:DB8::1", "2001:db8::1"),
    ("email-message", "from_ref.value", "A@EXAMPLE.com", "A@example.com"),
    ("email-message", "to_refs[0].value", "A@EXAMPLE.com", "A@example.com"),
    ("mutex", "name", "Global\\X", "Global\\X"),
    ("file", "name", "README.TXT", "README.TXT"),
    ("app", "id", "com.Example.App", "com.Example.App"),
    ("network-traffic", "extensions.'http-request-ext'.request_header.'User-Agent'", "Mozilla/5.0", "Mozilla/5.0"),
]  # fmt: skip

NONE_OF_ITS_KIND = [
    (IPV4, "example.com"), (IPV4, "198.51.100.7:80"), (IPV4, "198.51.100.0/33"), (IPV4, "198.51.100.0/255.255.255.0"),
    (IPV4, "2001:db8::1"), (IPV4, "198.51.100"), (IPV4, " 198.51.100.7"), (IPV4, "198.51.100.\u0667"), (IPV4, ""),
    (IPV6, "fe80::1%eth0"), (IPV6, "198.51.100.7"), (IPV6, "2001:db8::1/129"), (IPV6, "[2001:db8::1]"), (IPV6, "::g"),
    (DOMAIN, "fgr1w2gnsdvsb.xyz/x"), (DOMAIN, "198.51.100.7"), (DOMAIN, "*.example"), (DOMAIN, "a..example"), (DOMAIN, "."),
    (DOMAIN, "a example"), (DOMAIN, "example.com:80"), (DOMAIN, "x" * 64 + ".example"), (DOMAIN, "a." * 127 + "a"), (DOMAIN, ""),
    (URL, "x"), (URL, "example.com/x"), (URL, "example.com:80/x"), (URL, "localhost:8080"), (URL, "C:\\x"), (URL, "hxxp://a.example/"),
    (URL, "http://a[.]example/"), (URL, "http://"), (URL, "'http://a.example/"),
    (EMAIL, "a.example"), (EMAIL, "@a.example"), (EMAIL, "Foo <a@b.example>"), (EMAIL, "a@[198.51.100.7]"),
    ("mac-addr", "d2:fb:49:24:37"), ("cryptocurrency-wallet", "bc1QW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
]  # fmt: skip

AMBIGUOUS = [
    (IPV4, "010.0.0.1"), (IPV4, "198.051.100.7/24"), (IPV4, "198.51.100.007"), (IPV6, "::ffff:010.0.0.1"),
    (URL, "http://010.0.0.1/"), (URL, "http://user@010.0.0.1:80/"), (URL, "tcp://198.051.100.7:80"), (URL, "http://0\t10.0.0.1/"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "canonical"), SAME)
def test_a_value_has_one_spelling(kind: str, path: str, value: str, canonical: str) -> None:
    assert canonical_value(kind, path, value) == canonical
    assert canonical_value(kind, path, canonical) == canonical
    assert is_of_its_kind(kind, path, value)


@pytest.mark.parametrize(("kind", "value"), NONE_OF_ITS_KIND)
def test_a_value_that_is_none_of_its_kind_is_kept_with_a_warning(kind: str, value: str) -> None:
    found = canonical_observable(kind, "value", value)
    assert isinstance(found, tuple)
    kept, [warning] = found
    assert kept == value
    assert warning.code == Code.VALUE_NOT_OF_ITS_KIND
    assert not is_of_its_kind(kind, "value", value)


@pytest.mark.parametrize(("kind", "value"), AMBIGUOUS)
def test_a_value_that_two_readers_read_differently_is_refused(kind: str, value: str) -> None:
    found = canonical_observable(kind, "value", value)
    assert isinstance(found, Problem)
    assert found.code == Code.VALUE_AMBIGUOUS
    assert not is_of_its_kind(kind, "value", value)


@pytest.mark.parametrize("value", ["http://user:pw@a.example/", "ftp://anonymous@a.example/x", "ssh://git@a.example/x"])
def test_credentials_are_left_out_and_flagged(value: str) -> None:
    found = canonical_observable(URL, "value", value)
    assert isinstance(found, tuple)
    url, [warning] = found
    assert "@" not in url
    assert warning.code == Code.URL_CREDENTIALS
    assert "pw" not in warning.says


def test_a_digest_of_the_wrong_length_is_refused() -> None:
    found = canonical_value("file", "hashes.'SHA-256'", "ab" * 16)
    assert isinstance(found, Problem)
    assert found.code == Code.STIX_HASH


def test_the_userinfo_of_no_credentials_is_no_warning() -> None:
    assert canonical_observable(URL, "value", "http://a.example/@x") == ("http://a.example/@x", ())


# -- properties

octets = st.lists(st.integers(0, 255), min_size=4, max_size=4).map(lambda parts: ".".join(map(str, parts)))
networks = st.builds("{}/{}".format, octets, st.integers(0, 32))


@few(300)
@given(octets | networks, octets | networks)
def test_two_ipv4_values_are_one_exactly_when_ipaddress_says_so(left: str, right: str) -> None:
    same = ipaddress.ip_network(left, strict=False) == ipaddress.ip_network(right, strict=False)
    assert (canonical_value(IPV4, "value", left) == canonical_value(IPV4, "value", right)) == same
    assert ipaddress.ip_network(str(canonical_value(IPV4, "value", left))) == ipaddress.ip_network(left, strict=False)


def spelled(number: int, how: int) -> str:
    address = ipaddress.IPv6Address(number)
    groups = address.exploded.split(":")
    return [
        address.compressed,
        address.exploded,
        address.exploded.upper(),
        ":".join(group.lstrip("0") or "0" for group in groups),
        ":".join(groups[:6]) + f":{ipaddress.IPv4Address(number & 0xFFFFFFFF)}",
    ][how]


numbers = (
    st.integers(0, 2**128 - 1)
    | st.integers(0, 2**32 - 1).map(lambda low: 0xFFFF << 32 | low)
    | st.lists(st.sampled_from([0, 0, 1, 0xFFFF]), min_size=8, max_size=8).map(lambda groups: int("".join(f"{g:04x}" for g in groups), 16))
)  # fmt: skip


@few(300)
@given(numbers, st.integers(0, 4), st.integers(0, 4), st.integers(0, 128))
def test_an_ipv6_value_has_one_spelling_and_stays_what_it_is(number: int, one: int, other: int, length: int) -> None:
    left = canonical_value(IPV6, "value", f"{spelled(number, one)}/{length}")
    right = canonical_value(IPV6, "value", f"{spelled(number, other)}/{length}")
    assert isinstance(left, str)
    assert left == right == canonical_value(IPV6, "value", left)
    assert ipaddress.IPv6Network(left) == ipaddress.IPv6Network((number, length), strict=False)


@few(300)
@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12))
@example("Straße")
@example("İstanbul")
def test_a_domain_name_is_what_idna_2008_makes_of_it(label: str) -> None:
    try:
        theirs = idna.encode(f"{label}.example", uts46=True, transitional=False).decode()
    except idna.IDNAError:
        reject()
    assert canonical_value(DOMAIN, "value", f"{label}.example") == theirs


kinds = st.sampled_from(
    [IPV4, IPV6, DOMAIN, URL, EMAIL, "mac-addr", "windows-registry-key", "x509-certificate", "cryptocurrency-wallet"]
)
properties = {"windows-registry-key": "key", "x509-certificate": "serial_number"}


@few(1_000)
@given(kinds, st.text(max_size=24) | st.text("aA0.:/@%-_[]\\#?é", max_size=24))
def test_a_canonical_value_is_its_own_canonical_value(kind: str, value: str) -> None:
    path = properties.get(kind, "value")
    found = canonical_value(kind, path, value)
    assume(isinstance(found, str))
    assert canonical_value(kind, path, str(found)) == found


hosts = st.sampled_from(["a.example", "A.EXAMPLE.", "198.51.100.7", "[2001:DB8::1]", "bücher.example", "0x7f.1"])
pieces = st.lists(
    st.sampled_from(
        ["a", "%61", "%7e", "~", "%2F", "%2f", "%2e", ".", "..", "/", "%", "%2", "%25", "é", " ", "%C3%A9", "|", "C"]
    ),
    max_size=8,
).map("".join)
urls = st.builds(
    "{}://{}{}{}{}{}{}".format,
    st.sampled_from(["http", "HTTPS", "ftp", "ws", "file", "tcp"]),
    st.sampled_from(["", "", "", "user@", "u:p@", ":@"]),
    hosts,
    st.sampled_from(["", "", ":80", ":443", ":8080", ":"]),
    pieces.map(lambda path: f"/{path}" if path else ""),
    pieces.map(lambda query: f"?{query}" if query else ""),
    pieces.map(lambda fragment: f"#{fragment}" if fragment else ""),
)


def located(url: str) -> tuple[object, ...]:
    """What a URL locates: parsed by ada as WHATWG says, every escape read as the byte that it stands for."""
    parsed = parse_url(url, ("protocol", "host", "pathname", "search", "hash"))
    host = parsed["host"]
    name, colon, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    special = parsed["protocol"] in ("http:", "https:", "ftp:", "ws:", "file:")
    name = name.removesuffix(".") if special else name
    path = tuple(unquote_to_bytes(step) for step in parsed["pathname"].split("/"))
    return (
        parsed["protocol"],
        name,
        colon,
        port,
        path,
        unquote_to_bytes(parsed["search"]),
        unquote_to_bytes(parsed["hash"]),
    )


@few(1_000)
@given(urls)
def test_a_canonical_url_locates_the_same_and_is_its_own_canonical_url(url: str) -> None:
    found = canonical_observable(URL, "value", url)
    assert isinstance(found, tuple)
    text, warnings = found
    assume(all(warning.code == Code.URL_CREDENTIALS for warning in warnings))
    assert located(text) == located(url)
    assert canonical_observable(URL, "value", text) == (text, ())
    assert urlsplit(text).username is None


@few(300)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.booleans())
def test_two_digests_are_one_exactly_when_their_bytes_are(left: bytes, right: bytes, upper: bool) -> None:
    spelled_right = right.hex().upper() if upper else right.hex()
    same = canonical_value("file", "hashes.MD5", left.hex()) == canonical_value("file", "hashes.MD5", spelled_right)
    assert same == (left == right)
