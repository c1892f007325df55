"""No module, function or class of the product is too large to be read as a whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("hub", "connectors", "schemas", "deploy")
MODULE_LINES, FUNCTION_LINES, PUBLIC_METHODS = 400, 40, 15


def modules() -> Iterator[Path]:
    """All of them; a migration is a list of statements."""
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return (path for path in paths if "migrations/versions" not in path.as_posix())


def too_large(path: Path, root: Path = ROOT) -> Iterator[str]:
    text = path.read_text()
    name = path.relative_to(root)
    if text.count("\n") > MODULE_LINES:
        yield f"{name} has {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}: {node.name} has {lines} lines"
        if isinstance(node, ast.ClassDef):
            functions = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            public = [each.name for each in functions if not each.name.startswith("_")]
            if len(public) > PUBLIC_METHODS:
                yield f"{name}: {node.name} has {len(public)} public methods"


def test_nothing_in_the_product_is_too_large() -> None:
    assert [found for path in modules() for found in too_large(path)] == []


def test_what_is_too_large_is_found(tmp_path: Path) -> None:
    body = "\n".join(f"    x = {number}" for number in range(FUNCTION_LINES))
    methods = "\n".join(f"    def m{number}(self): ..." for number in range(PUBLIC_METHODS + 1))
    made = tmp_path / "large.py"
    made.write_text(f"def long():\n{body}\n\nclass Wide:\n{methods}\n" + "\n" * MODULE_LINES)
    found = list(too_large(made, tmp_path))
    assert [each.rpartition(" has ")[0] for each in found] == ["large.py", "large.py: long", "large.py: Wide"]
