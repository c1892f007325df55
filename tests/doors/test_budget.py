"""A budget of memory is shared between callers: nobody keeps it from the others, nobody starves, and all comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.intake.budget import PARTS, Budget, Share
from hub.model.errors import TryAgain

TOTAL = 100
PART = TOTAL // PARTS


def a_budget(wait_s: float = 600) -> Budget:
    return Budget(TOTAL, wait_s=wait_s, code="x.full", says="Full.")


class Asking:
    """A request that asks for so many bytes and keeps them until it is ended, or is cancelled."""

    def __init__(self, budget: Budget, whose: str, size: int) -> None:
        self.whose = whose
        self.share: Share = budget.share(whose)
        self._ends = asyncio.Event()
        self.served: list[int] = []
        self._run = asyncio.ensure_future(self._keep(size))
        self._growth: asyncio.Task[None] | None = None

    async def _keep(self, size: int) -> None:
        async with self.share:
            await self._grow(size)
            await self._ends.wait()

    async def _grow(self, size: int) -> None:
        await self.share.grow_to(size)
        self.served.append(size)

    async def grow(self, size: int) -> None:
        self._growth = asyncio.ensure_future(self._grow(size))
        await settle()

    @property
    def is_growing(self) -> bool:
        return self._growth is not None and not self._growth.done()

    async def end(self) -> None:
        """The request comes to its end if it is served, otherwise its client goes."""
        if self._growth is not None:
            self._growth.cancel()
            await asyncio.wait([self._growth])
        if self.served:
            self._ends.set()
        else:
            self._run.cancel()
        await asyncio.wait([self._run])
        await settle()


async def settle() -> None:
    """Let everything go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def ask(budget: Budget, whose: str, *sizes: int) -> list[Asking]:
    asking = [Asking(budget, whose, size) for size in sizes]
    await settle()
    return asking


def served(asking: list[Asking]) -> list[bool]:
    return [bool(one.served) for one in asking]


# ---------------------------------------------------------------- between callers


async def test_whoever_asks_for_everything_in_small_pieces_gets_a_part() -> None:
    budget = a_budget()
    greedy = await ask(budget, "greedy", *[5] * 40)
    assert served(greedy) == [True] * 5 + [False] * 35
    others = [(await ask(budget, name, PART))[0] for name in ("a", "b", "c")]
    assert served(others) == [True] * 3
    for one in [*others, *greedy]:
        await one.end()
    assert budget.free_bytes == TOTAL


async def test_who_waits_for_its_own_requests_keeps_nobody_waiting() -> None:
    budget = a_budget()
    greedy = await ask(budget, "greedy", PART, PART, 1)
    assert served(greedy) == [True, False, False]
    [other] = await ask(budget, "other", 1)
    assert other.served
    await greedy[0].end()
    assert served(greedy[1:]) == [True, False], "in order of arrival, also where a later one would fit"
    for one in [*greedy[1:], other]:
        await one.end()


async def test_callers_take_turns_however_many_requests_each_has() -> None:
    budget = a_budget()
    [everything] = await ask(budget, "x", TOTAL)
    many, few = await ask(budget, "many", *[5] * 20), await ask(budget, "few", 5, 5)
    order: list[str] = []
    for one in (*many, *few):
        one.served = Noting(order, one.whose)
    await everything.end()
    assert order[:4] == ["many", "few", "many", "few"]
    for one in (*many, *few):
        await one.end()
    assert budget.free_bytes == TOTAL


class Noting(list[int]):
    """Notes in one list who is served."""

    def __init__(self, order: list[str], name: str) -> None:
        super().__init__()
        self._order, self._name = order, name

    def append(self, size: int) -> None:
        self._order.append(self._name)
        super().append(size)


async def test_small_requests_of_many_do_not_keep_out_a_large_one() -> None:
    budget = a_budget()
    small = [(await ask(budget, f"caller {no}", 10))[0] for no in range(10)]
    [large] = await ask(budget, "large", 90)
    later = [(await ask(budget, f"later {no}", 10))[0] for no in range(10)]
    for one in small[:9]:
        assert not large.served
        await one.end()
    assert large.served
    assert not any(served(later))
    for one in (*small[9:], large, *later):
        await one.end()
    assert budget.free_bytes == TOTAL


@pytest.mark.parametrize("size", [PART + 1, TOTAL, 10 * TOTAL])
async def test_one_alone_gets_more_than_a_part_and_more_than_there_is(size: int) -> None:
    budget = a_budget()
    first, second = await ask(budget, "a", size, 1)
    assert served([first, second]) == [True, False]
    assert budget.free_bytes == max(0, TOTAL - size)
    await first.end()
    assert second.served
    await second.end()
    assert budget.free_bytes == TOTAL


