"""Which patterns are the same thing, rule by rule, and which are not; each rule against stix2-matcher on observations.

docs/canonical-key.md lists the rules in this order.
"""

# ruff: noqa: E501 (tables read better in lines)
from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.patterns import Canonical, canonical, key
from tests.examples import few
from tests.patterns.reference import Observation, matches
from tests.patterns.writing import comparisons, expressions, observations, patterns

SLOW = few(20)
ONE = "x-one"


def text(pattern: str) -> str:
    found = canonical(pattern)
    assert isinstance(found, Canonical), found
    return found.text


def assert_sound(left: str, right: str, seen: list[Observation]) -> None:
    """One key, and the same truth, which the canonical text has too."""
    assert text(left) == text(right)
    truth = matches(left, seen)
    assert matches(right, seen) == truth
    assert matches(text(left), seen) == truth


@few(80)
@given(patterns(), observations())
def test_the_canonical_text_is_true_of_the_same_observations(pattern: str, seen: list[Observation]) -> None:
    assert matches(text(pattern), seen) == matches(pattern, seen)


@few(100)
@given(patterns())
def test_a_canonical_text_is_its_own_canonical_text(pattern: str) -> None:
    found = canonical(pattern)
    assert isinstance(found, Canonical)
    assert canonical(found.text) == found


@SLOW
@given(comparisons(ONE), observations())
def test_white_space_and_comments_say_nothing(a: str, seen: list[Observation]) -> None:
    assert_sound(f"[{a}]", f"\t[ /* ] */ {a}\r\n// [\n]\u3000", seen)


@SLOW
@given(st.sampled_from(["=", "!=", "<", ">="]), observations())
def test_numbers_have_one_spelling(operator: str, seen: list[Observation]) -> None:
    assert_sound(f"[{ONE}:n {operator} 1]", f"[{ONE}:n {operator} +1]", seen)
    assert_sound(f"[{ONE}:n {operator} 0]", f"[{ONE}:n {operator} -0]", seen)
    assert_sound(f"[{ONE}:f {operator} 0.5]", f"[{ONE}:f {operator} .50]", seen)
    assert_sound(f"[{ONE}:f {operator} 1.5]", f"[{ONE}:f {operator} +01.5]", seen)


@SLOW
@given(observations())
def test_timestamps_have_one_spelling(seen: list[Observation]) -> None:
    assert_sound(f"[{ONE}:t = t'2026-01-01T00:00:00Z']", f"[{ONE}:t = t'2026-01-01T00:00:00.000Z']", seen)
    assert_sound(f"[{ONE}:t = t'2026-06-30T12:00:00.5Z']", f"[{ONE}:t = t'2026-06-30T12:00:00.500Z']", seen)


@SLOW
@given(observations())
def test_keys_are_bare_where_they_can_be(seen: list[Observation]) -> None:
    assert_sound(f"[{ONE}:s = 'u']", f"[{ONE}:'s' = 'u']", seen)
    assert_sound(f"[{ONE}:d.k2 = 1]", f"[{ONE}:d.'k2' = 1]", seen)


@SLOW
@given(st.lists(comparisons(ONE), min_size=2, max_size=4), st.data(), st.sampled_from(["AND", "OR"]), observations())
def test_the_order_inside_one_observation_says_nothing(
    operands: list[str], data: st.DataObject, word: str, seen: list[Observation]
) -> None:
    other = data.draw(st.permutations(operands))
    assert_sound(f"[{f' {word} '.join(operands)}]", f"[{f' {word} '.join(other)}]", seen)


@SLOW
@given(expressions(ONE, 1), st.sampled_from(["AND", "OR"]), observations())
def test_a_repeat_inside_one_observation_says_nothing(a: str, word: str, seen: list[Observation]) -> None:
    assert_sound(f"[({a}) {word} ({a})]", f"[{a}]", seen)


@SLOW
@given(comparisons(ONE), comparisons(ONE), comparisons(ONE), st.sampled_from(["AND", "OR"]), observations())
def test_chains_inside_one_observation_are_flat(a: str, b: str, c: str, word: str, seen: list[Observation]) -> None:
    assert_sound(f"[({a} {word} {b}) {word} {c}]", f"[{a} {word} ({b} {word} {c})]", seen)


@SLOW
@given(st.lists(patterns(0), min_size=2, max_size=4), st.data(), st.sampled_from(["AND", "OR"]), observations())
def test_the_order_of_observations_says_nothing(
    operands: list[str], data: st.DataObject, word: str, seen: list[Observation]
) -> None:
    other = data.draw(st.permutations(operands))
    assert_sound(f" {word} ".join(operands), f" {word} ".join(other), seen)


@SLOW
@given(patterns(0), patterns(0), patterns(0), st.sampled_from(["AND", "OR"]), observations())
def test_chains_of_observations_are_flat(a: str, b: str, c: str, word: str, seen: list[Observation]) -> None:
    assert_sound(f"({a} {word} {b}) {word} {c}", f"{a} {word} ({b} {word} {c})", seen)


@SLOW
@given(patterns(1), observations())
def test_an_observation_or_itself_is_itself(a: str, seen: list[Observation]) -> None:
    assert_sound(f"({a}) OR ({a})", a, seen)


@few(60)
@given(patterns(0), observations())
def test_an_observation_and_itself_is_two_observations(a: str, seen: list[Observation]) -> None:
    pattern = f"{a} AND {a}"
    assert matches(text(pattern), seen) == matches(pattern, seen)
    assert text(pattern) != text(a)


@SLOW
@given(patterns(1), observations())
def test_parentheses_that_change_nothing_go(a: str, seen: list[Observation]) -> None:
    assert_sound(f"(({a}))", a, seen)


