"""The circuit breaker in random histories: what it holds does not depend on batches, and what it held and let pass is
as if it had been sent then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from hub.model.breaker import BreakerLimits
from hub.model.claims import ClaimState
from hub.model.policy import Source
from hub.model.times import DAY_US
from hub.model.writes import Held
from tests.memory import MemoryStore, Tables
from tests.promises.histories import History, Said
from tests.promises.scenes import a_dense_history
from tests.promises.telling import a_hub, content, what_differs_from_recomputed
from tests.promises.test_histories import few
from tests.promises.test_order import without_hub_ids
from tests.story import START_US, Story, TakesBack

MINUTE_US = 60_000_000
SEEDS = st.integers(0, 2**32)


@dataclass(frozen=True)
class Decision:
    """An operator decides about what the breakers hold."""

    confirm: bool


@dataclass
class Guarded:
    """A history with a breaker that trips often: messages, each with the minute in which it came, and decisions."""

    settings: dict[str, dict[str, Any]]
    events: list[tuple[int, Said] | Decision]
    limits: BreakerLimits
    held: list[list[Held]] = field(default_factory=list)
    """For each decision what was released by it."""

    @classmethod
    def of(cls, seed: int) -> Guarded:
        random = Random(f"{seed} breaker")
        history: History = without_hub_ids(a_dense_history(seed, contested=False, operators=False))
        events: list[tuple[int, Said] | Decision] = []
        minute = 0
        for said in history.messages():
            minute += random.choice([0, 0, 1, 7, 30])
            events.append((minute, said))
            if random.random() < 0.1:
                events.append(Decision(random.random() < 0.6))
        return cls(history.settings, events, BreakerLimits(random.choice([1, 20, 50]), random.choice([0, 0, 1, 2])))


async def tell(story: Story, told: Guarded, *, sizes: Random | None = None) -> None:
    """Tell a history in batches of random sizes, or one by one."""
    centres: dict[str, Source] = {one.name: one for one in (await story.policy()).sources.values()}
    for name, fields in told.settings.items():
        centres[name] = await story.change_centre(centres[name], **fields)
    await story.set("breaker.share", f"{told.limits.share}%")
    await story.set("breaker.least", str(told.limits.least))
    story.now_us = START_US + 40 * DAY_US
    batch: list[Any] = []
    size = 1
    for number, event in enumerate(told.events):
        if isinstance(event, Decision):
            batch = await _carried(story, batch)
            await _decide(story, event, told)
            continue
        minute, said = event
        batch.append(_record(story, centres, number, minute, said))
        if len(batch) >= size:
            batch = await _carried(story, batch)
            size = 1 if sizes is None else sizes.randint(1, 12)
    await _carried(story, batch)
    await story.sweep()


def memory(story: Story) -> MemoryStore:
    store = story.place.store
    assert isinstance(store, MemoryStore)
    return store


def _record(story: Story, centres: dict[str, Source], number: int, minute: int, said: Said) -> Any:
    value = TakesBack(said.stix_id, said.withdrawal) if said.obj is None else said.obj
    at_us = START_US + DAY_US + minute * MINUTE_US
    return story.record(centres[said.centre], value, at_us=at_us, offset=number, receipt=f"r{number}", index="0")


async def _carried(story: Story, batch: Sequence[Any]) -> list[Any]:
    if batch:
        await story.carry(batch)
    return []


async def _decide(story: Story, decision: Decision, told: Guarded) -> None:
    trips = await story.place.trips()
    told.held.append([])
    if isinstance(story.place.store, MemoryStore) and decision.confirm:
        told.held[-1] = [one for one in memory(story).tables.held.values() if one.code.startswith("breaker")]
    for no in sorted(trips):
        await story.settle((await story.policy()).sources[no], confirm=decision.confirm)


@few(20)
@given(seed=SEEDS)
async def test_what_is_held_and_shown_does_not_depend_on_batches(seed: int) -> None:
    one, other = Guarded.of(seed), Guarded.of(seed)
    async with a_hub() as single, a_hub() as divided:
        await tell(single, one)
        await tell(divided, other, sizes=Random(seed))
        left, right = memory(single).tables, memory(divided).tables
        assert list(left.held.values()) == list(right.held.values())
        assert (left.breakers, left.counts) == (right.breakers, right.counts)
        assert _live(left) == left.live == _live(right) == right.live
        assert left.claims == right.claims
        assert sorted(left.receipts, key=lambda part: part.receipt) == sorted(
            right.receipts, key=lambda part: part.receipt
        )
        assert await content(single) == await content(divided)
        assert await what_differs_from_recomputed(divided) == []


def _live(tables: Tables) -> Counter[int]:
    """The live claims of each source."""
    return Counter(claim.source for claim in tables.claims.values() if claim.state is ClaimState.LIVE)


@few(20)
@given(seed=SEEDS)
async def test_what_is_held_is_as_if_it_came_when_it_is_confirmed(seed: int) -> None:
    guarded = Guarded.of(seed)
    async with a_hub() as story, a_hub() as plain:
        await tell(story, guarded)
        held = {part.receipt for part in memory(story).tables.receipts if _is_held_by_breaker(part.problems)}
        await tell(plain, _without(guarded, held))
        assert await content(plain) == await content(story)
        assert not memory(plain).tables.breakers


def _is_held_by_breaker(problems: Sequence[Any]) -> bool:
    return any(problem["code"] == "breaker.mass-withdrawal" for problem in problems)


def _without(guarded: Guarded, held: set[str]) -> Guarded:
    """The history without a breaker, in which what was held comes when it was released, or never."""
    events: list[tuple[int, Said] | Decision] = []
    released = iter(guarded.held)
    by_stamp = {
        (START_US + DAY_US + event[0] * MINUTE_US, number): event[1]
        for number, event in enumerate(guarded.events)
        if not isinstance(event, Decision)
    }
    minute = 0
    for number, event in enumerate(guarded.events):
        if isinstance(event, Decision):
            events += [(minute, _as_released(one, by_stamp)) for one in next(released)]
        else:
            minute = event[0]
            if f"r{number}" not in held:
                events.append(event)
    return Guarded(guarded.settings, events, BreakerLimits(0))


def _as_released(one: Held, by_stamp: dict[tuple[int, int], Said]) -> Said:
    said = by_stamp[int.from_bytes(one.stamp[:8]), int.from_bytes(one.stamp[12:20])]
    return Said(said.centre, said.stix_id, said.obj, withdrawal=one.withdrawal or said.withdrawal)


async def test_much_is_held_and_decided_in_these_histories() -> None:
    """Without it the properties above would show nothing."""
    tripped, confirmed = 0, 0
    for seed in range(12):
        guarded = Guarded.of(seed)
        async with a_hub() as story:
            await tell(story, guarded)
            tripped += bool(memory(story).tables.breakers) and any(
                _is_held_by_breaker(part.problems) for part in memory(story).tables.receipts
            )
            confirmed += any(guarded.held)
    assert tripped >= 6
    assert confirmed >= 6
