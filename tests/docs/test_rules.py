"""Every code has its page, every page its code, and the examples do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.core.judge import judge
from hub.core.records import split
from hub.model.problems import Code, Problem, state_of
from hub.model.words import Limits, State

PAGES = Path(__file__).parent.parent.parent / "docs" / "rules"
LIMITS = Limits()
SECTIONS = re.compile(
    r"# (?P<code>\S+)\n\n(?P<says>[^\n]+)\n\n\*\*State:\*\* (?P<state>[^\n]+)\n\n\*\*Why\.\*\* [^\n]+\n\n"
    r"\*\*How to mend it\.\*\* [^\n]+\n\n## Good\n\n(?P<good>```.+?```)\n\n## Bad\n\n(?P<bad>```.+?```)\n",
    re.DOTALL,
)
EXAMPLE = re.compile(r"```(?P<language>json|python)\n(?P<text>.+)\n```", re.DOTALL)

DECIDED_ELSEWHERE = {
    Code.AUTHOR_IMPERSONATION,
    Code.MARKING_ABOVE_CEILING,
    Code.MARKING_UNKNOWN,
    Code.MARKING_PART_HIDDEN,
    Code.VERSION_FUTURE,
    Code.VERSION_OLDER,
    Code.VERSION_SAME,
    Code.VERSION_NOT_INCREMENTED,
    Code.WITHDRAWAL_UNKNOWN,
    Code.WITHDRAWAL_STANDS,
    Code.WITHDRAWAL_KIND,
    Code.WITHDRAWAL_PART_STANDS,
    Code.WITHDRAWAL_LENIENT,
    Code.HELD_REFUSED,
    Code.VALUE_FORGOTTEN,
    Code.BREAKER_MASS_WITHDRAWAL,
    Code.LIST_HIT,
    Code.POISON_NETWORK,
    Code.POISON_RESERVED,
    Code.POISON_SUFFIX,
    Code.POISON_OWN,
    Code.VALUE_NO_TOP_LEVEL,
    Code.VALUE_WIDE_NETWORK,
    Code.IDENTITY_REGISTRY_SHOWN,
    Code.TEXT_OWN_NAME,
    Code.TEXT_CUSTOM_NAME,
    Code.RECORD_NOT_PROCESSED,
    Code.RECORD_OF_NOBODY,
    Code.TYPE_NOT_YOURS,
}
"""Codes that depend on the centre, on what stands already or on lists; their examples are only read here."""

DECIDED_HERE = sorted(set(Code) - DECIDED_ELSEWHERE)


def page(code: str) -> re.Match[str]:
    found = SECTIONS.fullmatch((PAGES / f"{code}.md").read_text())
    assert found is not None, f"docs/rules/{code}.md has not the sections of a rule"
    return found


def example(text: str) -> bytes:
    """An example as bytes: JSON as it stands, or what a Python expression of literals makes."""
    found = EXAMPLE.fullmatch(text)
    assert found is not None
    if found["language"] == "json":
        return found["text"].encode()
    value = eval(found["text"], {"__builtins__": {}})
    assert isinstance(value, bytes)
    return value


def codes_of(value: bytes) -> list[Code]:
    """Every code that a record gets before anybody's rights are asked."""
    slices = split(value, LIMITS)
    if isinstance(slices, Problem):
        return [slices.code]
    codes = []
    for one in slices:
        found = judge(one, LIMITS)
        if isinstance(found, tuple):
            codes.append(found[0].code)
        elif isinstance(found, Problem):
            codes.append(found.code)
        else:
            codes += [warning.code for normal in found for warning in normal.warnings]
    return codes


def test_codes_and_pages_are_the_same() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == {code.value for code in Code}


@pytest.mark.parametrize("code", sorted(Code))
def test_each_page_names_its_code_and_state(code: Code) -> None:
    found = page(code)
    assert found["code"] == code
    state = state_of(code)
    assert found["state"] == ("accepted, with this warning" if state is State.ACCEPTED else state.value)


def test_the_index_lists_every_code_with_its_state_and_sentence() -> None:
    index = (PAGES / "index.md").read_text()
    for code in Code:
        assert f"| [{code}]({code}.md) | {state_of(code)} | {page(code)['says']} |" in index


@pytest.mark.parametrize("code", DECIDED_HERE)
def test_the_good_example_is_taken_without_a_word(code: Code) -> None:
    assert codes_of(example(page(code)["good"])) == []


@pytest.mark.parametrize("code", DECIDED_HERE)
def test_the_bad_example_gets_the_code(code: Code) -> None:
    assert code in codes_of(example(page(code)["bad"]))


@pytest.mark.parametrize("code", sorted(DECIDED_ELSEWHERE))
def test_examples_of_what_is_decided_elsewhere_are_valid_stix(code: Code) -> None:
    for text in (page(code)["good"], page(code)["bad"]):
        if '"ids"' not in text:
            assert codes_of(example(text)) == []
