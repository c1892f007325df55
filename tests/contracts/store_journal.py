"""The journal of reads: see ``hub/store/journal_port.JournalStore``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sqlalchemy import insert, select

from hub.model.journal import ANONYMOUS, KEPT_ENTRIES, KEPT_US, FetchedUpTo, JournalBatch, JournalEntry
from hub.model.tokens import StoredToken
from hub.model.words import Seq
from hub.store.journal_tables import fetched
from hub.store.sql import SqlStore
from hub.store.token_tables import tokens
from tests.contracts.store_suite import StoreSuite
from tests.contracts.store_values import START_US, add_centres
from tests.waiting import until

RO, IT = 1, 2


def an_entry(
    no: int, reader: int = RO, at_us: int | None = None, reached: int = 7, *, advances: bool = False
) -> JournalEntry:
    at_us = START_US + no if at_us is None else at_us
    key = f"{reader:016x}{no:016x}" if advances else ""
    return JournalEntry(
        key, reader, at_us, START_US, "taxii", "public", "objects/?limit=5",
        Seq(2), Seq(reached), 5, 1 << 40, 200, "siem/1.0 \u00e9 \"x\"", "2001:db8::1", "siem",
    )  # fmt: skip


def batch(*entries: JournalEntry, fetched: Iterable[FetchedUpTo] = (), crowded: Iterable[int] = ()) -> JournalBatch:
    return JournalBatch(entries, tuple(fetched), frozenset(crowded))


class StoreJournal(StoreSuite):
    """One test per promise."""

    async def _readers(self, store: SqlStore) -> None:
        await add_centres(store, 2)

    async def test_an_entry_is_there_for_every_process_and_is_replaced_by_its_key(self) -> None:
        async with self.opened() as store, self.opened() as other:
            await self._readers(store)
            one = an_entry(1, advances=True)
            for _ in range(2):
                await store.journal.write(batch(one, an_entry(2, IT)))
            (found,) = await other.journal.entries(RO, limit=10)
            assert found == one
            await other.journal.write(batch(an_entry(1, at_us=START_US + 9, reached=8, advances=True)))
            assert [(e.reader, e.reached) for e in await store.journal.entries(None, limit=10)] == [(RO, 8), (IT, 7)]

    async def test_entries_of_a_door_that_advance_are_found_without_the_others(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            advancing = an_entry(1, advances=True)
            await store.journal.write(batch(an_entry(2), advancing))
            for door, found in (("taxii", [advancing]), ("kafka", [])):
                assert await store.journal.entries(None, limit=9, advancing_through=door) == found

    async def test_the_newest_entries_are_found_however_they_were_written(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            for first in range(60):  # entries of all batches are interleaved
                parts = (an_entry(no, RO if first % 2 else IT) for no in range(first, 600, 60))
                await store.journal.write(batch(*parts, an_entry(1_000 + first, advances=True)))
            for limit in (1, 7, 70, 120, 1_000):
                found = [e.at_us - START_US for e in await store.journal.entries(None, limit=limit)]
                assert found == [*range(1_059, 999, -1), *range(599, -1, -1)][:limit]
            assert len(await store.journal.entries(IT, limit=1_000)) == 300

    async def test_answers_that_differ_only_in_their_times_are_entries_of_their_own(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            times = [(START_US + no, START_US + no - 2) for no in (7, 6, 4)]
            same = an_entry(7)._replace(began_us=START_US + 5, older_times=tuple(times[1:]))
            for _ in range(2):
                await store.journal.write(batch(same, an_entry(5)))
            found = await store.journal.entries(RO, limit=10)
            assert [e.at_us - START_US for e in found] == [7, 6, 5, 4]
            of_same = [e for e in found if e.at_us != START_US + 5]
            assert of_same == [an_entry(7)._replace(at_us=at_us, began_us=began_us) for at_us, began_us in times]
            assert [e.at_us - START_US for e in await store.journal.entries(RO, limit=2)] == [7, 6]

    async def test_answers_that_differ_only_in_their_times_count_singly_for_a_crowded_reader(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            for part in range(3):
                older = tuple((START_US + part * 500 + no, START_US) for no in range(499, 0, -1))
                await store.journal.write(batch(an_entry(part * 500 + 500)._replace(older_times=older)))
            await store.journal.write(batch(an_entry(5_000), crowded=[RO]))
            kept = await store.journal.entries(RO, limit=10_000)
            assert [e.at_us - START_US for e in kept] == [5_000, *range(1_500, 500, -1)]

    async def test_progress_never_goes_back(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            for reached, at_us in ((5, 10), (9, 20), (0, 30), (7, 15)):
                await store.journal.write(batch(fetched=[FetchedUpTo(RO, "", 1, "export", Seq(reached), at_us)]))
            await store.journal.write(batch(fetched=[FetchedUpTo(RO, "", 1, "taxii", Seq(1), 1)]))
            await store.journal.write(batch(fetched=[FetchedUpTo(ANONYMOUS, "", 1, "export", Seq(3), 2)]))
            assert await store.journal.fetched(RO) == [
                FetchedUpTo(RO, "", 1, "export", Seq(9), 30), FetchedUpTo(RO, "", 1, "taxii", Seq(1), 1),
            ]  # fmt: skip
            assert len(await store.journal.fetched(None)) == 3

    async def test_the_oldest_entries_of_a_crowded_reader_are_deleted_and_nobody_elses(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            for part in range(13):
                entries = (an_entry(part * 100 + no) for no in range(100))
                await store.journal.write(batch(*entries, an_entry(1, IT, advances=True)))
            assert len(await store.journal.entries(RO, limit=10_000)) == KEPT_ENTRIES + 300
            await store.journal.write(batch(an_entry(5_000), crowded=[RO]))
            kept = await store.journal.entries(RO, limit=10_000)
            # whole rows: the last one has more than must be kept
            assert [e.at_us - START_US for e in kept] == [5_000, *range(1_299, 299, -1)]
            assert len(await store.journal.entries(IT, limit=10)) == 1

    async def test_entries_are_deleted_by_their_age(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            progress = [FetchedUpTo(RO, "", 1, "taxii", Seq(4), START_US)]
            await store.journal.write(batch(an_entry(1), an_entry(1, IT), fetched=progress))
            await store.journal.write(batch(an_entry(10)))
            await store.journal.prune(START_US + KEPT_US + 5)
            assert [e.at_us for e in await store.journal.entries(None, limit=10)] == [START_US + 10]
            assert await store.journal.fetched(None) == progress

    async def test_nothing_is_kept_of_a_reader_that_does_not_exist(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            gone = [FetchedUpTo(9, "", 1, "taxii", Seq(4), START_US)]
            await store.journal.write(batch(an_entry(1, 9), an_entry(1, ANONYMOUS), fetched=gone))
            assert [e.reader for e in await store.journal.entries(None, limit=10)] == [ANONYMOUS]
            assert await store.journal.fetched(None) == []

    async def _add_token(self, store: SqlStore) -> int:
        async with store.registry.change() as directory:
            await directory.tokens.add(RO, StoredToken(0, "c1", "siem"))
            return (await directory.snapshot()).tokens["c1.siem"].no

    async def _remove_token(self, store: SqlStore, token: int) -> None:
        async with store.registry.change() as directory:
            await directory.tokens.remove(token)

    async def test_progress_of_a_token_that_is_removed_is_that_of_its_principals_own(self) -> None:
        async with self.opened() as store:
            await self._readers(store)
            token = await self._add_token(store)
            await store.journal.write(batch(fetched=[FetchedUpTo(RO, "siem", 1, "stream", Seq(4), 5)]))
            assert [one.token for one in await store.journal.fetched(RO)] == ["siem"]
            await self._remove_token(store, token)
            ended = [FetchedUpTo(RO, "siem", 1, "stream", Seq(6), 8), FetchedUpTo(RO, "", 1, "stream", Seq(7), 7)]
            await store.journal.write(batch(an_entry(1), fetched=ended))
            assert [one.token for one in await store.journal.entries(RO, limit=1)] == ["siem"]
            await self._add_token(store)
            assert await store.journal.fetched(RO) == [FetchedUpTo(RO, "", 1, "stream", Seq(7), 8)]

    async def test_a_token_that_is_being_removed_gets_no_progress(self) -> None:
        async with self.opened() as store, self.opened() as other:
            await self._readers(store)
            token = await self._add_token(store)
            late = batch(fetched=[FetchedUpTo(RO, "siem", 1, "stream", Seq(4), 5)])
            async with asyncio.TaskGroup() as tasks, store.registry.change() as directory:
                await directory.tokens.remove(token)
                writing = tasks.create_task(other.journal.write(late))
                await until(lambda: self.done_or_waits(writing))
            assert [one.token for one in await store.journal.fetched(RO)] == [""]

    async def test_a_token_that_is_removed_while_its_progress_is_written_leaves_none(self) -> None:
        async with self.opened() as store, self.opened() as other:
            await self._readers(store)
            token = await self._add_token(store)
            async with asyncio.TaskGroup() as tasks, store.begin() as conn:  # as ``write`` does
                await conn.execute(select(tokens.c.no).with_for_update(read=True, key_share=True))
                await conn.execute(insert(fetched).values(FetchedUpTo(RO, "siem", 1, "stream", Seq(4), 5)._asdict()))
                removing = tasks.create_task(self._remove_token(other, token))
                await until(lambda: self.done_or_waits(removing))
            assert [one.token for one in await store.journal.fetched(RO)] == [""]
