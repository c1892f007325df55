"""The promises of ``hub/store/port.py``, each a test. An adapter's suite says how to open one, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal

import pytest

from hub.model.errors import TryAgain
from hub.model.policy import LOG_OF_NOBODY
from hub.model.words import Seq, Topic, TopicPartition
from hub.model.writes import ReceiptCounts, Writes
from hub.store.port import LogEnd
from hub.store.sql import SqlStore
from hub.store.transaction import Stale
from tests.contracts.store_at_once import StoreAtOnce
from tests.contracts.store_content import StoreContent
from tests.contracts.store_journal import StoreJournal
from tests.contracts.store_looked_up import StoreLookedUp
from tests.contracts.store_suite import seqs
from tests.contracts.store_values import (
    INTAKE,
    a_claim,
    a_thing,
    a_view,
    an_id,
    append,
    append_in,
    check_counts,
)
from tests.contracts.store_versions import StoreVersions
from tests.contracts.store_webhooks import StoreWebhooks
from tests.contracts.store_writer import LOGS
from tests.stores import rows_of_log
from tests.waiting import WITHIN_S, until


class StoreContract(StoreContent, StoreVersions, StoreLookedUp, StoreAtOnce, StoreJournal, StoreWebhooks):
    """One test per promise."""

    # Opening

    async def test_a_new_store_has_the_built_in_groups_and_collections(self) -> None:
        async with self.opened() as store:
            policy = await store.policy()
            assert [c.name for c in policy.collections.values()] == ["public", "community", "network"]
            names = {no: f"collection.{c.name}" for no, c in policy.collections.items()} | {4: LOG_OF_NOBODY}
            assert await store.logs.ends() == {no: LogEnd(name, Seq(0)) for no, name in names.items()}
            assert await store.ready()

    async def test_processes_that_open_a_new_store_at_once_find_one_hub(self) -> None:
        stores: list[SqlStore] = []

        async def open_one() -> None:
            stores.append(await self.open())

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(open_one())
        policies = [await store.policy() for store in stores]
        assert len({policy.namespace for policy in policies}) == 1
        assert {len(policy.collections) for policy in policies} == {3}
        for store in stores:
            await store.close()

    async def test_what_was_written_is_there_when_the_store_is_opened_again(self) -> None:
        async with self.opened() as store:
            await append(store, 3)
            before = await store.policy()
        async with self.opened() as store:
            assert seqs(await rows_of_log(store)) == [1, 2, 3]
            assert (await store.policy()).namespace == before.namespace

    # A transaction is whole or absent

    async def test_an_exception_leaves_nothing_of_a_transaction(self) -> None:
        async with self.opened() as store:
            with pytest.raises(ZeroDivisionError):
                await self._fail_after_writing(store)
            assert await store.positions([INTAKE]) == {}
            assert await rows_of_log(store) == []
            assert (await store.logs.head(1)).seq == 0
            assert await store.things.claims_about([a_thing(1)]) == []
            assert await store.things.claims_under([an_id(1)]) == []
            assert await store.intake.counts() == {}

    async def _fail_after_writing(self, store: SqlStore) -> None:
        async with store.transaction() as tx:
            await tx.policy()
            await tx.advance({INTAKE: 0}, {INTAKE: 5}, 1)
            await tx.write(Writes(claims=[a_claim(1)], views=[a_view(1)], counts={1: ReceiptCounts(1)}))
            await append_in(tx, 2)
            raise ZeroDivisionError

    async def test_a_cancelled_step_leaves_nothing_and_holds_nothing_up(self) -> None:
        async def step(store: SqlStore, begun: asyncio.Event) -> None:
            async with store.transaction() as tx:
                await tx.policy()
                await append_in(tx, 2)
                begun.set()
                await asyncio.Event().wait()

        async with self.opened() as store:
            begun = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(step(store, begun))
                await begun.wait()
                task.cancel()
            async with asyncio.timeout(WITHIN_S):
                await append(store, 1)
            assert seqs(await rows_of_log(store)) == [1]

    async def test_steps_survive_kill_9_whole_or_not_at_all(self) -> None:
        """Two real processes work on the same claims; each is killed at a random moment and followed by another."""
        async with self.opened() as store:
            await append(store, 0)
            acknowledged = {"ro": 0, "it": 0}
            for _ in range(4):
                async with asyncio.TaskGroup() as tasks:
                    for name in acknowledged:
                        tasks.create_task(self._work_until_killed(name, acknowledged))
                await self._check(store, acknowledged)

    async def _check(self, store: SqlStore, acknowledged: dict[str, int]) -> None:
        await until(lambda: self._readable(store), what="the store to answer")
        await check_counts(store, LOGS)
        for name, position in acknowledged.items():
            at = TopicPartition(Topic(f"intake.{name}"), 0)
            assert (await store.positions([at])).get(at, 0) >= position

    async def _readable(self, store: SqlStore) -> bool:
        try:
            await store.logs.ends()
        except TryAgain:
            return False
        return True

    async def _work_until_killed(self, name: str, acknowledged: dict[str, int], steps: int = 25) -> None:
        async with self.a_writer(name) as child:
            for _ in range(random.randrange(1, steps)):
                acknowledged[name] = await self.next_number(child)
            os.kill(child.pid, signal.SIGKILL)
            rest = (await child.stdout.read()).split(b"\n")[:-1] if child.stdout else []
            acknowledged[name] = int(rest[-1]) if rest else acknowledged[name]

    # Positions

    async def test_positions_move_with_the_commit(self) -> None:
        other = TopicPartition(Topic("intake.it"), 3)
        async with self.opened() as store:
            async with store.transaction() as tx:
                await tx.advance({INTAKE: 0, other: 7}, {INTAKE: 5, other: 9}, 1)
            assert await store.positions([INTAKE, other, TopicPartition(Topic("intake.nobody"), 0)]) == {
                INTAKE: 5,
                other: 9,
            }
            assert await store.positions([other]) == {other: 9}

    @pytest.mark.parametrize("start", [0, 4, 6])
    async def test_a_batch_that_does_not_begin_at_the_position_is_stale(self, start: int) -> None:
        async with self.opened() as store:
            async with store.transaction() as tx:
                await tx.advance({INTAKE: 0}, {INTAKE: 5}, 1)
            with pytest.raises(Stale):
                async with store.transaction() as tx:
                    await tx.advance({INTAKE: start}, {INTAKE: 9}, 1)
            assert await store.positions([INTAKE]) == {INTAKE: 5}

    @pytest.mark.parametrize("before", [0, 5])
    async def test_of_workers_with_one_batch_one_carries_it(self, before: int) -> None:
        carried: list[int] = []

        async def carry(store: SqlStore, worker: int) -> None:
            with contextlib.suppress(Stale):
                async with store.transaction() as tx:
                    await tx.policy()
                    await tx.advance({INTAKE: before}, {INTAKE: before + 3}, 1)
                    await append_in(tx, 3)
                carried.append(worker)

        async with self.opened() as one, self.opened() as two:
            if before:
                async with one.transaction() as tx:
                    await tx.advance({INTAKE: 0}, {INTAKE: before}, 1)
            async with asyncio.TaskGroup() as tasks:
                for worker in range(6):
                    tasks.create_task(carry((one, two)[worker % 2], worker))
            assert len(carried) == 1
            assert seqs(await rows_of_log(one)) == [1, 2, 3]

    # Away

    async def test_a_closed_store_opens_again(self) -> None:
        for _ in range(3):
            async with self.opened() as store:
                await append(store, 1)
        async with self.opened() as store:
            assert seqs(await rows_of_log(store)) == [1, 2, 3]
