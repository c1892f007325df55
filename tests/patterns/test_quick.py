"""The quick way gives what the full parser gives, on every pattern that it takes."""

# ruff: noqa: E501 (tables read better in lines)
from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.patterns import canonical, canonical_in_full, quick
from tests.examples import few

PATHS = (
    *(f"{kind}:value" for kind in ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr", "file", "x")),
    *(f"file:hashes.{key}" for key in ("MD5", "md5", "'MD5'", "SHA1", "'SHA-1'", "sha256", "SHA256", "'SHA-256'", "'sha-512'")),
    *("file:name", "file:hashes.SHA-256", "file:hashes.'sha_256'", "file:hashes.''", "file:hashes.'", "app:id"),
)  # fmt: skip
VALUES = (
    *("198.51.100.7", "198.51.100.7/24", "198.51.100.7/32", "010.0.0.1", "198.51.100.7/033", "198.51.100.256", "1.2.3"),
    *("2001:DB8::1", "2001:db8::1/64", "::ffff:198.51.100.7", "fe80::1%eth0", "::ffff:010.0.0.1"),
    *("Example.COM.", "bücher.example", "_x.example", "a.example/x", "a..example", "198.51.100.7.", "xn--bcher-kva.example"),
    *("HTTP://u:p@EXAMPLE.com.:80/%7Ea?b#c", "http://010.0.0.1/", "x", "http://a/%2%65", "ftp://a.example", "hxxp://a.example/"),
    *("A.b@EXAMPLE.com", "a@b@c.example", "@", "00-11-22-33-44-55", "AB" * 16, "ab" * 20, "Cd" * 32, "ef" * 64, "g" * 32),
    *("", " ", "\n", "]", "[", "=", '"', "//", "/*", "x = 1] OR [y", "\x00", "\u200b", "\ud800", "é"),
)  # fmt: skip
blanks = st.text(" \t\r\n", max_size=2)


@st.composite
def singles(draw: st.DrawFn) -> str:
    """One comparison, or nearly one."""
    gaps = [draw(blanks) for _ in range(4)]
    path = draw(st.sampled_from(PATHS))
    value = draw(st.sampled_from(VALUES) | st.text(max_size=20) | st.text("0123456789abcdef.:/@%-_", max_size=40))
    quote = draw(st.sampled_from(["'", "'", "'", "'", '"', ""]))
    operator = draw(st.sampled_from(["=", "=", "=", "=", "==", "!=", "NOT ="]))
    return f"[{gaps[0]}{path}{gaps[1]}{operator}{gaps[2]}{quote}{value}{quote}{gaps[3]}]"


@few(1_500)
@given(singles())
@example("[url:value = 'http://a/%2%65']")
@example("[ipv4-addr:value='198.51.100.7']\n")
def test_it_gives_what_the_full_parser_gives(pattern: str) -> None:
    assert canonical(pattern) == canonical_in_full(pattern)
    assert canonical(pattern, spec_version="2.0") == canonical_in_full(pattern, spec_version="2.0")


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value='198.51.100.7']",
        "[ ipv4-addr:value = '198.51.100.7/32' ]",
        "[file:hashes.'SHA-256' = '" + "ab" * 32 + "']",
        "[file:hashes.sha256='" + "AB" * 32 + "']",
        "[url:value = 'http://a.example/']",
    ],
)
def test_it_takes_what_feeds_send_most(pattern: str) -> None:
    assert quick.match(pattern) is not None
