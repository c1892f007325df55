"""Objects that wait for the operator: hits on warning lists, values that would block everyone, mass withdrawals."""

from __future__ import annotations

from collections.abc import Sequence

from hub.model.errors import NotFound, WrongUsage
from hub.model.held import HeldChoice, HeldObject, HeldState
from hub.model.policy_changes import HeldSettled
from hub.model.principals import SOURCE_KINDS
from hub.registry.context import RegistryChange, RegistryContext
from hub.registry.finding import find_principal

MOST_LISTED = 10_000


class HeldObjects:
    """Operations on held objects."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def all(
        self, *, list_name: str | None = None, centre: str | None = None, state: HeldState | None = HeldState.WAITING
    ) -> Sequence[HeldObject]:
        """Returns at most ``MOST_LISTED`` held objects, oldest first; ``state`` None means any. Raises NotFound."""
        async with self._context.store.reading() as directory:
            no = find_principal(await directory.snapshot(), centre, *SOURCE_KINDS).no if centre else None
            return await directory.held(HeldChoice((), list_name, no), state=state, limit=MOST_LISTED)

    async def find(self, number: int) -> HeldObject:
        """Returns one held object, with its bytes. Raises NotFound."""
        async with self._context.store.reading() as directory:
            found = await directory.held(HeldChoice([number]), state=None, limit=1, with_value=True)
        if not found:
            raise NotFound("held.unknown", f"No held object has the number {number}.", "See ctihub held list.")
        return found[0]

    async def release(
        self,
        numbers: Sequence[int] = (),
        *,
        list_name: str | None = None,
        centre: str | None = None,
        all_: bool = False,
    ) -> int:
        """Release waiting objects, so that a worker processes them without the problem; returns how many."""
        return await self._settle(numbers, list_name, centre, HeldState.RELEASED, all_=all_)

    async def refuse(
        self,
        numbers: Sequence[int] = (),
        *,
        list_name: str | None = None,
        centre: str | None = None,
        all_: bool = False,
    ) -> int:
        """Refuse waiting objects permanently; returns how many."""
        return await self._settle(numbers, list_name, centre, HeldState.REFUSED, all_=all_)

    async def _settle(
        self, numbers: Sequence[int], list_name: str | None, centre: str | None, state: HeldState, *, all_: bool
    ) -> int:
        if not (numbers or list_name or centre or all_):
            raise WrongUsage("held.which", "No objects were chosen.", "Give numbers, --list, --centre or --all.")
        async with self._context.change() as change:
            no = find_principal(change.before, centre, *SOURCE_KINDS).no if centre else None
            await _ensure_there(change, numbers)
            by_breaker = None if numbers else False  # all that a breaker holds is decided at once: ctihub breaker
            count = await change.directory.settle_held(HeldChoice(numbers, list_name, no, by_breaker), state)
            if count:
                said = {"numbers": list(numbers), "list": list_name, "centre": centre}
                await change.record(HeldSettled(state, count, said))
        return count


async def _ensure_there(change: RegistryChange, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    there = {each.no for each in await change.directory.held(HeldChoice(numbers), state=None, limit=len(numbers))}
    if missing := [number for number in numbers if number not in there]:
        raise NotFound("held.unknown", f"No held object has the number {missing[0]}.", "See ctihub held list.")