async def test_of_requests_that_grow_the_oldest_goes_on_and_then_the_next() -> None:
    budget = a_budget()
    first, second, third = await ask(budget, "a", 12, 12, 12)
    assert served([first, second, third]) == [True, True, False]
    await second.grow(40)
    await first.grow(40)
    assert [one.is_growing for one in (first, second)] == [False, True]
    await first.end()
    assert not second.is_growing
    assert not third.served
    await second.end()
    assert third.served
    await third.end()
    assert budget.free_bytes == TOTAL


# ---------------------------------------------------------------- ends


async def test_who_waits_too_long_is_told_to_come_again_and_takes_nothing() -> None:
    budget = a_budget(wait_s=0.01)
    async with budget.share("a") as first:
        await first.grow_to(60)
        for whose in ("a", "b"):
            async with budget.share(whose) as second:
                with pytest.raises(TryAgain) as told:
                    await second.grow_to(50)
                assert isinstance(told.value.retry_after_s, int)
        async with budget.share("c") as third:
            await third.grow_to(40)
    assert budget.free_bytes == TOTAL


async def test_who_goes_while_waiting_leaves_nothing_behind() -> None:
    budget = a_budget()
    [first] = await ask(budget, "first", 60)
    for whose in ("first", "other"):
        for one in await ask(budget, whose, 50, 50, 50):
            await one.end()
    await first.end()
    assert budget.free_bytes == TOTAL


@pytest.mark.parametrize("goes_before", [True, False])
async def test_who_goes_at_the_moment_of_its_turn_leaves_nothing_behind(goes_before: bool) -> None:
    budget = a_budget()
    [first] = await ask(budget, "first", 60)
    waiting = await ask(budget, "other", 50, 50, 50)
    if not goes_before:
        first.share.shrink_to(0)
    for one in waiting:
        one._run.cancel()
    first.share.shrink_to(0)
    await settle()
    assert not any(served(waiting))
    assert budget.free_bytes == TOTAL
    await first.end()


async def test_when_a_large_request_goes_those_behind_it_are_served() -> None:
    budget = a_budget()
    [first], [large], [small] = [await ask(budget, whose, size) for whose, size in (("a", 60), ("b", 90), ("c", 10))]
    assert served([first, large, small]) == [True, False, False]
    await large.end()
    assert small.served
    await first.end()
    await small.end()


async def test_an_error_gives_everything_back() -> None:
    budget = a_budget()
    with contextlib.suppress(ZeroDivisionError):
        async with budget.share("a") as share:
            await share.grow_to(40)
            share.shrink_to(30)
            assert budget.free_bytes == TOTAL - 30
            raise ZeroDivisionError
    assert budget.free_bytes == TOTAL


async def test_callers_that_have_gone_are_forgotten() -> None:
    budget = a_budget()
    for no in range(100):
        async with budget.share(no) as share:
            await share.grow_to(1)
        del share
    assert len(budget._callers) == 0


# ---------------------------------------------------------------- any requests

callers = st.sampled_from("abc")
sizes = st.integers(1, TOTAL + 10)
small = st.integers(1, PART)
numbers = st.integers(0, 30)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), callers, small | sizes),
        st.tuples(st.just("end"), callers, numbers),
        st.tuples(st.just("grow"), callers, sizes),
    ),
    max_size=40,
)


def check(budget: Budget, asking: list[Asking]) -> None:
    held = Counter[str]()
    for one in asking:
        held[one.whose] += one.share.held_bytes
    assert budget.free_bytes == TOTAL - held.total() >= 0
    for whose, size in held.items():
        holding = [one.share.held_bytes for one in asking if one.whose == whose and one.share.held_bytes]
        assert size <= PART or size - max(holding) <= PART
    for whose in "abc":
        own = [bool(one.served) for one in asking if one.whose == whose]
        assert own == sorted(own, reverse=True), "in order of arrival"
    assert all(served(asking)) or budget.free_bytes < TOTAL, "somebody waits for nobody"


@given(actions=actions)
async def test_whatever_happens_the_bytes_add_up_and_everybody_is_served(actions: list[tuple[str, str, int]]) -> None:
    budget = a_budget()
    asking: list[Asking] = []
    for action, whose, number in actions:
        own = [one for one in asking if one.whose == whose]
        holding = [one for one in own if one.served and not one.is_growing]
        match action:
            case "ask":
                asking += await ask(budget, whose, number)
            case "end" if own:
                one = own[number % len(own)]
                asking.remove(one)
                await one.end()
            case "grow" if holding:
                await holding[number % len(holding)].grow(number)
        check(budget, asking)
    while asking:
        one = next(one for one in asking if one.served)
        asking.remove(one)
        await one.end()
        check(budget, asking)
    assert budget.free_bytes == TOTAL
    assert not budget._turns
