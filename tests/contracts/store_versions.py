"""The store's promises on superseded versions: which of them are deleted, by age and by number, and what stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from hub.model.claims import Change
from hub.model.lifecycle import KeptVersions
from hub.model.words import Seq
from hub.model.writes import Writes
from hub.store import log_checks
from hub.store.port import Filter
from hub.store.sql import SqlStore
from tests.contracts.store_suite import StoreSuite, seqs
from tests.contracts.store_values import a_change, a_thing, a_view, an_id, head_after
from tests.stores import rows_of_log

_OWNED, _MERGED = "ab", "cd"


def histories(random: Random, count: int) -> Iterator[Change]:
    """Rows of a few objects that come, change and go, and come back: some under the same id, and others, which end with
    a last version, under a new one.
    """
    last: dict[str, Change] = {}
    for seq in range(1, count + 1):
        name = random.choice(_OWNED + _MERGED)
        before = last.get(name)
        alive = before is not None and not before.withdrawn
        goes = alive and random.random() < 0.2
        row = a_change(seq, name if name in _OWNED else (name, seq), withdrawn=goes, first=not alive)
        if goes and name in _OWNED:
            row = replace(row, body=b"")
        if before is not None and alive:
            row = replace(row, object_id=before.object_id, before=before.seq)
        last[name] = row
        yield row


class Kept:
    """What must be left of a log: by plain rules, over whole chains. A chain is an object's rows from when it comes to
    when it goes.
    """

    def __init__(self) -> None:
        self.chains: list[list[Change]] = []

    def add(self, row: Change) -> None:
        chain = next((each for each in self.chains if each[-1].seq == row.before), None)
        if chain is None:
            self.chains.append([row])
        else:
            chain.append(row)

    def drop(self, kept: KeptVersions) -> None:
        for chain in self.chains:
            versions = [row for row in chain if row.body]
            first = versions[0]
            if kept.since_us is not None:
                first = next((row for row in reversed(versions) if row.date_added_us < kept.since_us), first)
            if kept.number is not None:
                first = max(first, versions[-kept.number :][0], key=lambda row: row.seq)
            del chain[: chain.index(first)]

    @property
    def rows(self) -> list[int]:
        return sorted(row.seq for chain in self.chains for row in chain)

    def shown(self, which: str) -> list[int]:
        """The rows of what is shown: ``all`` that are kept, or the ``first`` of each."""
        chains = [chain for chain in self.chains if chain[-1].body and self._is_newest(chain)]
        return sorted(row.seq for chain in chains for row in (chain[:1] if which == "first" else chain))

    def _is_newest(self, chain: list[Change]) -> bool:
        return chain[0].seq == max(each[0].seq for each in self.chains if each[0].object_id == chain[0].object_id)


async def drop(store: SqlStore, kept: KeptVersions, limit: int = 100) -> int:
    """Delete in steps of ``limit`` rows; returns their number."""
    steps, more = 0, True
    while more:
        async with store.transaction() as tx:
            more = await tx.drop_versions(1, kept, limit)
        steps += 1
    return steps


class StoreVersions(StoreSuite):
    """One test per promise."""

    async def _write_rows(self, store: SqlStore, rows: Sequence[Change]) -> None:
        for row in rows:
            ends = row.withdrawn and not row.body
            view = a_view(
                row.object_id, thing=a_thing(row.object_id), object_id=row.object_id, seq=row.seq,
                alive=not row.withdrawn,
            )  # fmt: skip
            hidden = {(1, row.seq)} if ends else set()
            await self.write(store, Writes(changes=[row], views=[view], hidden=hidden, heads=head_after([row])))

    async def _note_edits(self, store: SqlStore, kept: KeptVersions, limit: int) -> None:
        """Delete: the log ends where it ended, and whoever keeps an answer from it can tell that it has changed."""
        before = await store.logs.head(1)
        await drop(store, kept, limit)
        after = await store.logs.head(1)
        assert (after.seq, after.date_us) == (before.seq, before.date_us)
        assert after.edits == (await store.logs.ends())[1].edits > before.edits
        await drop(store, kept, limit)
        assert await store.logs.head(1) == after, "nothing was there to delete"

    async def _of(self, store: SqlStore, *versions: str, ids: frozenset[str] = frozenset()) -> list[int]:
        return seqs(await rows_of_log(store, by=Filter(ids=ids, versions=versions)))

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_superseded_versions_are_deleted_and_the_last_of_each_object_stays(self, limit: int) -> None:
        """Object a has four versions, b one, and c is withdrawn after two."""
        rows = [
            a_change(1, "a"),
            a_change(2, "b"),
            a_change(3, "a", first=False, before=Seq(1)),
            a_change(4, "c"),
            a_change(5, "c", first=False, before=Seq(4)),
            a_change(6, "c", withdrawn=True, first=False, before=Seq(5), body=b""),
            a_change(7, "a", first=False, before=Seq(3)),
            a_change(8, "a", first=False, before=Seq(7)),
        ]
        async with self.opened() as store:
            await self._write_rows(store, rows)
            by_age = KeptVersions(since_us=rows[7].date_added_us)  # the last one is not that old
            await self._note_edits(store, by_age, limit)
            assert seqs(await rows_of_log(store)) == [2, 5, 6, 7, 8]
            assert await self._of(store, "all") == [2, 7, 8]
            assert await self._of(store, "first") == [2, 7]
            of_a = frozenset({an_id("a")})
            assert await self._of(store, "all", ids=of_a) == [7, 8]
            assert await self._of(store, "first", ids=of_a) == [7]
            assert (await store.logs.ends())[1].pruned == 7
            page = await store.logs.page(1, Seq(0), limit=9, limit_bytes=1 << 20)
            assert [page.has_gap(after) for after in (0, 2, 3, 4, 7)] == [True, True, True, False, False]
            gone = a_change(9, "a", withdrawn=True, first=False, before=Seq(8), body=b"")
            await self.write(store, Writes(changes=[gone], hidden={(1, Seq(9))}, heads=head_after([gone])))
            assert await self._of(store, "all") == [2]
            await drop(store, KeptVersions(since_us=gone.date_added_us + 1), limit)
            assert seqs(await rows_of_log(store)) == [2, 5, 6, 8, 9]
            assert (await store.logs.ends())[1].pruned == 8

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_of_each_object_so_many_versions_stay_and_the_oldest_is_the_first(self, limit: int) -> None:
        """Object a has four versions, b one, and c is withdrawn after three."""
        rows = [
            a_change(1, "a"),
            a_change(2, "b"),
            a_change(3, "a", first=False, before=Seq(1)),
            a_change(4, "c"),
            a_change(5, "c", first=False, before=Seq(4)),
            a_change(6, "c", first=False, before=Seq(5)),
            a_change(7, "c", withdrawn=True, first=False, before=Seq(6), body=b""),
            a_change(8, "a", first=False, before=Seq(3)),
            a_change(9, "a", first=False, before=Seq(8)),
        ]
        async with self.opened() as store:
            await self._write_rows(store, rows)
            await drop(store, KeptVersions(number=4), limit)
            assert seqs(await rows_of_log(store)) == [*range(1, 10)]
            assert (await store.logs.ends())[1].pruned == 0, "no row is missing"
            await self._note_edits(store, KeptVersions(number=2), limit)
            assert seqs(await rows_of_log(store)) == [2, 5, 6, 7, 8, 9]
            assert (await store.logs.ends())[1].pruned == 8
            assert await self._of(store, "all") == [2, 8, 9]
            assert await self._of(store, "first") == [2, 8]
            assert await self._of(store, "last") == [2, 9]
            of_a = frozenset({an_id("a")})
            assert await self._of(store, "first", str(rows[8].version_us), ids=of_a) == [8, 9]
            await drop(store, KeptVersions(number=1), limit)
            assert seqs(await rows_of_log(store)) == [2, 6, 7, 9]

    async def test_rows_are_counted_once_and_again_when_fewer_are_to_stay(self) -> None:
        rows = [a_change(n, "a", first=n == 1, before=Seq(n - 1) if n > 1 else None) for n in range(1, 10)]
        async with self.opened() as store:
            await self._write_rows(store, rows)
            assert await drop(store, KeptVersions(number=5), limit=4) == 3
            assert await drop(store, KeptVersions(number=5), limit=4) == 1
            assert await drop(store, KeptVersions(number=6), limit=4) == 1
            assert await drop(store, KeptVersions(number=3), limit=4) == 2, "of the five rows that are left"
            assert seqs(await rows_of_log(store)) == [7, 8, 9]

    async def test_whatever_is_to_stay_one_after_the_other_the_rest_goes_and_the_log_is_sound(self) -> None:
        """Against plain rules: random histories, and random changes of what is to stay."""
        for seed in range(6):
            random, kept = Random(seed), Kept()
            async with self.opened() as store:
                for some in _parts(list(histories(random, 40)), random):
                    head = await store.logs.head(1)
                    shown = await self._of(store, "last")
                    await self._write_rows(store, some)
                    causes = await store.logs.causes(1, head.seq, (await store.logs.head(1)).seq)
                    left = [seq for seq in await self._of(store, "last") if seq <= head.seq]
                    assert sorted({*shown} - {cause.before for cause in causes.values()}) == left, seed
                    for row in some:
                        kept.add(row)
                    at_us = some[-1].date_added_us
                    by = KeptVersions(
                        random.choice([None, at_us - random.randrange(15_000)]), random.choice([None, 1, 2, 3])
                    )
                    await drop(store, by, random.choice([1, 3, 100]))
                    kept.drop(by)
                    rows = await rows_of_log(store)
                    assert seqs(rows) == kept.rows, (seed, by)
                    assert {row.before for row in rows} <= {None, *kept.rows}
                    for which in ("all", "first"):
                        assert await self._of(store, which) == kept.shown(which), (seed, by)
                    async with store.reading() as conn:
                        assert await log_checks.differences(conn, 1, 100) == []
                async with store.begin() as conn:
                    for table in ("changes", "views"):
                        await conn.exec_driver_sql(f"delete from {table}")
                    values = "last_seq = 0, last_us = 0, pruned_seq = 0, aged_seq = 0, counted_seq = 0"
                    await conn.exec_driver_sql(f"update logs set {values}, counted_to = null")


def _parts(rows: list[Change], random: Random) -> Iterator[list[Change]]:
    cuts = [0, *sorted(random.sample(range(1, len(rows)), 4)), len(rows)]
    return (rows[start:end] for start, end in pairwise(cuts))
