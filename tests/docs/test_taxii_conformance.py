"""Every row of ``docs/taxii-conformance.md`` is complete, and names tests that are there and run."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "taxii-conformance.md").read_text("utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SECTIONS = {
    "1.6.6", "1.6.7", "1.6.8.1", "1.6.8.2", "1.6.9", "2", "3.1", "3.2", "3.3", "3.4", "3.4.1", "3.5", "3.6", "3.6.1",
    "3.7", "3.8", "4.1", "4.1.1", "4.2", "4.2.1", "4.3", "4.3.1", "5.1", "5.1.1", "5.2", "5.2.1", "5.3", "5.3.1", "5.4",
    "5.5", "5.6", "5.7", "5.8", "5.8.1", "7.1.1", "8.1.1", "8.1.2", "8.2.1", "8.2.2", "B",
}  # fmt: skip
"""Those of the specification that demand something of a server."""
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "required", "recommended", "table", "text"}
NOT_RUN = ("skip", "skipif", "xfail", "importorskip")


def rows(page: str) -> list[list[str]]:
    """The cells of all rows of all tables, without heads and rules."""
    found: list[list[str]] = []
    for before, line in pairwise(["", *(line.strip() for line in page.splitlines())]):
        if line.startswith("|") and before.startswith("|") and not set(line) <= set("|- :"):
            found.append([cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")])
    return found


@cache
def runs_of(path: Path) -> dict[str, bool]:
    """The tests of a module, and whether each runs everywhere."""
    tree = ast.parse(path.read_text("utf-8"))
    whole = not any(
        named_not_run(node)
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {each.name: whole and not named_not_run(each) for each in functions if each.name.startswith("test_")}


def named_not_run(node: ast.AST) -> bool:
    """Whether something skips: a mark, a call of ``pytest.skip``, a parameter with such a mark."""
    return any(isinstance(one, ast.Attribute) and one.attr in NOT_RUN for one in ast.walk(node))


def faults(page: str, root: Path) -> list[str]:
    """What is wrong with a page: empty cells, rows without tests, tests that are not there or do not run."""
    found = []
    for row in rows(page):
        name = " | ".join(row[:2])
        if not all(row):
            found.append(f"{name}: a cell is empty")
        tests = TEST.findall(row[-1])
        if not tests or TEST.sub("", row[-1]).strip():
            found.append(f"{name}: {row[-1]} is no list of tests")
        for path, test in tests:
            there = runs_of(root / path) if (root / path).is_file() else {}
            if test not in there:
                found.append(f"{name}: there is no {path}::{test}")
            elif not there[test]:
                found.append(f"{name}: {path}::{test} does not run everywhere")
    return found


def test_each_row_names_tests_that_run() -> None:
    assert faults(PAGE, ROOT) == []


def test_every_row_has_the_cells_of_its_table() -> None:
    for before, line in pairwise(["", *PAGE.splitlines()]):
        if line.startswith("|") and before.startswith("|"):
            assert line.count("|") == before.count("|"), line


def test_every_section_that_demands_something_has_a_row_with_a_level() -> None:
    four = [row for row in rows(PAGE) if len(row) == 4 and row[2] in LEVELS]
    assert {section for row in four for section in row[0].split(", ")} == SECTIONS
    assert len(four) > 100


def test_every_test_of_conformance_holds_a_row() -> None:
    named = set(TEST.findall(PAGE))
    modules = sorted((ROOT / "tests" / "doors" / "conformance").glob("test_*.py"))
    there = {(path.relative_to(ROOT).as_posix(), test) for path in modules for test in runs_of(path)}
    assert there - named == set()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("| 1 |  | MUST | `tests/a.py::test_runs` |", "a cell is empty"),
        ("| 1 | x | MUST |  |", "a cell is empty"),
        ("| 1 | x | MUST | later |", "is no list of tests"),
        ("| 1 | x | MUST | `tests/a.py::test_runs` and more |", "is no list of tests"),
        ("| 1 | x | MUST | `tests/a.py::test_gone` |", "there is no"),
        ("| 1 | x | MUST | `tests/b.py::test_runs` |", "there is no"),
        ("| 1 | x | MUST | `tests/a.py::test_marked` |", "does not run"),
        ("| 1 | x | MUST | `tests/a.py::test_asks` |", "does not run"),
        ("| 1 | x | MUST | `tests/a.py::test_some` |", "does not run"),
        ("| 1 | x | MUST | `tests/whole.py::test_runs` |", "does not run"),
    ],
)
def test_a_row_that_holds_nothing_is_found(row: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.py").write_text(
        "import pytest\n\ndef test_runs(): ...\n\n@pytest.mark.skipif(True)\ndef test_marked(): ...\n\n"
        "def test_asks():\n    pytest.skip('no')\n\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.xfail)])\ndef test_some(x): ...\n"
    )
    (tmp_path / "tests" / "whole.py").write_text(
        "import pytest\npytestmark = pytest.mark.skip\n\ndef test_runs(): ...\n"
    )
    head = "| section | requirement | level | tests |\n|---|---|---|---|\n"
    assert faults(head + "| 1 | x | MUST | `tests/a.py::test_runs` |", tmp_path) == []
    [found] = faults(head + row, tmp_path)[:1]
    assert says in found
