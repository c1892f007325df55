"""Every product has its page with the same sections, every page its test, and every rule for clients its test too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs/clients").glob("*.md") if path.stem != "README")
TESTS = ROOT / "tests/doors/clients"
INDEX = (ROOT / "docs/clients/README.md").read_text("utf-8")
TAXII = (ROOT / "docs/taxii.md").read_text("utf-8")
PAGE = re.compile(
    r"# (?P<title>[^\n]+)\n\n(?P<says>[^\n]+)\n\n\| \| \|\n\|---\|---\|\n\| does \| (?P<does>[^\n|]+) \|\n"
    r"\| known from \| (?P<known>[^\n|]+) \|\n\| test \| \[`(?P<test>[^\n`]+)`\]\((?P<path>[^\n)]+)\) \|\n"
    r"\n## What to paste\n\n(?P<paste>.+?)\n\n## Limits\n\n(?P<limits>.+?)\n\n## Withdrawals\n\n(?P<withdrawals>.+?)\n"
    r"\n## Private CA\n\n(?P<ca>.+?)\n",
    re.DOTALL,
)
RULE = re.compile(r"^\| (R\d+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
DOES = {"reads", "pushes", "reads, pushes"}
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def page(path: Path) -> re.Match[str]:
    found = PAGE.fullmatch(path.read_text("utf-8"))
    assert found is not None, f"{path.name} has not the sections of a product, as docs/clients/elastic.md has them."
    return found


@every_page
def test_every_page_has_the_sections_and_something_to_paste(path: Path) -> None:
    found = page(path)
    assert found["does"] in DOES
    assert re.search(r"```\w*\n.+?\n```", found["paste"], re.DOTALL)
    assert "## " not in "".join(found["limits"] + found["withdrawals"] + found["ca"])


@every_page
def test_every_page_names_its_test(path: Path) -> None:
    found = page(path)
    assert found["test"] == f"test_{path.stem.replace('-', '_')}.py"
    module = (path.parent / found["path"]).resolve()
    assert module == TESTS / found["test"]
    assert re.search(r"^\s*(?:async )?def test_|^class Test", module.read_text("utf-8"), re.MULTILINE)


@every_page
def test_every_page_stands_in_the_index_as_it_describes_itself(path: Path) -> None:
    found = page(path)
    assert f"| [{found['title']}]({path.name}) | {found['does']} | {found['known']} |\n" in INDEX


def test_every_test_of_a_product_has_its_page() -> None:
    tested = {path.stem.removeprefix("test_") for path in TESTS.glob("test_*.py")}
    assert tested == {path.stem.replace("-", "_") for path in PAGES}


def test_the_index_is_where_readers_look() -> None:
    assert "](clients/README.md)" in TAXII
    assert "](docs/clients/README.md)" in (ROOT / "README.md").read_text("utf-8")


def test_every_rule_stands_in_the_table_and_has_a_test() -> None:
    rules = RULE.findall(TAXII)
    assert rules == [f"R{number}" for number in range(1, 41)]
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests/doors").glob("test_taxii*.py"))
    tested = {f"R{number}" for number in re.findall(r"^async def test_r(\d+)_", tests, re.MULTILINE)}
    assert set(rules) <= tested, f"without a test: {sorted(set(rules) - tested)}"
