"""What pages, docstrings and comments call by its path is there: a folder, a file, a module, or a name in a module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("hub", "connectors", "schemas", "tests", "deploy", "docs")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})/[\w./<>*{{}}-]*[\w>*}}]")
PACKAGES = ["tests", *(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("[chs]*/*/**/__init__.py"))]
DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(re.escape(name.replace('/', '.')) for name in PACKAGES)})(?:\.\w+)+")
"""Below a package inside another; ``hub.started`` is an event, and ``hub.example`` a host."""
MADE_LATER = {"deploy/compose/secrets", "deploy/compose/secrets/ca.pem", "hub/doors/rule_pages"}
"""What a script of the deployment, or the build of a wheel, makes."""

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")]
SOURCES = [path for room in ("hub", "connectors", "schemas", "deploy") for path in ROOT.glob(f"{room}/**/*.py")]


def is_there(name: str) -> bool:
    """Whether a path leads somewhere. ``<name>`` stands for any one; ``port.Store`` is a name in ``port.py``."""
    pattern = re.sub(r"<[^<>/]*>|\{[^{}/]*\}|NNNN", "*", name).rstrip("/")
    patterns = (pattern, f"{pattern}.py", f"{pattern}-*.md") if pattern[-1].isdigit() else (pattern, f"{pattern}.py")
    if name in MADE_LATER or any(True for one in patterns for _ in ROOT.glob(one)):
        return True
    folder, _, last = name.rpartition("/")
    module, _, attribute = last.partition(".")
    return is_defined(ROOT / folder / f"{module}.py", attribute) or is_defined(
        ROOT / folder / module / "__init__.py", attribute
    )


def is_defined(path: Path, attribute: str) -> bool:
    return path.is_file() and attribute.partition(".")[0] in names_in(path)


def names_in(path: Path) -> set[str]:
    """The names that a module defines or imports at its top."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ImportFrom(names=names):
                found.update(each.asname or each.name for each in names)
            case _:
                pass
    return found


def as_path(dotted: str) -> str:
    """``hub.store.port.Store.read`` as ``hub/store/port.Store``: the longest part that is a package or a module."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.is_dir() or path.with_suffix(".py").is_file():
            rest = parts[length : length + 1]
            return "/".join(parts[:length]) + "".join(f".{name}" for name in rest)
    return dotted


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_file_calls_by_its_path_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    named = {*PATH.findall(text), *(as_path(dotted) for dotted in DOTTED.findall(text))}
    assert sorted(name for name in named if not is_there(name)) == []
