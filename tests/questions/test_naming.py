"""Which things a text names."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hub.model.problems import Problem
from hub.patterns import canonical, covering, pattern_key, value_candidates
from hub.questions.naming import is_stix_id, read_as, things_in_full, things_named, things_of
from tests.examples import few


def indicator_of(pattern: str) -> bytes:
    found = canonical(pattern)
    assert not isinstance(found, Problem)
    return pattern_key("stix", found.text)


@pytest.mark.parametrize("said", ["198.51.100.7", "198.51.100[.]7", " 198.51.100.7 "])
def test_a_value_in_any_spelling_names_its_indicator_and_its_observable(said: str) -> None:
    indicator, observable = things_named(said)  # type: ignore[misc] # a value is no pattern that could be wrong
    assert indicator == indicator_of("[ipv4-addr:value = '198.51.100.7']")
    assert things_named("198.51.100.8")[1] != observable  # type: ignore[index]


def test_a_pattern_names_the_indicator_whatever_its_spelling() -> None:
    assert things_named("[ url:value='http://C2.example:80/a' ]") == [
        indicator_of("[url:value = 'http://c2.example/a']")
    ]
    assert isinstance(things_named("[ipv4-addr:value = "), Problem)


def test_a_text_that_is_no_value_names_nothing_by_itself() -> None:
    assert things_named("no such thing") == []
    assert "as text" in read_as("no such thing")
    assert "ipv4-addr" in read_as("198.51.100.7")
    assert "this id or this pattern" in read_as("[a:b = 1]")


def test_a_stix_id_is_told_from_a_value_that_looks_like_one() -> None:
    assert is_stix_id("indicator--3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    assert not is_stix_id("indicator--3f2504e0-4f89-41d3-9a0c-0305e82c330")
    assert not is_stix_id("Indicator--3f2504e0-4f89-41d3-9a0c-0305e82c3301")


SPELLED = (
    "198.51.100.7", "198.51.100[.]0/24", "2001:DB8::1/33", "::ffff:198.51.100.7", "http://c2.example/?a='b'\"&c=\\",
    "hxxp://b\u00fccher.example/\u00fc#x", "b\u00fccher.example", "info@c2.example", "D2-FB-49-24-37-18",
    "AS12", *("a" * chars for chars in (32, 40, 56, 64, 70, 96, 128)),
)  # fmt: skip


@few(200)
@given(
    text=st.one_of(
        st.sampled_from(SPELLED), st.text(max_size=12), st.text(max_size=12).map("http://c2.example/{}".format)
    )
)
def test_the_fast_path_finds_the_same_things(text: str) -> None:
    for one in value_candidates(text):
        for each in (one, *covering(one)):
            assert things_of(each) == things_in_full(each)
