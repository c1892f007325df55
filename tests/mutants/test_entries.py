"""The lists of breakages are in order; ``make mutants`` shows that the tests catch each of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.mutants.entries import Mutant, mutants, problems_of


def test_there_are_many_and_each_has_a_name_and_a_rule() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names) >= 200
    for mutant in mutants():
        assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", mutant.name), mutant.name
        assert re.match(r"(\d+[,:]|canonical key:) ", mutant.rule), mutant.rule
        assert mutant.file.startswith(("hub/core/", "hub/patterns/", "hub/model/")), mutant.name
        assert mutant.tests, mutant.name


def test_each_is_one_text_that_is_there_once_and_leaves_python_and_names_tests_that_are_there() -> None:
    assert [problem for mutant in mutants() for problem in problems_of(mutant)] == []


def test_an_entry_that_is_stale_is_told(tmp_path: Path) -> None:
    def told(text: str) -> list[str]:
        (tmp_path / "some.py").write_text(text)
        return problems_of(Mutant("m", "1: r", "some.py", "a = 1", "a = (", ["some.py::test_a"]), tmp_path)

    assert told("a = 1\n") == ["m is no Python: '(' was never closed (<unknown>, line 1)"]
    assert told("b = 1\n") == ["m is stale: its text occurs 0 times in some.py, not once"]
    assert told("a = 1\na = 1\n") == ["m is stale: its text occurs 2 times in some.py, not once"]
    good = Mutant("m", "1: r", "some.py", "a = 1", "a = 2", ["some.py::test_a", "some.py::test_b"])
    (tmp_path / "some.py").write_text("a = 1\ndef test_b(): pass\n")
    assert problems_of(good, tmp_path) == ["m: there is no test some.py::test_a"]
