"""What a centre is told about a pattern that cannot be read: how strings are written, where that is the cause."""

from __future__ import annotations

import pytest

from hub.model.problems import Code, Problem
from hub.patterns import canonical
from hub.patterns.tokens import HOW_STRINGS_ARE_WRITTEN


def says(pattern: str) -> str:
    found = canonical(pattern)
    assert isinstance(found, Problem), found
    assert found.code is Code.PATTERN_SYNTAX
    return found.says


@pytest.mark.parametrize(
    "pattern",
    [
        r"[file:parent_directory_ref.path = 'C:\Windows\System32']",
        r"[file:name MATCHES '^\d+$']",
        r"[file:name = 'C:\\dir\']",
        r"[file:name = 'a\nb']",
        r"[file:'x\y' = 1]",
        "[file:name = 'eat at joe's']",
        "[file:name = 'joe's ann's']",
        "[file:name = 'joe's and ann's']",
        "[file:name IN ('joe's', 'x')]",
        "[file:name = 'a''b']",
        "[file:name = 'x' AND file:name = 'the 7's']",
    ],
)
def test_a_bad_backslash_or_apostrophe_is_told_with_how_it_is_written(pattern: str) -> None:
    assert says(pattern).endswith(HOW_STRINGS_ARE_WRITTEN)


@pytest.mark.parametrize(
    "pattern",
    [
        "domain-name:value = 'c2.example'",
        "[domain-name:value = c2.example]",
        "[file:name = 'x' y]",
        "[file:name = 'x]",
        "[file:name 'x']",
        r"[\"file:name = 'x.doc'\"]",
        "[file:size = 007]",
        r"[file:name = 'C:\\x' AND]",
    ],
)
def test_it_is_not_told_where_something_else_is_wrong(pattern: str) -> None:
    assert HOW_STRINGS_ARE_WRITTEN not in says(pattern)


def test_the_sentence_shows_both_levels() -> None:
    assert r"a backslash is written \\ and an apostrophe \'" in HOW_STRINGS_ARE_WRITTEN
    assert r"inside JSON \\\\ and \\'" in HOW_STRINGS_ARE_WRITTEN


def test_the_place_of_the_bad_backslash_is_named() -> None:
    assert says(r"[file:name = 'C:\x']").startswith("Pattern, line 1, column 17: ")
