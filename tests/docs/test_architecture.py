"""The diagrams of ``docs/architecture.md`` show modules that exist, imports that exist, and every room of the hub."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import grimp
import pytest

from hub.role import Role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
ROOMS = ("hub", "connectors", "schemas")
NODE = re.compile(r'(?P<id>\w+)(?:(?P<inside>\["[^"]*"\])|(?P<outside>\(\["[^"]*"\]\)))?')
ARROW = re.compile(r"\s*(?P<arrow>-->|-\.->)(?:\|[^|]*\|)?\s*")
AND = re.compile(r"\s*&\s*")


@dataclass(frozen=True)
class Arrow:
    begin: str
    end: str
    dotted: bool


class Diagram:
    """A Mermaid flowchart, read strictly: what is not understood is an error."""

    def __init__(self, text: str) -> None:
        self.modules: dict[str, str] = {}
        """By node, the module or package that it names."""
        self.outside: set[str] = set()
        self.arrows: list[Arrow] = []
        lines = text.splitlines()
        assert lines[0] == "flowchart TB"
        for line in lines[1:]:
            if line.strip() and not re.fullmatch(r'subgraph \w+ \["[^"]+"\]|end', line.strip()):
                self._read(line.strip())

    def _read(self, line: str) -> None:
        begins, at = self._nodes(line, 0)
        while at < len(line):
            arrow = ARROW.match(line, at)
            assert arrow is not None, f"neither a node nor an arrow: {line[at:]}"
            ends, at = self._nodes(line, arrow.end())
            dotted = arrow["arrow"] == "-.->"
            self.arrows += [Arrow(begin, end, dotted) for begin in begins for end in ends]
            begins = ends

    def _nodes(self, line: str, at: int) -> tuple[list[str], int]:
        found = []
        while True:
            node = NODE.match(line, at)
            assert node is not None, f"no node: {line[at:]}"
            found.append(self._declared(node))
            more = AND.match(line, node.end())
            if more is None:
                return found, node.end()
            at = more.end()

    def _declared(self, node: re.Match[str]) -> str:
        name: str = node["id"]
        if node["outside"]:
            self.outside.add(name)
        elif node["inside"]:
            self.modules[name] = module_in(node["inside"])
        assert name in self.modules or name in self.outside, f"{name} has no label yet"
        return name


def module_in(label: str) -> str:
    """``2. hub/core/judge.py`` names ``hub.core.judge``."""
    found = re.search(rf"\b(?:{'|'.join(ROOMS)})/[\w/]*(?:\.py)?", label)
    assert found is not None, f"{label} names no module; what is outside has round corners"
    return found[0].removesuffix(".py").strip("/").replace("/", ".")


DIAGRAMS = [Diagram(text) for text in re.findall(r"```mermaid\n(.*?)```", PAGE, flags=re.DOTALL)]
ARROWS = [(diagram, arrow) for diagram in DIAGRAMS for arrow in diagram.arrows]
every_arrow = pytest.mark.parametrize(
    ("diagram", "arrow"), ARROWS, ids=[f"{arrow.begin}-{arrow.end}" for _, arrow in ARROWS]
)


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS, cache_dir=None)


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def members(package: str) -> set[str]:
    return {module for module in imports().modules if module == package or module.startswith(f"{package}.")}


def uses(begin: str, end: str) -> bool:
    """Whether a module imports another, directly or through modules of the same room as one of them."""
    targets, between = members(end), members(room_of(begin)) | members(room_of(end))
    seen, todo = set(members(begin)), list(members(begin))
    while todo:
        for imported in imports().find_modules_directly_imported_by(todo.pop()) - seen:
            if imported in targets:
                return True
            if imported in between:
                seen.add(imported)
                todo.append(imported)
    return False


def test_every_box_of_a_diagram_names_a_module_that_exists() -> None:
    named = {module for diagram in DIAGRAMS for module in diagram.modules.values()}
    assert sorted(named - imports().modules) == []


@every_arrow
def test_a_solid_arrow_is_an_import_and_a_dotted_one_leaves_the_hub(diagram: Diagram, arrow: Arrow) -> None:
    if arrow.dotted:
        assert {arrow.begin, arrow.end} & diagram.outside
    else:
        begin, end = diagram.modules[arrow.begin], diagram.modules[arrow.end]
        assert uses(begin, end), f"{begin} does not import {end}"


def layers() -> list[list[str]]:
    """The rooms of the hub from above to below, as the contract of the imports has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(one["layers"] for one in contracts if one["type"] == "layers")
    return [[f"hub.{room.strip()}" for room in layer.split("|")] for layer in found]


ROWS = [line for line in PAGE.splitlines() if line.startswith("| `hub/")]


def row_of(room: str) -> int:
    """Which row of the table of rooms tells of a room."""
    path = room.replace(".", "/")
    found = [no for no, row in enumerate(ROWS) if re.search(rf"`{path}(/|\.py)`", row.split("|")[1])]
    assert len(found) == 1, f"{path} has not one row in the table of rooms"
    return found[0]


@pytest.mark.parametrize("room", [room for layer in layers() for room in layer])
def test_every_room_is_in_a_diagram_and_in_the_table(room: str) -> None:
    assert room in {room_of(module) for diagram in DIAGRAMS for module in diagram.modules.values()}
    row_of(room)


def test_the_table_of_rooms_goes_down_the_layers() -> None:
    rows = [sorted(row_of(room) for room in layer) for layer in layers()]
    assert all(above[-1] <= below[0] for above, below in pairwise(rows))


@pytest.mark.parametrize("role", Role)
def test_every_role_says_what_runs_in_it(role: Role) -> None:
    assert f"| `{role.value}` | " in PAGE
