"""The verdicts on all objects of a run: the sums of the receipts' counts, and the first problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.client import HubClient
from connectors.sdk.progress import Progress, Quiet
from schemas.api import Receipt, ReceiptProblem

PROBLEMS = 1_000
"""How many problems are stored; the receipts have all."""
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
    """The first thousand, with indexes relative to the whole run."""
    receipts: list[str] = field(default_factory=list)

    def add(self, receipt: Receipt, status_url: str) -> None:
        """Add a receipt, in the order of the pushes."""
        for problem in receipt.problems[: PROBLEMS - len(self.problems)]:
            self.problems.append(problem.model_copy(update={"index": self.received + problem.index}))
        self.received += receipt.received
        self.accepted += receipt.accepted
        self.unchanged += receipt.unchanged
        self.held += receipt.held
        self.rejected += receipt.rejected
        self.receipts.append(status_url)

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
        """Returns the data for ``--json``."""
        problems = [problem.model_dump() for problem in self.problems]
        return {**self.counts(), "problems": problems, "receipts": self.receipts}


def collect(
    client: HubClient, receipts: Sequence[str], *, within_s: float = WITHIN_S, progress: Progress | None = None
) -> Verdicts:
    """Waits until every receipt is complete, ``within_s`` each; returns the sums. Raises TryLater after that time."""
    verdicts, progress = Verdicts(), progress or Quiet()
    for done, status_url in enumerate(receipts, start=1):
        receipt = client.completed(status_url, within_s=within_s)
        verdicts.add(receipt, status_url)
        progress.advance(receipt.received, 0, done / len(receipts))
    return verdicts
