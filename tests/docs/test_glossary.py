"""One name for one thing, and one thing for one name: in ``docs/glossary.md``, and in the public names of the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/glossary.md").read_text("utf-8")
PRODUCT = ("hub", "connectors", "schemas")
CAPITALISED = re.compile(r"[A-Z]\w*[a-z]\w*")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = PAGE[PAGE.index(f"## {heading}\n") :].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# ---------------------------------------------------------------- the page

WORDS = [row[0] for row in rows("Words")]


def test_the_words_stand_once_each_and_in_order() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert sorted(WORDS, key=str.lower) == WORDS


def test_a_word_that_we_do_not_use_is_none_of_ours() -> None:
    unused = {word.strip() for row in rows("Words that we do not use") for word in row[0].split(",")}
    assert not unused & set(WORDS)


# ---------------------------------------------------------------- the code


class Definition(NamedTuple):
    """A public name that a module defines at its top."""

    module: str
    name: str
    only_describes: bool
    """It is an alias by ``Annotated``, which says more of one parameter or field, or a type variable."""


class Sources(NamedTuple):
    definitions: list[Definition]
    imported: Mapping[str, set[str]]
    """By name, the modules that others import it from by its name alone."""


@cache
def sources() -> Sources:
    definitions: list[Definition] = []
    imported: dict[str, set[str]] = defaultdict(set)
    for room in (*PRODUCT, "deploy"):
        for path in sorted(ROOT.glob(f"{room}/**/*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module is not None:
                    for each in node.names:
                        imported[each.name].add(node.module)
            if room in PRODUCT:
                definitions += [one for node in tree.body for one in defined_by(node, module)]
    return Sources(definitions, imported)


def defined_by(node: ast.stmt, module: str) -> Iterator[Definition]:
    """The public names that a statement defines."""
    found: list[tuple[str, ast.expr | None]] = []
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            found.append((name, None))
        case ast.Assign(targets=targets, value=value):
            found += [(target.id, value) for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            found.append((name, value))
        case _:
            pass
    for name, value in found:
        if not name.startswith("_"):
            text = "" if value is None else ast.unparse(value)
            yield Definition(module, name, text.startswith(("Annotated[", "TypeVar(")))


def same_everywhere() -> set[str]:
    """The names that the page lists as one meaning in several places."""
    return {row[0].strip("`") for row in rows("One meaning in several places")}


def types_defined_twice() -> dict[str, list[str]]:
    """Names of types that several modules define. An alias that only describes counts where others import it."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in sources().definitions:
        if CAPITALISED.fullmatch(one.name) and not (
            one.only_describes and one.module not in sources().imported[one.name]
        ):
            found[one.name].append(one.module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def others_imported_from_two_modules() -> dict[str, list[str]]:
    """Functions and constants that others import, by their name alone, from several modules.

    Used as ``module.name``, a name says itself whose it is.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for one in sources().definitions:
        if not CAPITALISED.fullmatch(one.name) and one.module in sources().imported[one.name]:
            found[one.name].append(one.module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


@cache
def defined_twice() -> dict[str, list[str]]:
    """All names with several definitions."""
    return types_defined_twice() | others_imported_from_two_modules()


def test_a_public_name_is_defined_once_or_listed_with_one_meaning() -> None:
    assert {name: modules for name, modules in defined_twice().items() if name not in same_everywhere()} == {}


@pytest.mark.parametrize("name", sorted(same_everywhere()))
def test_what_is_listed_with_one_meaning_is_defined_in_those_places(name: str) -> None:
    (row,) = (row for row in rows("One meaning in several places") if row[0] == f"`{name}`")
    listed = {path.removesuffix(".py").replace("/", ".") for path in re.findall(r"`([^`]+)`", row[1])}
    assert listed == {module.removesuffix(".__init__") for module in defined_twice().get(name, [])}
