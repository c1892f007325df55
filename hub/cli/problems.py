"""Shows what is wrong with many objects: refusals first, a line for each code with the count and the first example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import typer

ShowAll = Annotated[
    bool, typer.Option("--all", help="Print every problem on a line of its own, instead of one example of each code.")
]

_WORDS = {"rejected": "rejected", "held": "held", "accepted": "warning", "unchanged": "unchanged"}
"""What is printed for a state, in the order of printing: a problem of an accepted object is a warning."""


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A problem of one object. ``where``: the place, and the id if it is known."""

    state: str
    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class CodeLine:
    """What is printed about one code: its first problem stands for all of them."""

    word: str
    code: str
    count: int
    first: ProblemLine

    def __str__(self) -> str:
        return f"{self.word}  {self.code}  {self.example}"

    @property
    def example(self) -> str:
        """The first problem, after the count if there are more."""
        count = f"{self.count:,}, first " if self.count > 1 else ""
        return f"{count}{self.first.where}: {self.first.message}"


@dataclass(slots=True)
class ProblemsByCode:
    """Problems by state and code. Without ``keep_all`` it stores one for each code."""

    keep_all: bool = False
    _found: dict[tuple[str, str], list[ProblemLine]] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, problem: ProblemLine) -> None:
        """Add the next problem."""
        group = problem.state, problem.code
        self._counts[group] = self._counts.get(group, 0) + 1
        if self.keep_all or group not in self._found:
            self._found.setdefault(group, []).append(problem)

    def lines(self) -> Iterator[CodeLine]:
        """Yields what is printed, by state and frequency of the codes; with ``keep_all`` each problem."""
        order = list(_WORDS)
        for group in sorted(self._counts, key=lambda one: (order.index(one[0]), -self._counts[one], one[1])):
            word, found = _WORDS[group[0]], self._found[group]
            if self.keep_all:
                yield from (CodeLine(word, group[1], 1, problem) for problem in found)
            else:
                yield CodeLine(word, group[1], self._counts[group], found[0])


def where_of(place: object | None, index: int, stix_id: str | None) -> str:
    """Returns the place of an object in its file, or else its index in what was sent, with its id."""
    return f"{place or f'#{index}'} {stix_id or '(no id)'}"