@SLOW
@given(patterns(0), patterns(0), patterns(0), observations())
def test_followed_by_groups_from_the_left(a: str, b: str, c: str, seen: list[Observation]) -> None:
    assert_sound(f"({a} FOLLOWEDBY {b}) FOLLOWEDBY {c}", f"{a} FOLLOWEDBY {b} FOLLOWEDBY {c}", seen)


@SLOW
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.booleans(), st.data(), observations())
def test_a_set_has_neither_order_nor_repeats(
    members: list[int], negated: bool, data: st.DataObject, seen: list[Observation]
) -> None:
    other = data.draw(st.permutations(members + members[:1]))
    word = "NOT IN" if negated else "IN"
    write = f"[{ONE}:n {word} ({{}})]".format
    assert_sound(write(", ".join(map(str, members))), write(", ".join(map(str, other))), seen)


@SLOW
@given(st.sampled_from(["u", "v"]), observations())
def test_a_set_of_one_is_an_equality(member: str, seen: list[Observation]) -> None:
    assert_sound(f"[{ONE}:s IN ('{member}')]", f"[{ONE}:s = '{member}']", seen)
    assert_sound(f"[{ONE}:s NOT IN ('{member}')]", f"[{ONE}:s != '{member}']", seen)


@SLOW
@given(st.sampled_from(["n", "l[*]", "d.k2"]), comparisons(ONE), observations())
def test_equalities_of_one_path_joined_by_or_are_a_set(path: str, other: str, seen: list[Observation]) -> None:
    at = f"{ONE}:{path}"
    assert_sound(f"[{at} = 1 OR {at} = 2]", f"[{at} IN (1, 2)]", seen)
    assert_sound(f"[{at} = 1 OR {other} OR {at} IN (2, 0)]", f"[{at} IN (0, 1, 2) OR {other}]", seen)
    assert_sound(f"[({at} = 1 OR {at} = 2) AND {other}]", f"[{other} AND {at} IN (2, 1)]", seen)


@SLOW
@given(st.sampled_from(["n", "l[*]", "d.k2"]), observations())
def test_not_equal_has_one_spelling(path: str, seen: list[Observation]) -> None:
    assert_sound(f"[{ONE}:{path} NOT = 1]", f"[{ONE}:{path} != 1]", seen)
    assert_sound(f"[{ONE}:{path} <> 1]", f"[{ONE}:{path} != 1]", seen)


DIFFERENT = [
    ("[x-one:n = 1] AND [x-one:n = 1]", "[x-one:n = 1]"),
    ("[x-one:n = 1] OR [x-one:n = 2]", "[x-one:n = 1 OR x-one:n = 2]"),
    ("[x-one:n = 1] AND [x-one:s = 'u']", "[x-one:n = 1 AND x-one:s = 'u']"),
    ("[x-one:n = 1] FOLLOWEDBY [x-one:n = 2]", "[x-one:n = 2] FOLLOWEDBY [x-one:n = 1]"),
    ("[x-one:n = 1] FOLLOWEDBY ([x-one:n = 2] FOLLOWEDBY [x-one:n = 0])", "[x-one:n = 1] FOLLOWEDBY [x-one:n = 2] FOLLOWEDBY [x-one:n = 0]"),
    ("[x-one:n = 1] WITHIN 5 SECONDS REPEATS 2 TIMES", "[x-one:n = 1] REPEATS 2 TIMES WITHIN 5 SECONDS"),
    ("[x-one:n = 1 OR x-one:n = 2 AND x-one:s = 'u']", "[(x-one:n = 1 OR x-one:n = 2) AND x-one:s = 'u']"),
    ("[x-one:n = 1]", "[x-one:n = 1.0]"),
    ("[x-one:n = 1]", "[x-one:n = '1']"),
    ("[x-one:n NOT != 1]", "[x-one:n = 1]"),
    ("[x-one:n NOT < 1]", "[x-one:n >= 1]"),
    ("[x-one:n != 1]", "[x-one:n = 1]"),
    ("[x-one:n != 1 AND x-one:n != 2]", "[x-one:n NOT IN (1, 2)]"),
    ("[x-one:n = 0 OR x-one:n NOT IN (1, 2)]", "[x-one:n IN (0, 1, 2)]"),
    ("[x-one:h = h'61']", "[x-one:h = b'YQ==']"),
    ("[x-one:s LIKE 'u']", "[x-one:s = 'u']"),
    ("[x-one:l[0] = 1]", "[x-one:l[*] = 1]"),
    ("[x-one:s = 'u']", "[x-one:S = 'u']"),
    ("[x-one:s = 'u']", "[x-two:s = 'u']"),
    ("[ipv4-addr:value ISSUBSET '198.51.100.7/32']", "[ipv4-addr:value = '198.51.100.7']"),
    ("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "[file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709']"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_nothing_else_is_the_same(left: str, right: str) -> None:
    assert key("stix", text(left)) != key("stix", text(right))


def test_two_observations_of_one_kind_are_more_than_one() -> None:
    # semantics: a repeat between observations joined by AND must stay, or one observation would do for two.
    one: list[Observation] = [[{"type": "x-one", "n": 1}]]
    assert matches("[x-one:n = 1]", one)
    assert not matches("[x-one:n = 1] AND [x-one:n = 1]", one)


@SLOW
@given(patterns(), patterns(), observations())
def test_patterns_that_differ_in_truth_differ_in_key(left: str, right: str, seen: list[Observation]) -> None:
    assume(matches(left, seen) != matches(right, seen))
    assert key("stix", text(left)) != key("stix", text(right))
