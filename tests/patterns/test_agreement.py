"""The parser takes and refuses what stix2-patterns takes and refuses, but for what docs/patterns.md lists."""

# ruff: noqa: E501 (tables read better in lines)
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.model.problems import Code, Problem
from hub.patterns import Canonical, canonical
from tests.examples import few
from tests.patterns.reference import is_taken_by_reference
from tests.patterns.writing import patterns

DATA = Path(__file__).parent.parent / "data" / "patterns"
ADMISSION = {Code.PATTERN_MEANINGLESS, Code.PATTERN_TOO_COSTLY, Code.VALUE_AMBIGUOUS, Code.STIX_HASH}
"""Codes for what is a pattern and is not admitted all the same."""


def lines(name: str) -> list[str]:
    return (DATA / name).read_bytes().decode().rstrip("\n").split("\n")


def refused_as_syntax(pattern: str, spec_version: str = "2.1") -> bool:
    found = canonical(pattern, spec_version=spec_version)
    return isinstance(found, Problem) and found.code not in ADMISSION


def test_every_real_pattern_that_the_reference_takes_is_a_pattern() -> None:
    assert [pattern for pattern in lines("valid.txt") if refused_as_syntax(pattern)] == []


def test_of_the_real_patterns_only_these_are_not_admitted() -> None:
    found = dict.fromkeys(ADMISSION, 0)
    for pattern in lines("valid.txt"):
        outcome = canonical(pattern)
        if isinstance(outcome, Problem):
            found[outcome.code] += 1
    assert found == {
        Code.PATTERN_MEANINGLESS: 11,
        Code.PATTERN_TOO_COSTLY: 0,
        Code.VALUE_AMBIGUOUS: 1,
        Code.STIX_HASH: 0,
    }


def test_every_pattern_that_the_reference_refuses_is_refused() -> None:
    assert [pattern for pattern in lines("invalid.txt") if isinstance(canonical(pattern), Canonical)] == []


def test_what_the_reference_refuses_for_its_recursion_alone_is_taken_and_written_so_that_it_can_read_it() -> None:
    [pattern] = lines("long.txt")
    found = canonical(pattern)
    assert not is_taken_by_reference(pattern)
    assert isinstance(found, Canonical)
    assert is_taken_by_reference(found.text)
    assert len(found.asserted) == 1_020
    assert found.kinds == ("file",)


@pytest.mark.parametrize("line", lines("multiline.ndjson"))
def test_line_breaks_and_comments_are_read_like_the_reference_reads_them(line: str) -> None:
    said = json.loads(line)
    for version in ("2.1", "2.0"):
        assert isinstance(canonical(said["pattern"], spec_version=version), Canonical) == (said[version] == [])


@few(60)
@given(patterns())
def test_generated_patterns_are_taken_by_both(pattern: str) -> None:
    assert is_taken_by_reference(pattern)
    assert isinstance(canonical(pattern), Canonical)


@few(60)
@given(patterns())
def test_the_reference_takes_every_canonical_text(pattern: str) -> None:
    found = canonical(pattern)
    assert isinstance(found, Canonical)
    assert is_taken_by_reference(found.text)


