"""The lists of breakages: what is in them, and what is wrong with an entry."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Mutant:
    """One breakage: a text of a file of the hub, and what it is replaced by."""

    name: str
    rule: str
    """What it breaks: a section of docs/semantics.md, and the rule in a few words."""
    file: str
    """The path of the file, from the root of the source tree."""
    old: str
    """Occurs exactly once in the file."""
    new: str
    tests: list[str]
    """The short tests that catch it, as ``file::function``."""

    def applied(self, text: str) -> str:
        """The text of the file with the breakage. Raises ValueError if the entry is stale."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name} is stale: its text occurs {found} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """All entries of all lists, in the order of the files and of the entries."""
    return [
        Mutant(**entry)
        for path in sorted(HERE.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    ]


def problems_of(mutant: Mutant, root: Path = ROOT) -> list[str]:
    """Why an entry cannot be used; empty if it can."""
    path = root / mutant.file
    if not path.is_file():
        return [f"{mutant.name}: there is no file {mutant.file}"]
    try:
        ast.parse(mutant.applied(path.read_text(encoding="utf-8")))
    except ValueError as error:
        return [str(error)]
    except SyntaxError as error:
        return [f"{mutant.name} is no Python: {error}"]
    return [f"{mutant.name}: there is no test {test}" for test in mutant.tests if not _is_there(root, test)]


def _is_there(root: Path, test: str) -> bool:
    name, _, function = test.partition("::")
    path = root / name
    return path.is_file() and bool(function) and f"def {function}(" in path.read_text(encoding="utf-8")
