"""Reads page by page what the hub has of a source: claims, held objects, rejections, problems of its pushes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from connectors.sdk.client import HubClient, own_path
from schemas.api import (
    MyClaim,
    MyClaimPage,
    MyHeld,
    MyHeldPage,
    ProblemPage,
    Receipt,
    ReceiptProblem,
    Rejection,
    RejectionPage,
)


def all_claims(client: HubClient, states: Iterable[str] = ()) -> Iterator[MyClaim]:
    """Yields the caller's own claims in these states (all if empty), and where each is shown."""
    after: int | None = 0
    while after is not None:
        page = client.call(MyClaimPage, f"/v1/mine/claims?{_query(after, states)}")
        yield from page.claims
        after = page.next_after


def all_held(client: HubClient, states: Iterable[str] = ()) -> Iterator[MyHeld]:
    """Yields what of the caller's is held or was refused, the oldest first."""
    after: int | None = 0
    while after is not None:
        page = client.call(MyHeldPage, f"/v1/mine/held?{_query(after, states)}")
        yield from page.held
        after = page.next_after


def all_rejections(client: HubClient, after: int = 0) -> Iterator[Rejection]:
    """Yields the caller's rejections after a number, the oldest first."""
    more = True
    while more:
        page = client.call(RejectionPage, f"/v1/rejections?after={after}")
        yield from page.rejections
        after, more = page.next_after, page.more


def more_problems(client: HubClient, receipt: Receipt) -> Iterator[ReceiptProblem]:
    """Yields the problems of a receipt that it does not contain itself."""
    url = receipt.problems_url
    while url is not None:
        page = client.call(ProblemPage, own_path(url))
        yield from page.problems
        url = page.next_url


def _query(after: int, states: Iterable[str]) -> str:
    return urlencode([("after", str(after)), *(("state", state) for state in states)])
