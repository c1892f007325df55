"""Every product has its page with the same sections, every page its test, and every rule for clients its test too.

Products speak TAXII, or read lists. Their pages differ in one row of the table: those of lists name the formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from hub.doors.export.formats import FORMATS

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs/clients").glob("*.md") if path.stem != "README")
TAXII_TESTS = ROOT / "tests/doors/clients"
LIST_TESTS = ROOT / "tests/doors/products"
INDEX = (ROOT / "docs/clients/README.md").read_text("utf-8")
TAXII = (ROOT / "docs/taxii.md").read_text("utf-8")
PAGE = re.compile(
    r"# (?P<title>[^\n]+)\n\n(?P<says>[^\n]+)\n\n\| \| \|\n\|---\|---\|\n\| does \| (?P<does>[^\n|]+) \|\n"
    r"(?:\| formats \| (?P<formats>[^\n|]+) \|\n)?"
    r"\| known from \| (?P<known>[^\n|]+) \|\n\| test \| \[`(?P<test>[^\n`]+)`\]\((?P<path>[^\n)]+)\) \|\n"
    r"\n## What to paste\n\n(?P<paste>.+?)\n\n## Limits\n\n(?P<limits>.+?)\n\n## Withdrawals\n\n(?P<withdrawals>.+?)\n"
    r"\n## Private CA\n\n(?P<ca>.+?)\n",
    re.DOTALL,
)
RULE = re.compile(r"^\| (R\d+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
FORMAT = re.compile(r"\[`([^`]+)`\]\(\.\./formats/([^)]+)\.md\)")
SPEAKS_TAXII = {"reads", "pushes", "reads, pushes"}
READS_LISTS = "reads lists"
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def page(path: Path) -> re.Match[str]:
    found = PAGE.fullmatch(path.read_text("utf-8"))
    assert found is not None, f"{path.name} has not the sections of a product, as docs/clients/elastic.md has them."
    return found


def folder_of(found: re.Match[str]) -> Path:
    """The folder of the tests of a page's product."""
    return LIST_TESTS if found["does"] == READS_LISTS else TAXII_TESTS


def formats_of(found: re.Match[str]) -> list[str]:
    """The formats that the page of a product of lists names, each with a link to its page."""
    cells = found["formats"].split(", ")
    links = [FORMAT.fullmatch(cell) for cell in cells]
    assert all(link is not None and link[1] == link[2] for link in links), cells
    return [link[1] for link in links if link is not None]


def stems(paths: Iterable[Path]) -> set[str]:
    return {path.stem.replace("-", "_") for path in paths}


@every_page
def test_every_page_has_the_sections_and_something_to_paste(path: Path) -> None:
    found = page(path)
    assert found["does"] in SPEAKS_TAXII | {READS_LISTS}
    assert re.search(r"```\w*\n.+?\n```", found["paste"], re.DOTALL)
    assert "## " not in "".join(found["limits"] + found["withdrawals"] + found["ca"])


@every_page
def test_a_page_of_lists_names_formats_that_there_are_and_pastes_their_addresses(path: Path) -> None:
    found = page(path)
    if found["does"] != READS_LISTS:
        assert found["formats"] is None
        return
    for name in formats_of(found):
        assert name in FORMATS
        pasted = FORMATS[name].path.replace("{format}", name).split("{")[0]
        assert pasted in found["paste"], f"{path.name} does not say where to fetch {pasted}"


@every_page
def test_every_page_names_its_test(path: Path) -> None:
    found = page(path)
    assert found["test"] == f"test_{path.stem.replace('-', '_')}.py"
    module = (path.parent / found["path"]).resolve()
    assert module == folder_of(found) / found["test"]
    assert re.search(r"^\s*(?:async )?def test_|^class Test", module.read_text("utf-8"), re.MULTILINE)


@every_page
def test_every_page_stands_in_the_index_as_it_describes_itself(path: Path) -> None:
    found = page(path)
    described = found["formats"] or found["does"]
    assert f"| [{found['title']}]({path.name}) | {described} | {found['known']} |\n" in INDEX


@pytest.mark.parametrize("folder", [TAXII_TESTS, LIST_TESTS], ids=lambda path: path.name)
def test_every_test_of_a_product_has_its_page(folder: Path) -> None:
    tested = {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
    assert tested == stems(path for path in PAGES if folder_of(page(path)) == folder)


def test_the_index_is_where_readers_look() -> None:
    assert "](clients/README.md)" in TAXII
    assert "](clients/README.md#products-that-read-lists)" in (ROOT / "docs/exports.md").read_text("utf-8")
    assert "](docs/clients/README.md)" in (ROOT / "README.md").read_text("utf-8")


def test_every_rule_stands_in_the_table_and_has_a_test() -> None:
    rules = RULE.findall(TAXII)
    assert rules == [f"R{number}" for number in range(1, 41)]
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests/doors").glob("test_taxii*.py"))
    tested = {f"R{number}" for number in re.findall(r"^async def test_r(\d+)_", tests, re.MULTILINE)}
    assert set(rules) <= tested, f"without a test: {sorted(set(rules) - tested)}"