FRAGMENTS = (
    *("[", "]", "(", ")", "'", "\\", ",", ":", ".", "*", "=", "==", "!=", "<>", "<", ">=", "-", "+", "/", "//", "/*", "*/", " "),
    *("AND", "OR", "NOT", "IN", "LIKE", "EXISTS", "FOLLOWEDBY", "WITHIN", "SECONDS", "REPEATS", "TIMES", "START", "STOP", "LAST"),
    *("true", "false", "and", "a-b", "a_b", "hashes", "MD5", "0", "7", "007", ".5", "1.", "t'", "h'", "b'", "h'0", "t'2026-02-30T00:00:00Z'"),
    *("\n", "\u00a0", "\u200b", "\ufeff", "\x1f", "\x85", "é", "\"", "{", "''", "[*]", "[0]", "[-1]", "x:y"),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A pattern with a few pieces cut out, put in, or doubled."""
    text = draw(patterns(1))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        to = draw(st.integers(at, min(len(text), at + 6)))
        text = text[:at] + draw(st.sampled_from(("", *FRAGMENTS))) + text[to:]
    return text


@few(150)
@given(damaged())
@example("[a:b = 1 OR]")
@example("[a:b=1] WITHIN 5 SECONDS WITHIN 5 SECONDS")
@example("[a:b='x\\n']")
def test_damaged_patterns_are_taken_or_refused_by_both(pattern: str) -> None:
    ours = canonical(pattern)
    if is_taken_by_reference(pattern):
        assert isinstance(ours, Canonical) or ours.code in ADMISSION, ours
    else:
        assert isinstance(ours, Problem), ours


@few(60)
@given(damaged())
def test_damaged_patterns_are_taken_or_refused_by_both_as_stix_2_0(pattern: str) -> None:
    ours = canonical(pattern, spec_version="2.0")
    if is_taken_by_reference(pattern, "2.0"):
        assert isinstance(ours, Canonical) or ours.code in ADMISSION, ours
    else:
        assert isinstance(ours, Problem), ours


MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("[ipv4-addr:value = '198.51.100.1'] REPEATS 0 TIMES", Code.PATTERN_MEANINGLESS),
        ("[ipv4-addr:value = '198.51.100.1'] WITHIN 0.0 SECONDS", Code.PATTERN_MEANINGLESS),
        ("[ipv4-addr:value IN ()]", Code.PATTERN_MEANINGLESS),
        ("[x:n NOT IN (1, 'one')]", Code.PATTERN_MEANINGLESS),
        ("[ipv4-addr:value = '198.51.100.1' AND domain-name:value = 'a.example']", Code.PATTERN_MEANINGLESS),
        ("[x:t = t'2026-02-29T00:00:00Z']", Code.PATTERN_MEANINGLESS),
        ("[x:n = 1] START t'2026-01-01T00:00:00.0Z' STOP t'2026-01-01T00:00:00Z'", Code.PATTERN_MEANINGLESS),
        ("[ipv4-addr:value = '010.0.0.1']", Code.VALUE_AMBIGUOUS),
        (f"[file:hashes.SHA_256 = '{MD5}']", Code.STIX_HASH),
    ],
)
def test_the_reference_takes_it_and_the_hub_does_not(pattern: str, code: Code) -> None:
    assert is_taken_by_reference(pattern)
    found = canonical(pattern)
    assert isinstance(found, Problem)
    assert (found.code, found.at) == (code, "/pattern")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (f"[file:hashes.MD5 IN ('{MD5}')]", f"[file:hashes.MD5 = '{MD5}']"),
        (
            f"[file:hashes.MD5 IN ('{MD5}', '{MD5[::-1]}')]",
            f"[file:hashes.MD5 = '{MD5}' OR file:hashes.MD5 = '{MD5[::-1]}']",
        ),
    ],
)
def test_the_reference_refuses_sets_of_digests_and_the_hub_writes_them_as_it_wants(pattern: str, text: str) -> None:
    assert not is_taken_by_reference(pattern)
    found = canonical(pattern)
    assert isinstance(found, Canonical)
    assert found.text == text
    assert is_taken_by_reference(found.text)


@pytest.mark.parametrize("pattern", ["[x:n == 1]", "[x:n <> 1]", "[x:n = 1] // why", "[x:n /* why */ = 1]"])
def test_both_take_the_spellings_that_only_the_grammar_knows(pattern: str) -> None:
    assert is_taken_by_reference(pattern)
    assert isinstance(canonical(pattern), Canonical)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[x:n = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS", "([x:n = 1] WITHIN 5 SECONDS) WITHIN 6 SECONDS"),
        ("[file:created = t'2026-01-01T00:00:00Z']", "[file:ctime = t'2026-01-01T00:00:00Z']"),
        ("[process:binary_ref.name = 'x']", "[process:image_ref.name = 'x']"),
        ("[x:EXISTS = 1]", "[x:'EXISTS' = 1]"),
    ],
)
def test_patterns_of_stix_2_0_come_out_as_patterns_of_2_1(pattern: str, text: str) -> None:
    assert is_taken_by_reference(pattern, "2.0")
    found = canonical(pattern, spec_version="2.0")
    assert isinstance(found, Canonical)
    assert found.text == text
    assert is_taken_by_reference(text, "2.1")
    assert canonical(text) == found


def test_an_object_type_that_is_a_key_word_of_2_1_cannot_be_lifted() -> None:
    assert is_taken_by_reference("[EXISTS:n = 1]", "2.0")
    assert isinstance(canonical("[EXISTS:n = 1]", spec_version="2.0"), Problem)
