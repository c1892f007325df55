"""Figures of a bench with what they must reach."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; ``least`` and ``most`` are what it must reach, if anything."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether it is within its bounds."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


class Figures:
    """The figures of a run, printed as they come, or at the end as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._all: dict[str, float] = {}
        self._part = ""
        self.missed: list[str] = []

    def say(self, part: str) -> None:
        """Begin a part of the bench."""
        self._part = part
        if not self._as_json:
            print(f"\n{part}", flush=True)

    def add(self, figure: Figure) -> None:
        """Note a figure."""
        self._all[f"{self._part}: {figure.name}"] = figure.value
        if not figure.reached:
            self.missed.append(f"{self._part}: {figure.name}")
        if not self._as_json:
            print(f"  {figure.name:66} {figure.value:12,.3f}{_bound(figure)}", flush=True)

    def end(self) -> int:
        """Print what is left; returns the exit status."""
        if self._as_json:
            print(json.dumps({"figures": self._all, "missed": self.missed}))
        return 1 if self.missed else 0


def _bound(figure: Figure) -> str:
    if figure.least is None and figure.most is None:
        return ""
    bound = f"at least {figure.least:,.3g}" if figure.least is not None else f"at most {figure.most:,.3g}"
    return f"  {bound}: {'reached' if figure.reached else 'MISSED'}"
