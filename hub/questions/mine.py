"""What a source itself has published, page by page: its claims with where each is shown, and what is held of it."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import dataclass

from hub.model.claims import ClaimState
from hub.model.held import HeldState
from hub.model.kept_out import KeptOut
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.questions.own_kept_out import MOST_REASONS, own_kept_out
from hub.store.intake_port import OwnHeld
from hub.store.own_port import OwnClaim
from hub.store.port import Store

MOST_CLAIMS = MOST_REASONS
"""How many claims a page has at most: each that is not shown gets its reason."""
MOST_HELD = 1_000


@dataclass(frozen=True, slots=True)
class ListedClaim:
    """A claim, and the names of the collections that show what it is about, with the ids there."""

    own: OwnClaim
    shown: Sequence[tuple[str, str]]
    kept_out: KeptOut | None
    """The rule that keeps it out of all collections; None: it is shown, withdrawn, or the rule is not known."""


@dataclass(frozen=True, slots=True)
class ListedClaims:
    """One page of a source's claims, in the order of their first arrival."""

    claims: Sequence[ListedClaim]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class ListedHeld:
    """One page of what is held of a source."""

    held: Sequence[OwnHeld]
    next_after: int | None


async def my_claims(
    store: Store, source: Principal, readable: Sequence[Collection], states: Some[ClaimState], *, after: int, limit: int
) -> ListedClaims:
    """The claims of the source in these states after a number; at most ``MOST_CLAIMS``. ``readable``: the collections
    that the source may read, in which each claim is looked for.
    """
    page = await store.own_claims.claims_from(source.no, states, after, min(limit, MOST_CLAIMS))
    names = {collection.no: collection.name for collection in readable}
    shown = await store.own_claims.showing([own.key for own in page.claims], list(names)) if names else {}
    hidden = {own.id for own in page.claims if own.key not in shown and not own.state.is_withdrawn}
    rules = await own_kept_out(store, source, readable, hidden)
    claims = [
        ListedClaim(
            own,
            sorted((names[place.collection], place.object_id) for place in shown.get(own.key, ())),
            rules.get(own.id),
        )
        for own in page.claims
    ]
    return ListedClaims(claims, page.next_after)


async def my_held(store: Store, source: Principal, states: Some[HeldState], *, after: int, limit: int) -> ListedHeld:
    """What the source sent and what waits for an operator, or was refused, after a number; the oldest first."""
    found = await store.intake.held_of(source.no, states, after, limit + 1)
    return ListedHeld(found[:limit], found[limit - 1].no if len(found) > limit else None)
