"""What comes out of a pattern: the text that clients see, the values that it asserts, the problems; and the key."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.model.problems import Code, Problem
from hub.patterns import Canonical, Observable, canonical, canonical_text, key, pattern_key, value_candidates

ROOT = Path(__file__).parent.parent.parent
VECTORS = json.loads((ROOT / "schemas" / "key-vectors.json").read_text("utf-8"))
MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def taken(pattern: str, spec_version: str = "2.1") -> Canonical:
    found = canonical(pattern, spec_version=spec_version)
    assert isinstance(found, Canonical), found
    return found


@pytest.mark.parametrize("vector", VECTORS["taken"], ids=lambda vector: vector["pattern"][:40])
def test_the_published_vectors_are_what_the_hub_computes(vector: dict[str, Any]) -> None:
    if vector["pattern_type"] == "stix":
        found = taken(vector["pattern"], vector["spec_version"])
        assert [warning.code for warning in found.warnings] == vector["warnings"]
        text = found.text
    else:
        text = canonical_text(vector["pattern"], vector["pattern_type"])
    assert text == vector["text"]
    assert pattern_key(vector["pattern_type"], text).hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["pattern"][:40])
def test_the_published_refusals_are_what_the_hub_says(vector: dict[str, str]) -> None:
    found = canonical(vector["pattern"], spec_version=vector["spec_version"])
    assert isinstance(found, Problem)
    assert (found.code, found.at) == (vector["code"], "/pattern")


def test_the_key_is_what_its_page_says() -> None:
    text = "[ipv4-addr:value = '198.51.100.7']"
    assert key("stix", text) == sha256(b"ctihub-key-v1\nstix\n" + text.encode()).digest()


def test_a_line_break_in_a_kind_cannot_forge_the_key_of_another() -> None:
    assert pattern_key("snort\nalert", "x") != pattern_key("snort", "alert\nx")
    assert pattern_key("a\\n", "x") != pattern_key("a\n", "x")


@pytest.mark.parametrize("kind", ["object", "relationship", "pattern:object"])
def test_no_type_of_a_pattern_makes_it_another_kind_of_thing(kind: str) -> None:
    assert pattern_key(kind, "x") != key(kind, "x")
    assert pattern_key("stix", "x") != pattern_key("pattern:stix", "x")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[ipv4-addr:value='198.51.100.7']", "[ipv4-addr:value = '198.51.100.7']"),
        (f"[file:hashes.sha256='{'AB' * 32}']", f"[file:hashes.'SHA-256' = '{'ab' * 32}']"),
        (f"[file:hashes.'MD5'='{MD5}']", f"[file:hashes.MD5 = '{MD5}']"),
    ],
)
def test_one_comparison_is_shown_as_clients_expect_it(pattern: str, text: str) -> None:
    assert taken(pattern).text == text


ADDRESS = Observable("ipv4-addr", "value", "198.51.100.7")
OTHER = Observable("ipv4-addr", "value", "198.51.100.8")


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '198.51.100.7']",
        "([(ipv4-addr:value = '198.51.100.7/32')])",
        "[ipv4-addr:value IN ('198.51.100.7', '198.51.100.7/32')]",
        "[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '198.51.100.7']",
        "[ipv4-addr:value = '198.51.100.7'] OR [ipv4-addr:value = '198.51.100.7']",
    ],
)
def test_one_equality_however_written_asserts_one_value(pattern: str) -> None:
    assert taken(pattern).asserted == (ADDRESS,)


@pytest.mark.parametrize(
    ("pattern", "asserted"),
    [
        ("[ipv4-addr:value IN ('198.51.100.8', '198.51.100.7')]", (ADDRESS, OTHER)),
        ("[ipv4-addr:value = '198.51.100.8' OR ipv4-addr:value = '198.51.100.7']", (ADDRESS, OTHER)),
        ("[ipv4-addr:value = '198.51.100.8'] OR [ipv4-addr:value = '198.51.100.7']", (ADDRESS, OTHER)),
        ("[ipv4-addr:value ISSUBSET '198.51.100.7/32']", (ADDRESS,)),
        ("[ipv4-addr:value ISSUBSET '198.51.100.7/24']", (Observable("ipv4-addr", "value", "198.51.100.0/24"),)),
    ],
)
def test_values_of_one_path_that_each_suffice_are_asserted(pattern: str, asserted: tuple[Observable, ...]) -> None:
    assert set(taken(pattern).asserted) == set(asserted)


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value != '198.51.100.7']",
        "[ipv4-addr:value NOT = '198.51.100.7']",
        "[ipv4-addr:value NOT != '198.51.100.7']",
        "[ipv4-addr:value NOT IN ('198.51.100.7')]",
        "[ipv4-addr:value NOT IN ('198.51.100.7', '198.51.100.8')]",
        "[ipv4-addr:value NOT ISSUBSET '198.51.100.0/24']",
        "[ipv4-addr:value ISSUPERSET '198.51.100.7']",
        "[ipv4-addr:value LIKE '198.51.100.7']",
        "[ipv4-addr:value MATCHES '198.51.100.7']",
        "[ipv4-addr:value > '198.51.100.7']",
        "[EXISTS ipv4-addr:value]",
        "[ipv4-addr:value = '198.51.100.7' AND ipv4-addr:x_seen = true]",
        "[ipv4-addr:value = '198.51.100.7'] AND [ipv4-addr:value = '198.51.100.8']",
        "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [ipv4-addr:value = '198.51.100.8']",
        "[ipv4-addr:value = '198.51.100.7'] REPEATS 5 TIMES",
        "[ipv4-addr:value = '198.51.100.7'] START t'2026-01-01T00:00:00Z' STOP t'2026-02-01T00:00:00Z'",
    ],
)
def test_nothing_else_is_asserted(pattern: str) -> None:
    assert taken(pattern).asserted == ()


def test_kinds_are_the_object_types_sorted() -> None:
    found = taken(
        "[url:value = 'http://a.example'] AND [domain-name:value = 'a.example' OR url:value = 'http://b.example']"
    )
    assert found.kinds == ("domain-name", "url")


def test_a_constant_that_is_no_string_is_an_observable_by_its_text() -> None:
    found = taken("[autonomous-system:number = +64496]")
    assert found.asserted == (Observable("autonomous-system", "number", "64496"),)


@pytest.mark.parametrize(
    "pattern",
    [
        "[app:id = 'com.example.app']",
        "[android-property:name = 'persist.example']",
        "[configuration-profile:id = 'com.example.profile']",
        "[app:cert.sha256 = 'ABCD']",
        f"[file:hashes.sha256 = '{'ab' * 32}']",
        f"[file:hashes.SHA256 = '{'ab' * 32}']",
        f"[file:hashes.MD5 = '{MD5}']",
        "[domain-name:value = 'fgr1w2gnsdvsb.example/x']",
        "[" + " OR ".join(f"domain-name:value='{i:05}.example'" for i in range(270)) + "]",
    ],
)
def test_odd_but_real_patterns_are_taken(pattern: str) -> None:
    assert taken(taken(pattern).text).text == taken(pattern).text


def test_many_warnings_are_counted() -> None:
    found = taken("[domain-name:value IN (" + ", ".join(f"'{i}.example/x'" for i in range(500)) + ")]")
    assert len(found.warnings) == 20
    assert found.warnings[-1].says.endswith("So are 480 more values.")
    assert {warning.code for warning in found.warnings} == {Code.VALUE_NOT_OF_ITS_KIND}


def test_a_syntax_error_says_where_and_what_was_expected() -> None:
    found = canonical("[ipv4-addr:value =\n  198.51.100.7]")
    assert isinstance(found, Problem)
    assert found.code == Code.PATTERN_SYNTAX
    assert found.says == "Pattern, line 2, column 9: expected AND, OR or ']', found '.100.7]'."


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("a\r\nb\rc", "a\nb\nc"), ("\n\t a  b \r\n", "a  b"), ("", "")],
)
def test_other_patterns_keep_everything_but_line_ends_and_outer_white_space(pattern: str, text: str) -> None:
    assert canonical_text(pattern, "yara") == text
    assert canonical_text(text, "yara") == text


def test_a_stix_pattern_is_not_keyed_as_text() -> None:
    with pytest.raises(ValueError, match="canonical"):
        canonical_text("[a:b = 1]", "stix")


CANDIDATES = [
    ("198.51.100[.]7", [("ipv4-addr", "value", "198.51.100.7")]),
    ("198.51.100.7/24", [("ipv4-addr", "value", "198.51.100.0/24")]),
    ("2001:DB8::1", [("ipv6-addr", "value", "2001:db8::1")]),
    ("hxxps[:]//evil[.]example/a", [("url", "value", "https://evil.example/a")]),
    ("hxxp://EVIL(dot)example", [("url", "value", "http://evil.example/")]),
    ("info[at]example[dot]com", [("email-addr", "value", "info@example.com")]),
    ("evil[.]Example", [("domain-name", "value", "evil.example")]),
    (" 'BÜCHER.example' ", [("domain-name", "value", "xn--bcher-kva.example")]),
    (MD5.upper(), [("file", "hashes.MD5", MD5)]),
    ("ab" * 20, [("file", "hashes.'SHA-1'", "ab" * 20), ("file", "hashes.'RIPEMD-160'", "ab" * 20)]),
    ("AS64496", [("autonomous-system", "number", "64496"), ("domain-name", "value", "as64496")]),
    ("00-11-22-33-44-55", [("mac-addr", "value", "00:11:22:33:44:55")]),
    ("evil[.]example/a", [("url", "value", "http://evil.example/a"), ("url", "value", "https://evil.example/a")]),
    (
        "198.51.100.7:8080",
        [("url", "value", "http://198.51.100.7:8080/"), ("url", "value", "https://198.51.100.7:8080/")],
    ),
    ("two words", []),
    ("", []),
    ("010.0.0.1", []),
]


@pytest.mark.parametrize(("text", "found"), CANDIDATES)
def test_a_bare_value_could_be(text: str, found: list[tuple[str, str, str]]) -> None:
    assert [(seen.kind, seen.path, seen.value) for seen in value_candidates(text)] == found
