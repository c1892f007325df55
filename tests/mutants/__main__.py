"""Applies each breakage to a copy of the source tree and runs the tests that must catch it.

    python -m tests.mutants [NAME ...]          all of them, or these
    python -m tests.mutants --search NAME ...   which examples in the core's tests notice them, to write an entry

Ends with 1 if a breakage is not caught, with 2 if an entry is stale or the tests fail without any breakage.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants.entries import ROOT, Mutant, mutants, problems_of

_COPIED = ("hub", "connectors", "schemas", "deploy", "tests", "docs")
_EXAMPLES = (
    "tests/core", "tests/patterns", "tests/promises", "-m", "not hypothesis", "-k", "not postgres and not kafka",
)  # fmt: skip
"""The core's tests without the properties: an example tells best what is broken."""
_LIMIT_S = 600
"""A test that does not end by then has noticed the breakage."""
_PASSED, _FAILED = 0, 1
"""Results of pytest; any other means that the tests could not be run."""
T = TypeVar("T")


class Tree:
    """A copy of the source tree, in which the hub can be broken."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for name in _COPIED:
            shutil.copytree(ROOT / name, root / name)
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy2(path, root / path.name)

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """The copy has the breakage inside of this."""
        path = self._root / mutant.file
        sound = path.read_text(encoding="utf-8")
        try:
            _write(path, mutant.applied(sound))
            yield
        finally:
            _write(path, sound)

    def pytest(self, *args: str) -> tuple[int, str]:
        """Run pytest in the copy; returns its result and what it prints."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
        environment = {**os.environ, "PYTHONPATH": str(self._root)}
        try:
            done = subprocess.run(
                command, cwd=self._root, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return _FAILED, ""
        return done.returncode, done.stdout + done.stderr


def _write(path: Path, text: str) -> None:
    """Write a module, and remove what was compiled of it: that goes by size and second, which may be the same."""
    path.write_text(text, encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def _failed(printed: str) -> list[str]:
    """The tests that failed, each once whatever its parameters are."""
    lines = [line.split(" ")[1] for line in printed.splitlines() if line.startswith("FAILED ")]
    return list(dict.fromkeys(line.partition("[")[0] for line in lines))


def _caught_by(tree: Tree, mutant: Mutant) -> str | None:
    """The first test that catches the breakage; None if none does. Raises RuntimeError if they cannot be run."""
    with tree.broken(mutant):
        result, printed = tree.pytest("-x", *mutant.tests)
    if result not in (_PASSED, _FAILED):
        raise RuntimeError(f"{mutant.name}: pytest ended with {result}\n{printed}")
    return None if result == _PASSED else next(iter(_failed(printed)), "a test that did not end")


def _noticed_by(tree: Tree, mutant: Mutant) -> list[str]:
    """All examples that notice the breakage."""
    with tree.broken(mutant):
        return _failed(tree.pytest("--tb=no", *_EXAMPLES)[1])


def _each(trees: Sequence[Tree], chosen: Sequence[Mutant], what: Callable[[Tree, Mutant], T]) -> Iterator[T]:
    """What comes of each breakage, in their order; as many at a time as there are trees."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def on_a_tree(mutant: Mutant) -> T:
        tree = free.get()
        try:
            return what(tree, mutant)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(on_a_tree, chosen)


def _catch(trees: Sequence[Tree], chosen: Sequence[Mutant]) -> int:
    began = time.monotonic()
    result, printed = trees[0].pytest(*dict.fromkeys(test for mutant in chosen for test in mutant.tests))
    if result != _PASSED:
        print(f"The tests do not pass without a breakage:\n{printed}", file=sys.stderr)
        return 2
    survivors = []
    for mutant, by in zip(chosen, _each(trees, chosen, _caught_by), strict=True):
        print(f"{mutant.name}: {'SURVIVED' if by is None else f'caught by {by}'}", flush=True)
        if by is None:
            survivors.append(mutant)
    for mutant in survivors:
        print(f"SURVIVED: {mutant.name}, which breaks: {mutant.rule}", file=sys.stderr)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} caught in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


def _search(trees: Sequence[Tree], chosen: Sequence[Mutant]) -> int:
    for mutant, found in zip(chosen, _each(trees, chosen, _noticed_by), strict=True):
        print(f"{mutant.name}:", *(found or ["no example"]), sep="\n    ", flush=True)
    return 0


def main(args: Sequence[str]) -> int:
    """See the module docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--search", action="store_true", help="list the examples that notice them")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time [2]")
    said = parser.parse_args(args)
    known = {mutant.name: mutant for mutant in mutants()}
    if unknown := [name for name in said.names if name not in known]:
        parser.error(f"there is no breakage called {', '.join(unknown)}")
    chosen = [known[name] for name in said.names] or list(known.values())
    if stale := [problem for mutant in chosen for problem in problems_of(mutant)]:
        print(*stale, sep="\n", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="ctihub-mutants-") as folder:
        trees = [Tree(Path(folder) / str(number)) for number in range(max(1, min(said.jobs, len(chosen))))]
        return (_search if said.search else _catch)(trees, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
