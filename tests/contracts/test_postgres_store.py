"""The store on PostgreSQL keeps the port's promises, and a few of its own: a server that goes away, crowded locks."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from hub.model.errors import Broken, Refused, TryAgain
from hub.model.reads import REPLACED, THING, UNDER_ID, Reads
from hub.model.words import StixId, Topic, TopicPartition
from hub.model.writes import Writes
from hub.store.port import Transaction
from hub.store.postgres import PostgresStore, open_postgres
from hub.store.postgres_errors import LockTableFull
from hub.store.sql import SqlStore
from tests.contracts.store import StoreContract
from tests.contracts.store_values import (
    START_US,
    a_change,
    a_claim,
    a_thing,
    append,
    check_counts,
    count_up,
    head_after,
)
from tests.contracts.store_writer import LOGS, NAMES
from tests.servers.postgres import PostgresServer, speaks_tls
from tests.waiting import WITHIN_S, until

WAITING = """
select count(*) from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database()
"""

END_STEPS = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where application_name = 'ctihub' and datname = current_database() and state like 'idle in transaction%'
"""


class TestPostgresStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, own_postgres: PostgresServer, own_postgres_url: str) -> None:
        self.server, self.url = own_postgres, own_postgres_url

    async def address(self) -> dict[str, str]:
        return {"url": self.url}

    async def someone_waits(self) -> bool:
        return bool(await self.ask(WAITING))

    async def ask(self, sql: str) -> object:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async def revive(self) -> None:
        """Start the server again."""
        await asyncio.to_thread(self.server.restart)

    async def test_steps_survive_kill_9_of_the_server_whole_or_not_at_all(self) -> None:
        """Two processes go on working while the server dies and comes back, three times."""
        acknowledged = {"ro": 0, "it": 0}
        async with self.opened() as store, self.a_writer("ro") as ro, self.a_writer("it") as it:
            for _ in range(3):
                for _ in range(random.randrange(3, 15)):
                    acknowledged["ro"] = await self.next_number(ro)
                    acknowledged["it"] = await self.next_number(it)
                self.server.kill()
                await self.revive()
                await self._check(store, acknowledged)
            for child in (ro, it):
                assert await self.next_number(child)

    async def test_a_server_that_is_away_is_said_at_once_and_found_again(self) -> None:
        async with self.opened() as store:
            await append(store, 1)
            self.server.kill()
            for _ in range(3):
                async with asyncio.timeout(WITHIN_S):
                    assert not await store.ready()
                    with pytest.raises(TryAgain):
                        await append(store, 1)
                    with pytest.raises(TryAgain):
                        await store.logs.ends()
            await self.revive()
            await until(store.ready)
            await append(store, 1)
            assert (await store.logs.head(1)).seq == 2

    async def test_a_step_whose_server_dies_in_the_middle_is_tried_again(self) -> None:
        async with self.opened() as store:
            for moment in range(3):
                with pytest.raises(TryAgain):
                    await self._append_while_the_server_dies(store, moment)
                await self.revive()
                await until(store.ready)
            await append(store, 1)
            assert (await store.logs.head(1)).seq == 1

    async def _append_while_the_server_dies(self, store: SqlStore, moment: int) -> None:
        async with store.transaction() as tx:
            policy = await tx.policy()
            await self._at(0, moment)
            await tx.load(Reads().update(THING, (a_thing(1),)), policy)
            await self._at(1, moment)
            await tx.heads([1])
            await tx.write(Writes(claims=[a_claim(name) for name in range(1000)]))
            await self._at(2, moment)

    async def _at(self, now: int, moment: int) -> None:
        if now == moment:
            self.server.kill()

    async def test_a_watcher_goes_on_over_times_when_the_server_is_away(self) -> None:
        async with self.opened() as store:
            watch = store.watch()
            await anext(watch)
            self.server.kill()
            await anext(watch)
            await self.revive()
            await until(store.ready)
            await append(store, 1)
            async with asyncio.timeout(WITHIN_S):
                while (await store.logs.head(1)).seq < 1:
                    await anext(watch)
            await watch.aclose()

    async def test_a_notification_wakes_a_watcher_before_it_would_look_by_itself(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.store.postgres.POLL_S", 10 * WITHIN_S)
        async with asyncio.timeout(WITHIN_S), self.opened() as watching, self.opened() as other:
            watch = watching.watch()
            await anext(watch)
            for _ in range(10):
                await append(other, 1)
                await anext(watch)
            await watch.aclose()

    async def test_a_frozen_worker_in_the_middle_of_a_step_cannot_write_after_another_has(self) -> None:
        """It wakes after its transaction was ended, and finds out: what it had in hand is stale."""
        async with self.opened() as store, self.a_writer("ro") as child:
            await self.next_number(child)
            async with self._frozen(child):
                await self.ask(END_STEPS)  # rather than wait for idle_in_transaction_session_timeout
                at = TopicPartition(Topic("intake.ro"), 0)
                for _ in range(5):
                    await count_up(store, NAMES[:3], LOGS, at)
            position = (await store.positions([at]))[at]
            while await self.next_number(child) <= position:
                pass
        async with self.opened() as store:
            await check_counts(store, LOGS)

    @asynccontextmanager
    async def _frozen(self, child: asyncio.subprocess.Process) -> AsyncIterator[None]:
        os.kill(child.pid, signal.SIGSTOP)
        yield
        os.kill(child.pid, signal.SIGCONT)

    # Locks

    async def test_a_step_with_too_much_to_lock_is_repeated_alone(self) -> None:
        claims = [a_claim(name) for name in range(50)]
        reads = Reads().update(REPLACED, [claim.key for claim in claims])
        async with self.opened() as store:
            assert isinstance(store, PostgresStore)
            store.room.most_names = 20
            with pytest.raises(LockTableFull):
                await self._load(store, reads)
            await self._load(store, reads)
            store.room.alone_for = 0
            with pytest.raises(LockTableFull):
                await self._load(store, reads)

    async def _load(self, store: SqlStore, reads: Reads) -> None:
        async with store.transaction() as tx:
            await tx.load(reads, await tx.policy())

    async def test_a_server_whose_table_of_locks_is_full_has_the_step_repeated_alone(self) -> None:
        """More names at once than the whole table holds, so that the server itself says so."""
        async with self.opened() as store:
            assert isinstance(store, PostgresStore)
            store.room.most_names = 10_000_000
            reads = Reads().update(THING, [a_thing(name) for name in range(150_000)])
            with pytest.raises(LockTableFull):
                await self._load(store, reads)
            await self._load(store, Reads().update(THING, (a_thing(1),)))
            assert store.room.alone_for > 0

    async def test_steps_on_different_things_do_not_wait_for_each_other(self) -> None:
        async def step(tx: Transaction, name: str) -> None:
            policy = await tx.policy()
            await tx.load(Reads().update(REPLACED, (a_claim(name).key,)), policy)
            await tx.load(Reads().update(THING, (a_thing(name),)).update(UNDER_ID, (a_claim("shared").id,)), policy)

        async with (
            self.opened() as store,
            asyncio.timeout(WITHIN_S),
            store.transaction() as one,
            store.transaction() as two,
        ):
            await step(one, "a")
            await step(two, "b")

    async def test_a_step_sees_what_another_wrote_while_it_waited_for_it(self) -> None:
        seen: list[bytes] = []

        async def late(store: SqlStore) -> None:
            async with store.transaction() as tx:
                policy = await tx.policy()
                found = await tx.load(Reads().update(THING, (a_thing("a"),)), policy)
                seen.extend(claim.body for claim in found.of(THING)[a_thing("a")].claims)

        async with self.opened() as store, asyncio.TaskGroup() as tasks, store.transaction() as tx:
            await tx.load(Reads().update(THING, (a_thing("a"),)), await tx.policy())
            task = tasks.create_task(late(store))
            await until(lambda: self.done_or_waits(task), what="the other to wait")
            await tx.write(Writes(claims=[a_claim("a", said="new")]))
        assert seen == [b"new"]

    # Coming in

    async def test_an_address_that_nobody_listens_at_is_tried_again(self) -> None:
        with pytest.raises(TryAgain):
            await open_postgres("postgresql://x:y@127.0.0.1:1/z", now_us=START_US)

    async def test_a_wrong_password_and_a_wrong_database_are_for_the_operator(self) -> None:
        for url in (self.url.replace("only-for-tests", "guess"), self.url + "-not"):
            with pytest.raises(Broken) as caught:
                await open_postgres(url, now_us=START_US)
            assert "only-for-tests" not in str(caught.value)

    @pytest.mark.parametrize("more", ["?sslmode=sometimes", "?target=x", "?sslmode=verify-full&sslrootcert=/none"])
    async def test_a_url_that_makes_no_sense_is_for_the_operator(self, more: str) -> None:
        with pytest.raises(Broken, match="DATABASE_URL"):
            await open_postgres(self.url + more, now_us=START_US)

    async def test_the_server_s_certificate_is_looked_at_when_the_url_says_so(self) -> None:
        if not speaks_tls():
            with pytest.raises(TryAgain, match="SSL"):
                await open_postgres(self.url + "?sslmode=require", now_us=START_US)
            return
        verified = f"{self.url}?sslmode=verify-full&sslrootcert={self.server.at.ca_file}"
        await (await open_postgres(verified, now_us=START_US)).close()
        with pytest.raises(Broken, match="not trusted"):
            await open_postgres(f"{self.url}?sslmode=verify-full", now_us=START_US)

    # What PostgreSQL's text cannot hold

    async def test_a_name_with_a_null_character_names_nothing(self) -> None:
        async with self.opened() as store:
            with pytest.raises(Refused):
                await store.things.views_under(StixId("\0"), [1])

    async def test_many_rows_with_odd_texts_are_written(self) -> None:
        changes = [a_change(seq, f"\0{seq}") for seq in range(1, 400)]
        odd = [a_change(change.seq, object_id=f"x\0{change.seq}") for change in changes]
        async with self.opened() as store:
            await self.write(store, Writes(changes=odd, heads=head_after(odd)))
            assert (await store.logs.head(1)).seq == 399
