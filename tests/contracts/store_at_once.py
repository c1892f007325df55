"""The store's promises on steps at once: of workers, doors and operators, in one process and in several."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import update

from hub.model.breaker import BreakerState, Minute
from hub.model.claims import ClaimKey
from hub.model.errors import TryAgain
from hub.model.policy_changes import CollectionAdded, GroupRemoved, PrincipalChanged, SourceChanged, SourceSuspended
from hub.model.problems import Code
from hub.model.reads import BREAKER, REJECTIONS_LOG, THING, TURNS, Reads
from hub.model.stix_types import fill_part
from hub.model.tasks import DropVersions, DueTask, Recompute, RecomputeDue, SetDate, TakeTurns
from hub.model.times import DAY_US, midnight_after, stix_time
from hub.model.words import Topic, TopicPartition, Withdrawal
from hub.model.writes import Held, Writes
from hub.store import tables as t
from hub.store.port import Transaction
from hub.store.sql import SqlStore
from tests.contracts.store_suite import StoreSuite, seqs
from tests.contracts.store_values import (
    START_US,
    a_claim,
    a_thing,
    add_centres,
    add_member,
    an_id,
    append,
    append_in,
    check_counts,
    count_up,
)
from tests.contracts.store_writer import LOGS, NAMES
from tests.stores import rows_of_log
from tests.waiting import WITHIN_S, until


class StoreAtOnce(StoreSuite):
    """One test per promise."""

    # Several at once

    async def test_no_log_has_a_gap_and_no_reader_meets_a_row_below_what_it_has_seen(self) -> None:
        """Writers of several stores append to two logs; readers page through them meanwhile, never looking back."""
        steps, writers = 30, 6
        seen: dict[int, list[int]] = {reader: [] for reader in range(4)}
        done = asyncio.Event()

        async def write(store: SqlStore) -> None:
            for _ in range(steps):
                await append(store, random.randint(1, 4), log=random.choice(LOGS))

        async def read(store: SqlStore, reader: int) -> None:
            log, own = LOGS[reader % 2], seen[reader]
            while True:
                last_look = done.is_set()
                rows = await rows_of_log(store, log, after=own[-1] if own else 0, limit=7)
                own.extend(seqs(rows))
                if last_look and not rows:
                    return

        async with self.opened() as one, self.opened() as two, asyncio.TaskGroup() as readers:
            for reader in seen:
                readers.create_task(read((one, two)[reader % 2], reader))
            async with asyncio.TaskGroup() as tasks:
                for writer in range(writers):
                    tasks.create_task(write((one, two)[writer % 2]))
            done.set()
            ends = await one.logs.ends()
        for reader, own in seen.items():
            assert own == list(range(1, ends[LOGS[reader % 2]].seq + 1))

    async def test_steps_on_the_same_claims_lose_nothing_of_one_another(self) -> None:
        async def work(store: SqlStore, name: str) -> None:
            at, left = TopicPartition(Topic(f"intake.{name}"), 0), 12
            while left:
                with contextlib.suppress(TryAgain):
                    await count_up(store, random.sample(NAMES, 20), LOGS, at)
                    left -= 1

        async with self.opened() as one, self.opened() as two:
            async with asyncio.TaskGroup() as tasks:
                for writer in range(6):
                    tasks.create_task(work((one, two)[writer % 2], f"w{writer}"))
            assert await check_counts(one, LOGS) == 6 * 12 * 20

    async def test_steps_that_would_wait_for_each_other_all_come_through(self) -> None:
        """Each goes over the same things, one by one, in an order of its own: nothing that a lock order could sort."""

        async def work(store: SqlStore, order: Sequence[int]) -> None:
            while True:
                try:
                    async with store.transaction() as tx:
                        policy = await tx.policy()
                        for number in order:
                            await tx.load(Reads().update(THING, (a_thing(number),)), policy)
                        await append_in(tx, 1)
                        return
                except TryAgain:
                    await asyncio.sleep(0)

        async with self.opened() as one, self.opened() as two, asyncio.timeout(WITHIN_S):
            async with asyncio.TaskGroup() as tasks:
                for writer in range(6):
                    tasks.create_task(work((one, two)[writer % 2], random.sample(range(12), 12)))
            assert seqs(await rows_of_log(one)) == [1, 2, 3, 4, 5, 6]

    async def test_what_was_committed_is_read_by_another_process_at_once(self) -> None:
        async with self.opened() as store, self.a_writer("ro") as child:
            for _ in range(5):
                position = await self.next_number(child)
                assert (await store.logs.head(LOGS[0])).seq >= position
                assert len(await rows_of_log(store, LOGS[0])) >= position

    async def test_a_watcher_hears_of_a_commit_of_another_process(self) -> None:
        async with self.opened() as watching, self.opened() as other:
            watch = watching.watch()
            await anext(watch)
            for expected in range(1, 6):
                await append(other, 1)
                async with asyncio.timeout(WITHIN_S):
                    while (await watching.logs.head(1)).seq < expected:
                        await anext(watch)
            await watch.aclose()

    # Policy

    async def test_a_change_of_policy_is_seen_by_every_process_at_its_commit(self) -> None:
        async with self.opened() as one, self.opened() as two:
            before = await two.policy()
            assert await two.policy() is before
            await add_centres(one, 2)
            after = await two.policy()
            assert after.number > before.number
            assert [centre.name for centre in after.sources.values()] == ["c1", "c2"]

    async def test_a_change_of_policy_is_carried_out_in_bounded_steps_over_what_it_concerns(self) -> None:
        claims = [a_claim(name, centre) for centre in (1, 2) for name in range(25)]
        for change, expected in ((GroupRemoved("g"), claims), (SourceSuspended("c2", 2, True), claims[25:])):
            async with self.opened() as store:
                await self.write(store, Writes(claims=claims))
                async with store.registry.change() as directory:
                    await directory.record(change, START_US)
                found = [keys async for keys in self._recomputed(store, limit=10)]
                assert all(len(keys) <= 10 for keys in found)
                assert [key for keys in found for key in keys] == sorted(claim.key for claim in expected)

    async def test_a_log_of_a_members_rejections_begins_with_the_first_and_is_one(self) -> None:
        async def log_of_member(store: SqlStore) -> int:
            async with store.transaction() as tx:
                asked = Reads().update(REJECTIONS_LOG, (1, 2))
                found = (await tx.load(asked, await tx.policy())).of(REJECTIONS_LOG)
                assert found.keys() == {1, 2}
                await append_in(tx, 1, found[2])
            return int(found[2])

        async with self.opened() as one, self.opened() as two:
            await add_centres(one, 1)
            async with one.registry.change() as directory:
                await add_member(directory, "m2", accredited_by=1)
                await directory.record(PrincipalChanged("m2", "member", "add", {}), START_US)
            before = await one.logs.ends()
            assert await one.logs.number("rejections.m2") is None
            (no,) = set(await asyncio.gather(*(log_of_member(store) for store in (one, two, one, two))))
            assert await two.logs.number("rejections.m2") == no
            assert (await two.logs.head(no)).seq == 4
            assert await one.logs.ends() == before, "nobody but the member reads it"

    async def test_a_change_of_recipients_is_carried_out_over_a_centres_claims_and_those_of_its_members(self) -> None:
        claims = [a_claim(name, source) for name in range(5) for source in (1, 2, 3, 4)]
        async with self.opened() as store:
            await add_centres(store, 2)
            async with store.registry.change() as directory:
                await add_member(directory, "m3", accredited_by=2)
                await add_member(directory, "m4", accredited_by=1)
                await directory.record(SourceChanged("c2", 2, ["amber_to"], {}), START_US)
            await self.write(store, Writes(claims=claims))
            found = [key async for keys in self._recomputed(store, limit=4) for key in keys]
            assert found == sorted(claim.key for claim in claims if claim.source in (2, 3))

    async def test_a_task_covers_what_there_was_at_its_start_in_the_order_of_the_keys(self) -> None:
        """Which depends on nothing else. What comes after the start was judged by the new policy."""
        names = [f"claim {number}" for number in random.sample(range(100), 6)]
        async with self.opened() as store:
            for name in names:
                await self.write(store, Writes(claims=[a_claim(name)]))
            await self.write(store, Writes(claims=[a_claim(names[0])]))
            async with store.registry.change() as directory:
                await directory.record(GroupRemoved("g"), START_US)
            found: list[ClaimKey] = []
            async for keys in self._recomputed(store, limit=2):
                if not found:
                    await self.write(store, Writes(claims=[a_claim("late"), a_claim(names[1])]))
                found.extend(keys)
            assert found == sorted(a_claim(name).key for name in names)

    async def test_a_task_covers_first_what_others_refer_to(self) -> None:
        types = ("report", "relationship", "x-case", "identity", "indicator", "sighting", "note", "location")
        claims = [replace(a_claim(f"{kind} {number}"), type=kind) for kind in types for number in range(3)]
        for kind, limit in ((None, 1), (None, 5), ("indicator", 2)):
            async with self.opened() as store:
                await self.write(store, Writes(claims=claims))
                async with store.transaction() as tx:
                    due = DueTask(1, Recompute(type=kind), b"", START_US, until=len(claims))
                    pages = [await tx.page(due, b"", limit)]
                    while (after := pages[-1].cursor) is not None:
                        pages.append(await tx.page(due, after, limit))
                found = [key for page in pages for key in page.keys]
                covered = [claim for claim in claims if kind in (None, claim.type)]
                assert found == [claim.key for claim in sorted(covered, key=lambda one: (fill_part(one.type), one.key))]

    async def test_how_far_a_task_is_can_be_read_meanwhile_and_is_kept(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(claims=[a_claim(name) for name in range(25)]))
            async with store.registry.change() as directory:
                await directory.record(CollectionAdded("c", 1, {}), START_US)
            (begun,) = await store.progress()
            assert (begun.task, begun.done, begun.total) == (Recompute(collection=1), 0, None)
            assert (begun.per_s, begun.left_s) == (None, None)
            steps = self._recomputed(store, limit=10)
            await anext(steps)
            async with self.opened() as other:
                (now,) = await other.progress()
            assert (now.task, now.done, now.total) == (Recompute(collection=1), 10, 25)
            assert (now.per_s, now.left_s) == (10.0, 2)  # the step says that it took a second
            assert [len(keys) async for keys in steps] == [10, 5]
            assert await store.progress() == []

    async def test_an_operators_change_gets_its_turn_while_a_worker_has_much_to_do(self) -> None:
        """The worker takes no pause between its steps, so that whoever asks only now and then hardly ever finds one."""
        steps, asked, most, stop = 0, 0, 20, asyncio.Event()

        def another_step() -> bool:
            return steps > asked

        async def work(store: SqlStore) -> None:
            nonlocal steps
            while not stop.is_set():
                async with store.transaction() as tx:
                    policy = await tx.policy()
                    for number in range(20):
                        await tx.load(Reads().update(THING, (a_thing(number),)), policy)
                steps += 1

        async with self.opened() as working, self.opened() as operating, asyncio.TaskGroup() as tasks:
            tasks.create_task(work(working))
            try:
                for _ in range(6):
                    await until(another_step, what="another step of the worker")
                    asked = steps
                    async with operating.registry.change():
                        assert steps - asked < most
            finally:
                stop.set()

    async def _recomputed(self, store: SqlStore, limit: int) -> AsyncIterator[Sequence[ClaimKey]]:
        """What each step looks at again, until nothing is left."""
        while (due := await self._next_recompute(store)) is not None:
            async with store.transaction() as tx:
                keys = await self._recompute(tx, due, limit)
            yield keys

    async def _next_recompute(self, store: SqlStore) -> DueTask | None:
        return next((one for one in await store.due(START_US) if isinstance(one.task, Recompute)), None)

    async def _recompute(self, tx: Transaction, due: DueTask, limit: int) -> Sequence[ClaimKey]:
        """One step, as a worker does it."""
        if due.until is None:
            await tx.alone()
        assert await tx.take(due)
        if due.until is None:
            due = await tx.start(due, START_US)
        page = await tx.page(due, due.cursor, limit)
        await tx.move(due, page.cursor)
        await tx.note(due, len(page.keys), START_US + 1_000_000)
        return page.keys

    async def test_a_step_of_a_task_that_failed_is_done_again(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(claims=[a_claim(name) for name in range(5)]))
            async with store.registry.change() as directory:
                await directory.record(GroupRemoved("g"), START_US)
            tried: list[object] = []
            for _ in range(2):
                due = await self._next_recompute(store)
                assert due is not None
                with pytest.raises(ZeroDivisionError):
                    await self._fail_in_a_step(store, due, tried)
            assert tried[0] == tried[1] is not None

    async def _fail_in_a_step(self, store: SqlStore, due: DueTask, tried: list[object]) -> None:
        async with store.transaction() as tx:
            tried.append(await self._recompute(tx, due, 3))
            raise ZeroDivisionError

    async def test_a_task_passes_over_nothing_that_a_step_under_the_policy_before_adds(self) -> None:
        """That step has read the policy and is slow; meanwhile the operator changes it and workers carry that out."""
        found: list[ClaimKey] = []
        read, go_on = asyncio.Event(), asyncio.Event()

        async def slow_step(store: SqlStore) -> None:
            async with store.transaction() as tx:
                await tx.policy()
                read.set()
                await go_on.wait()
                await tx.write(Writes(claims=[a_claim("late")]))

        async def change_and_recompute(store: SqlStore) -> None:
            async with store.registry.change() as directory:
                await directory.record(GroupRemoved("g"), START_US)
            async for keys in self._recomputed(store, limit=10):
                found.extend(keys)

        async with self.opened() as one, self.opened() as two, asyncio.TaskGroup() as tasks:
            tasks.create_task(slow_step(one))
            await read.wait()
            working = tasks.create_task(change_and_recompute(two))
            await until(lambda: self.done_or_waits(working), what="a task that waits for the step")
            go_on.set()
        assert found == [a_claim("late").key]

    async def test_tasks_are_due_at_their_time_and_are_taken_by_one_worker(self) -> None:
        async with self.opened() as one, self.opened() as two:
            await self.write(one, Writes(tasks=[TakeTurns(1, an_id("a")), TakeTurns(1, an_id("b"))], time_us=7))
            await self.write(one, Writes(cancelled=[TakeTurns(1, an_id("b"))]))
            (due,) = [task for task in await one.due(START_US) if isinstance(task.task, TakeTurns)]
            async with one.transaction() as tx:
                assert (due.task, due.time_us, due.cursor) == (TakeTurns(1, an_id("a")), 7, b"")
                assert await tx.take(due)
                await tx.move(due, b"k")
            async with two.transaction() as tx:
                assert not await tx.take(due), "it has come further meanwhile"
            async with two.transaction() as tx:
                assert (await tx.load(Reads().update(TURNS, (None,)), await tx.policy())).of(TURNS) == {
                    None: {(1, an_id("a")): b"k"}
                }
                (further,) = [task for task in await two.due(START_US) if isinstance(task.task, TakeTurns)]
                assert await tx.take(further)
                await tx.move(further, None)
            assert [task for task in await two.due(START_US) if isinstance(task.task, TakeTurns)] == []

    async def test_the_date_is_set_at_midnight_and_again_at_the_next(self) -> None:
        midnight_us = midnight_after(START_US)
        async with self.opened() as store:
            assert not await store.due(midnight_us - 1)
            for days in (0, 3):  # a worker that was away sets the date once
                now_us = midnight_us + days * DAY_US
                (due,) = [one for one in await store.due(now_us) if one.task == SetDate()]
                async with store.transaction() as tx:
                    assert await tx.take(due)
                    await tx.set_date(due, now_us)
                today = (await store.policy()).today
                assert today is not None
                assert today.isoformat() == stix_time(now_us)[:10]
                assert [one.task for one in await store.due(now_us + DAY_US - 1)] == [RecomputeDue(), DropVersions()]

    async def test_a_released_object_is_taken_up_once(self) -> None:
        held = Held(0, 1, an_id("a"), "list.hit", "some list", "why", b"{}", b"\0" * 24, None, 0, START_US)
        taken: list[int] = []

        async def take_up(store: SqlStore) -> None:
            async with store.transaction() as tx:
                found = await tx.released(10)
                await tx.policy()
                await tx.write(Writes(released=[one.no for one in found]))
                taken.extend(one.no for one in found)

        async with self.opened() as one, self.opened() as two:
            await self.write(one, Writes(held=[held, replace(held, stix_id=an_id("b"))]))
            async with one.begin() as conn:
                await conn.execute(update(t.held).where(t.held.c.no == 1).values(state="released"))
            async with asyncio.TaskGroup() as tasks:
                for worker in range(4):
                    tasks.create_task(take_up((one, two)[worker % 2]))
            assert taken == [1]
            assert await two.intake.waiting() == 1
            assert await two.intake.released(()) == {1: b"{}"}
            assert await two.intake.released((1,)) == {}

    async def test_a_breaker_is_counted_by_one_step_after_the_other(self) -> None:
        """Two steps of one source, on different claims, each of which reads what the other has written or nothing."""

        async def take_one_back(store: SqlStore) -> None:
            async with store.transaction() as tx:
                asked = Reads().update(BREAKER, (1,))
                state = (await tx.load(asked, await tx.policy())).of(BREAKER)[1].state
                taken = sum(one.taken for one in state.minutes) + 1
                await tx.write(Writes(breakers={1: BreakerState((Minute(1, taken, 0),))}, live={1: 1}))

        async with self.opened() as one, self.opened() as two:
            async with asyncio.TaskGroup() as tasks:
                for worker in range(6):
                    tasks.create_task(take_one_back((one, two)[worker % 2]))
            async with one.transaction() as tx:
                found = (await tx.load(Reads().update(BREAKER, (1,)), await tx.policy())).of(BREAKER)[1]
            assert found == (BreakerState((Minute(1, 6, 0),)), 6)

    async def test_what_the_breaker_held_is_released_as_it_was_and_tells_lists_nothing(self) -> None:
        held = Held(
            0, 1, an_id("a"), Code.BREAKER_MASS_WITHDRAWAL, "", "why", b"", b"\0" * 24, None, 0, START_US,
            withdrawal=Withdrawal.STANDS,
        )  # fmt: skip
        async with self.opened() as store:
            await self.write(store, Writes(held=[held]))
            async with store.begin() as conn:
                await conn.execute(update(t.held).values(state="released"))
            async with store.transaction() as tx:
                assert await tx.released(10) == [replace(held, no=1)]
            assert await store.intake.released(()) == {}

    async def test_rejections_have_a_log_of_their_own(self) -> None:
        async with self.opened() as store:
            await add_centres(store, 2)
            centre = next(c for c in (await store.policy()).sources.values() if c.name == "c2")
            async with store.transaction() as tx:
                asked = Reads().update(REJECTIONS_LOG, (centre.no,))
                log = (await tx.load(asked, await tx.policy())).of(REJECTIONS_LOG)[centre.no]
            assert await store.logs.number("rejected.c2") == log
