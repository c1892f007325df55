"""The circuit breakers of the sources: which have tripped, and the decision about what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.model.errors import Refused
from hub.model.held import HeldState
from hub.model.policy_changes import HeldSettled
from hub.model.principals import SOURCE_KINDS
from hub.model.times import stix_time
from hub.registry.context import RegistryContext
from hub.registry.finding import find_principal


@dataclass(frozen=True, slots=True)
class OpenTrip:
    """A source whose breaker has tripped, and what it holds."""

    source: str
    tripped_us: int
    waiting: int
    """How many objects and withdrawals wait."""


class Breakers:
    """Operations on the breakers."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def trips(self, name: str | None = None) -> Sequence[OpenTrip]:
        """Returns the breakers that wait for a decision, the first first; only that of one source, if it is named.
        Raises NotFound, TryAgain.
        """
        async with self._context.store.reading() as directory:
            snapshot = await directory.snapshot()
            no = None if name is None else find_principal(snapshot, name, *SOURCE_KINDS).no
            names = {principal.no: principal.name for principal in snapshot.principals.values()}
            trips = [trip for trip in await directory.trips() if no in (None, trip.source)]
        return [OpenTrip(names[trip.source], trip.tripped_us, trip.waiting) for trip in trips]

    async def confirm(self, name: str) -> int:
        """Let a source take back what its breaker holds, and count anew from now on. Returns how much was held.

        Raises NotFound, Refused, TryAgain.
        """
        return await self._settle(name, HeldState.RELEASED)

    async def refuse(self, name: str) -> int:
        """Drop what a breaker holds: the claims stay as they are, and what was taken back before still counts.

        Returns how much was held. Raises NotFound, Refused, TryAgain.
        """
        return await self._settle(name, HeldState.REFUSED)

    async def _settle(self, name: str, state: HeldState) -> int:
        async with self._context.change() as change:
            no = find_principal(change.before, name, *SOURCE_KINDS).no
            trip = await change.directory.settle_breaker(no, state)
            if trip is None:
                raise Refused(
                    "breaker.not-tripped", f"The breaker of {name!r} has not tripped.", "See ctihub breaker show."
                )
            said = {"breaker": name, "tripped": stix_time(trip.tripped_us)}
            await change.record(HeldSettled(state, trip.waiting, said))
        return trip.waiting
