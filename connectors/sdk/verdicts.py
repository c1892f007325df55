"""The verdicts on all objects of a run: the sums of the receipts' counts, and the first problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from connectors.sdk.client import HubClient
from connectors.sdk.own_pages import more_problems
from connectors.sdk.places import ObjectPlace, ObjectPlaces
from connectors.sdk.progress import Progress, Quiet
from schemas.api import Receipt, ReceiptProblem

PROBLEMS = 1_000
"""How many problems are stored, unless all are wanted; the receipts have all."""
WITHIN_S = 600.0
_TOO_LARGE = "object.too-large"


@dataclass(slots=True)
class Verdicts:
    """The sum of receipts: received = accepted + unchanged + held + rejected."""

    received: int = 0
    accepted: int = 0
    unchanged: int = 0
    held: int = 0
    rejected: int = 0
    problems: list[ReceiptProblem] = field(default_factory=list)
    """The first thousand, or all, with indexes relative to the whole run."""
    receipts: list[str] = field(default_factory=list)
    has_more: bool = False
    """Whether the receipts have problems that are not in ``problems``."""
    places: ObjectPlaces = field(default_factory=ObjectPlaces)
    """Where the objects stand in their files."""

    def add(self, receipt: Receipt, status_url: str, more: Iterable[ReceiptProblem] | None = None) -> None:
        """Add a receipt, in the order of the pushes. ``more``: its further problems, if all are wanted."""
        wanted = receipt.problems if more is not None else receipt.problems[: PROBLEMS - len(self.problems)]
        self.has_more |= more is None and (len(wanted) < len(receipt.problems) or receipt.problems_url is not None)
        for problem in chain(wanted, more or ()):
            self.problems.append(problem.model_copy(update={"index": self.received + problem.index}))
        self.received += receipt.received
        self.accepted += receipt.accepted
        self.unchanged += receipt.unchanged
        self.held += receipt.held
        self.rejected += receipt.rejected
        self.receipts.append(status_url)

    def add_places(self, places: ObjectPlaces, too_large: Sequence[ObjectPlace | None]) -> None:
        """Say where the objects stand: those that were received, and then those of ``add_too_large``."""
        self.places = places
        places.extend(too_large)

    def add_too_large(self, sizes: list[int]) -> None:
        """Add objects that exceed the size of a request as rejected, so that no object is missing from the counts.

        Clears ``sizes`` (``Publisher.too_large``), so that they are reported once.
        """
        while sizes:
            message = f"{sizes.pop(0):,} bytes are more than the hub takes in one request"
            problem = ReceiptProblem(
                index=self.received, id=None, state="rejected", code=_TOO_LARGE, message=message, rule_url=""
            )
            self.problems.append(problem)
            self.received += 1
            self.rejected += 1

    def counts(self) -> dict[str, int]:
        """Returns the five counts by name."""
        names = ("received", "accepted", "unchanged", "held", "rejected")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """Returns the data for ``--json``. A problem of an object of a file has its ``place``."""
        problems = [{**problem.model_dump(), **self._place_of(problem)} for problem in self.problems]
        return {**self.counts(), "problems": problems, "more": self.has_more, "receipts": self.receipts}

    def _place_of(self, problem: ReceiptProblem) -> dict[str, Any]:
        place = self.places.at(problem.index)
        return {"place": place.as_json()} if place else {}


def collect(
    client: HubClient,
    receipts: Sequence[str],
    *,
    within_s: float = WITHIN_S,
    progress: Progress | None = None,
    all_problems: bool = False,
) -> Verdicts:
    """Waits until every receipt is complete, ``within_s`` each; returns the sums. Raises TryLater after that time.

    ``all_problems``: store them all, however many there are.
    """
    verdicts, progress = Verdicts(), progress or Quiet()
    for done, status_url in enumerate(receipts, start=1):
        receipt = client.completed(status_url, within_s=within_s)
        verdicts.add(receipt, status_url, more_problems(client, receipt) if all_problems else None)
        progress.advance(receipt.received, 0, done / len(receipts))
    return verdicts
