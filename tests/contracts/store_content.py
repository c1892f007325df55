"""The store's promises on content: what a step writes is found again, by every door that asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hub.core.merge.facts import feedback_on
from hub.model.breaker import BreakerRecord, BreakerState, Minute, Trip
from hub.model.claims import Change, Claim, ClaimKey, ClaimState
from hub.model.held import HeldAs
from hub.model.problems import Code
from hub.model.reads import (
    BREAKER,
    CLAIM,
    DUE,
    HELD,
    LATE,
    PLACED,
    PLACEMENT,
    REFERRERS,
    REFERRING,
    THING,
    UNDER_ID,
    USES,
    DueViews,
    LateThings,
    LateViews,
    Reads,
    WaitingVersion,
)
from hub.model.tasks import DueTask, PublishLate
from hub.model.words import CanonicalKey, Seq, StixId, Withdrawal
from hub.model.writes import Held, ReceiptCounts, Superseding, Writes
from hub.patterns.lookup import value_key
from hub.store.intake_port import ObjectProblem, PushedObject
from hub.store.port import Filter, JoinedPage
from hub.store.sql import SqlStore
from hub.store.thing_port import NamingReader
from tests.contracts.store_suite import StoreSuite, seqs
from tests.contracts.store_values import (
    a_change,
    a_claim,
    a_receipt,
    a_thing,
    a_view,
    add_centres,
    an_id,
    append,
    head_after,
)
from tests.stores import rows_of_log
from tests.story import START_US

BREAKER_CODE = Code.BREAKER_MASS_WITHDRAWAL


def _by_key(claims: Iterable[Claim]) -> dict[ClaimKey, Claim]:
    return {claim.key: claim for claim in claims}


class StoreContent(StoreSuite):
    """One test per promise."""

    # What a step writes it finds again

    async def test_claims_are_found_by_key_thing_and_id(self) -> None:
        claims = [a_claim("a"), a_claim("a", 2), a_claim("b", state=ClaimState.REVOKED, modified_us=None)]
        floating = a_claim("c", thing=None, body=b"")
        async with self.opened() as store:
            await add_centres(store, 2)
            await self.write(store, Writes(claims=[*claims, floating]))
            async with store.transaction() as tx:
                policy = await tx.policy()
                keys = (floating.key, a_claim("none").key)
                by_key = await tx.load(Reads().update(CLAIM, keys), policy)
                assert by_key.of(CLAIM) == {floating.key: floating, a_claim("none").key: None}
                things = (a_thing("a"), a_thing("none"))
                by_thing = (await tx.load(Reads().update(THING, things), policy)).of(THING)
                assert _by_key(by_thing[a_thing("a")].claims) == _by_key(claims[:2])
                assert by_thing[a_thing("none")].claims == []
                by_id = (await tx.load(Reads().update(UNDER_ID, (an_id("a"), an_id("none"))), policy)).of(UNDER_ID)
                assert _by_key(by_id[an_id("a")]) == _by_key(claims[:2])
                assert by_id[an_id("none")] == []
            found = [*await store.things.claims_about([a_thing("b")]), *await store.things.claims_under([an_id("a")])]
            assert sorted(claim.key for claim in found) == sorted(claim.key for claim in claims)

    async def test_feedback_is_found_by_what_it_is_on(self) -> None:
        one, other = a_claim("a"), a_claim("b")
        on: dict[ClaimKey, tuple[StixId, ...]] = {
            one.key: (feedback_on(an_id("x")), an_id("x")),
            other.key: (an_id("x"), feedback_on(an_id("y"))),
        }
        async with self.opened() as store:
            await self.write(store, Writes(claims=[one, other], references=on))
            assert list(await store.things.feedback_on([an_id("x"), an_id("none")])) == [one]
            assert _by_key(await store.things.feedback_on([an_id("x"), an_id("y")])) == _by_key([one, other])

    async def test_a_claim_written_again_replaces_the_one_before(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(claims=[a_claim("a"), a_claim("b")]))
            newer = a_claim("a", thing=a_thing("b"), said="newer")
            await self.write(store, Writes(claims=[newer]))
            async with store.transaction() as tx:
                things = (a_thing("a"), a_thing("b"))
                found = (await tx.load(Reads().update(THING, things), await tx.policy())).of(THING)
                assert found[a_thing("a")].claims == []
                assert _by_key(found[a_thing("b")].claims) == _by_key([newer, a_claim("b")])

    async def test_things_are_found_by_the_values_in_their_patterns_those_that_assert_them_first(self) -> None:
        one, other = value_key("198.51.100.1"), value_key("198.51.100.2")
        async with self.opened() as store:
            await self.write(store, Writes(values={a_thing("a"): {one: False, other: True}}))
            await self.write(store, Writes(values={a_thing("b"): {one: True}, a_thing("a"): {one: False, other: True}}))
            assert list(await store.things.naming([one], 10)) == [a_thing("b"), a_thing("a")]
            assert list(await store.things.naming([other], 10)) == [a_thing("a")]
            assert set(await store.things.naming([one, other], 10)) == {a_thing("a"), a_thing("b")}
            assert list(await store.things.naming([one], 1)) == [a_thing("b")]
            assert list(await store.things.naming([value_key("none")], 10)) == []

    async def test_only_things_that_a_reader_may_know_are_counted_and_found_by_their_values(self) -> None:
        one = value_key("198.51.100.1")
        async with self.opened() as store:
            writes = Writes(values={a_thing(name): {one: True} for name in "abcd"})
            await self.write(store, replace(writes, claims=[a_claim("a"), a_claim("d")], views=[a_view("c")]))
            view = a_view("c")

            async def naming(collections: Sequence[int], source: int | None, limit: int = 1) -> list[CanonicalKey]:
                return list(await store.things.naming([one], limit, NamingReader(collections, source)))

            assert await naming([view.collection], None) == [a_thing("c")]
            assert await naming([view.collection + 1], None) == []
            own = await naming([view.collection], a_claim("a").source, limit=9)
            assert sorted(own) == sorted(map(a_thing, "acd"))
            assert await naming([view.collection + 1], a_claim("a").source + 1) == []

    @pytest.mark.parametrize("count", [1, 3_000])
    async def test_any_number_of_claims_and_views_is_written_and_found(self, count: int) -> None:
        names = range(count)
        claims, views = [], []
        async with self.opened() as store:
            for said in ("first", "second"):
                claims = [a_claim(name, said=said) for name in names]
                views = [a_view(name, collection, seq=2 + len(said)) for name in names for collection in (1, 2)]
                await self.write(store, Writes(claims=claims, views=views))
            async with store.transaction() as tx:
                things = [a_thing(name) for name in names]
                found = (await tx.load(Reads().update(THING, things), await tx.policy())).of(THING)
            assert _by_key(claim for record in found.values() for claim in record.claims) == _by_key(claims)
            assert {(no, thing): view for thing, record in found.items() for no, view in record.views.items()} == {
                (view.collection, view.thing): view for view in views
            }

    async def test_references_and_placements_are_those_of_the_last_write(self) -> None:
        r, s = a_claim("r", thing=None), a_claim("s")
        m, n = an_id("m"), an_id("n")
        async with self.opened() as store:
            await self.write(
                store,
                Writes(
                    claims=[r, s], references={r.key: (m, n, m), s.key: (m,)},
                    placements={r.key: {1: a_thing("x"), 2: a_thing("y")}},
                ),
            )  # fmt: skip
            await self.write(store, Writes(references={r.key: (n,)}, placements={r.key: {1: a_thing("z")}}))
            async with store.transaction() as tx:
                reads = Reads().update(REFERRERS, (m, n)).update(PLACEMENT, (r.key, s.key))
                reads.update(PLACED, (a_thing("x"), a_thing("y"), a_thing("z")))
                found = await tx.load(reads, await tx.policy())
            assert found.of(REFERRERS) == {m: [s], n: [r]}
            assert found.of(PLACEMENT) == {r.key: {1: a_thing("z")}, s.key: {}}
            assert found.of(PLACED) == {a_thing("x"): {}, a_thing("y"): {}, a_thing("z"): {1: [r]}}

    async def test_what_stands_for_a_merged_relationship_is_found_from_both_ends(self) -> None:
        r, s = a_claim("r", thing=None), a_claim("s", thing=None)
        x, y = a_thing("x"), a_thing("y")
        async with self.opened() as store:
            await self.write(store, Writes(claims=[r, s], placements={r.key: {1: x, 2: y}, s.key: {1: x}}))
            found = await store.things.placed([x, y, a_thing("none")])
            assert sorted((one.collection, one.thing, one.claim.key) for one in found) == sorted(
                [(1, x, r.key), (2, y, r.key), (1, x, s.key)]
            )
            assert {one.claim.key: one.claim for one in found} == {r.key: r, s.key: s}
            assert await store.things.relationships_of([r.key, a_claim("none").key]) == {r.key: {x, y}}

    async def test_a_sources_claims_about_things_are_read_in_pages_without_those_of_others(self) -> None:
        x, y = a_thing("x"), a_thing("y")
        mine = [a_claim(name, thing=x) for name in "abc"]
        gone = a_claim("d", thing=x, state=ClaimState.WITHDRAWN_STANDING, modified_us=None, body=b"")
        placed, others = a_claim("r", thing=None), [a_claim("a", 2, thing=x), a_claim("e", thing=y)]
        async with self.opened() as store:
            await self.write(store, Writes(claims=[*mine, gone, placed, *others], placements={placed.key: {1: x}}))
            keys = sorted(claim.key for claim in (*mine, gone, placed))
            found = await store.own_claims.claims_of(1, [x], b"", 10)
            assert [one.key for one in found] == keys
            assert {one.id for one in found if one.state is ClaimState.WITHDRAWN_STANDING} == {gone.id}
            assert [one.key for one in await store.own_claims.claims_of(1, [x], keys[1], 2)] == keys[2:4]
            assert await store.own_claims.claims_of(1, [], b"", 10) == []

    async def test_views_are_due_in_the_order_of_their_dates_and_until_they_have_another(self) -> None:
        days = {"c": 3, "a": 1, "b": 2, "later": 4, "never": None}
        async with self.opened() as store:
            views = [a_view(name, due_day=day) for name, day in days.items()]
            await self.write(store, Writes(views=[*views, a_view("elsewhere", 2, due_day=1)]))
            assert await self._due(store, 3, 9) == [a_thing(name) for name in "abc"]
            assert await self._due(store, 3, 2) == [a_thing(name) for name in "ab"]
            await self.write(store, Writes(due_days={(1, a_thing("a")): 5, (1, a_thing("b")): None}))
            assert await self._due(store, 3, 9) == [a_thing("c")]

    async def _due(self, store: SqlStore, day: int, limit: int) -> list[CanonicalKey]:
        async with store.transaction() as tx:
            at = DueViews(1, day, limit)
            return (await tx.load(Reads().update(DUE, (at,)), await tx.policy())).of(DUE)[at]

    async def test_what_is_late_is_found_in_the_order_of_its_time_and_published_by_one_task(self) -> None:
        times = {"c": 30, "a": 10, "b": 20, "later": 40, "never": None}
        async with self.opened() as store:
            views = [a_view(name, late_us=us) for name, us in times.items()]
            await self.write(store, Writes(views=[*views, a_view("other", 2)]))
            assert await self._late(store, 30, 9) == ([a_thing(name) for name in "abc"], 40)
            assert await self._late(store, 30, 2) == ([a_thing(name) for name in "ab"], 40)
            assert await self._late(store, 40, 9) == ([*(a_thing(name) for name in "abc"), a_thing("later")], None)
            later = {(1, a_thing("a")): None, (1, a_thing("never")): 35, (2, a_thing("other")): 9}
            await self.write(store, Writes(late=later))
            await self.write(store, Writes(late={(1, a_thing("b")): 25}))
            assert await self._late(store, 30, 9) == ([a_thing("b"), a_thing("c")], 35)
            await self.write(store, Writes(views=[a_view("b")]))
            assert await self._late(store, 30, 9) == ([a_thing("c")], 35)
            due = {at_us: await self._publishes(store, at_us) for at_us in (8, 9, 24, 25)}
            assert {at_us: [one.task for one in some] for at_us, some in due.items()} == {
                8: [], 9: [PublishLate(2)], 24: [PublishLate(2)], 25: [PublishLate(1), PublishLate(2)],
            }  # fmt: skip
            async with store.transaction() as tx:
                assert await tx.take(due[9][0])
                await tx.move(due[9][0], b"", 50)
            assert [one.task for one in await self._publishes(store, 49)] == [PublishLate(1)]

    async def _publishes(self, store: SqlStore, at_us: int) -> list[DueTask]:
        found = [one for one in await store.due(at_us) if isinstance(one.task, PublishLate)]
        return sorted(found, key=lambda one: str(one.task))

    async def _late(self, store: SqlStore, until_us: int, limit: int) -> LateThings:
        async with store.transaction() as tx:
            at = LateViews(1, until_us, limit)
            return (await tx.load(Reads().update(LATE, (at,)), await tx.policy())).of(LATE)[at]

    async def test_uses_are_counted_up_and_down(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(uses={(1, "tlp"): 5, (2, "tlp"): 1}))
            await self.write(store, Writes(uses={(1, "tlp"): -3, (1, "other"): 2}))
            async with store.transaction() as tx:
                asked = ((1, "tlp"), (2, "tlp"), (1, "other"), (2, "other"))
                found = (await tx.load(Reads().update(USES, asked), await tx.policy())).of(USES)
                assert found == {(1, "tlp"): 2, (2, "tlp"): 1, (1, "other"): 2, (2, "other"): 0}

    async def test_receipts_and_counts_add_up(self) -> None:
        problem = {"index": 3, "id": None, "state": "rejected", "code": "x", "message": "y"}
        first = replace(a_receipt("r", accepted=1, rejected=1), problems=(problem,))
        async with self.opened() as store:
            await self.write(store, Writes(receipts=[first], counts={1: ReceiptCounts(1, 0, 0, 1)}))
            await self.write(store, Writes(receipts=[a_receipt("r", held=2)], counts={1: ReceiptCounts(0, 0, 2, 0)}))
            assert await store.intake.receipt_counts("r", 1) == ReceiptCounts(1, 0, 2, 1)
            assert await store.intake.counts() == {1: ReceiptCounts(1, 0, 2, 1)}
            said = store.intake.problems("r", 1, from_index=0, in_one_partition=True)
            assert [one async for one in said] == [ObjectProblem(3, None, "rejected", "x", "y")]

    async def test_objects_of_a_status_come_by_index_with_their_problems(self) -> None:
        problem = {"index": 1, "id": "b", "state": "rejected", "code": "x", "message": "y"}
        later = replace(a_receipt("s", accepted=2), objects=((2, "c", "v"), (3, None, None)))
        first = replace(
            a_receipt("s", accepted=1, rejected=1), problems=(problem,), objects=((0, "a", None), (1, "b", "v"))
        )
        async with self.opened() as store:
            await self.write(store, Writes(receipts=[later, a_receipt("r", accepted=1)]))
            await self.write(store, Writes(receipts=[first]))
            said = ObjectProblem(1, "b", "rejected", "x", "y")
            assert await store.intake.objects("s", 1) == [
                PushedObject(0, "a", None, ()), PushedObject(1, "b", "v", [said]),
                PushedObject(2, "c", "v", ()), PushedObject(3, None, None, ()),
            ]  # fmt: skip
            assert await store.intake.objects("s", 2) == []
            assert await store.intake.objects("r", 1) == []

    async def test_an_object_of_a_status_that_was_written_twice_is_there_once(self) -> None:
        part = replace(a_receipt("s", accepted=2), objects=((0, "a", "v"), (1, None, None)))
        async with self.opened() as store:
            await self.write(store, Writes(receipts=[part]))
            await self.write(store, Writes(receipts=[replace(part, objects=((1, None, None), (0, "a", "v")))]))
            assert await store.intake.objects("s", 1) == [
                PushedObject(0, "a", "v", ()),
                PushedObject(1, None, None, ()),
            ]

    async def test_the_text_of_an_object_that_makes_no_sense_stops_no_batch(self) -> None:
        odd = StixId("\0 half a surrogate is not text \0")
        async with self.opened() as store:
            await self.write(
                store, Writes(changes=[replace(a_change(1), object_id=odd)], heads=head_after([a_change(1)]))
            )
            assert len(await rows_of_log(store)) == 1

    # Logs: numbers without gap, rows in order

    async def test_rows_are_read_in_order_and_by_their_limits(self) -> None:
        async with self.opened() as store:
            await append(store, 250, body=b"x" * 100)
            await append(store, 3, log=2)
            assert seqs(await rows_of_log(store)) == list(range(1, 251))
            assert seqs(await rows_of_log(store, after=10, limit=5)) == [11, 12, 13, 14, 15]
            assert seqs(await rows_of_log(store, limit_bytes=350)) == [1, 2, 3]
            assert seqs(await rows_of_log(store, after=7, limit_bytes=1)) == [8]
            assert await rows_of_log(store, after=250) == []
            assert await rows_of_log(store, log=99) == []
            assert {no: end.seq for no, end in (await store.logs.ends()).items()} == {1: 250, 2: 3, 3: 0, 4: 0}
            assert await store.logs.head(2) == head_after([a_change(3, log=2)])[2]

    async def test_a_row_comes_out_as_it_went_in(self) -> None:
        row = a_change(1, withdrawn=True, body=b'{"\x00\xff', first=False, version_us=5)
        async with self.opened() as store:
            await self.write(store, Writes(changes=[row], heads=head_after([row])))
            assert await rows_of_log(store) == [row]

    async def test_what_waits_under_an_id_is_told_until_something_supersedes_it(self) -> None:
        at = (1, an_id("a"))
        stamps = [bytes([n]) * 24 for n in range(4)]
        held = [
            Held(0, *at, "list.hit", "some list", "why", b"{}", stamp, None, 0, START_US, modified_us, stamp[:16])
            for stamp, modified_us in zip(stamps, (None, 2, 3, 1), strict=True)
        ]

        async def waiting(store: SqlStore) -> object:
            async with store.transaction() as tx:
                return (await tx.load(Reads().update(HELD, (at,)), await tx.policy())).of(HELD)[at].waiting

        async with self.opened() as store:
            await self.write(store, Writes(held=held))
            assert await waiting(store) == tuple(
                WaitingVersion(stamp, modified_us, stamp[:16])
                for stamp, modified_us in zip(stamps, (None, 2, 3, 1), strict=True)
            )
            await self.write(store, Writes(superseding={at: [Superseding(stamps[3], 2)]}))
            left = [WaitingVersion(stamps[2], 3, stamps[2][:16]), WaitingVersion(stamps[3], 1, stamps[3][:16])]
            assert await waiting(store) == tuple(left)

    @pytest.mark.parametrize("least", HeldAs)
    async def test_only_what_is_held_as_such_is_superseded(self, least: HeldAs) -> None:
        at = (1, an_id("a"))
        withdrawals = (None, Withdrawal.STANDS, Withdrawal.SOFT)
        ways = (("list.hit", None), *((BREAKER_CODE, how) for how in withdrawals))
        held = [
            Held(0, *at, code, "", "why", b"{}", bytes([n]) * 24, None, 0, START_US, None, b"", how)
            for n, (code, how) in enumerate(ways)
        ]
        async with self.opened() as store:
            await self.write(store, Writes(held=held))
            await self.write(store, Writes(superseding={at: [Superseding(bytes([9]) * 24, None, least)]}))
            async with store.transaction() as tx:
                left = (await tx.load(Reads().update(HELD, (at,)), await tx.policy())).of(HELD)[at].waiting
            assert [(one.held_as, one.withdrawal) for one in left] == [
                (one.held_as, one.withdrawal) for one in held if one.held_as < least
            ]

    async def test_what_a_breaker_counts_is_found_again_and_its_trip_is_told(self) -> None:
        state = BreakerState((Minute(7, 3, 2), Minute(9, 1, 0)), START_US)
        held = Held(0, 2, an_id("a"), BREAKER_CODE, "", "why", b"", b"\0" * 24, None, 0, START_US)

        async def record(store: SqlStore, source: int) -> BreakerRecord:
            async with store.transaction() as tx:
                return (await tx.load(Reads().update(BREAKER, (source,)), await tx.policy())).of(BREAKER)[source]

        async with self.opened() as store:
            assert await record(store, 2) == (BreakerState(), 0)
            await self.write(store, Writes(live={2: 5, 1: 1}))
            await self.write(store, Writes(live={2: -2}, breakers={2: state}, held=[held, held]))
            assert await record(store, 2) == (state, 3)
            assert await record(store, 1) == (BreakerState(), 1)
            assert await store.intake.trips() == [Trip(2, START_US, 2)]

    async def test_what_refers_to_a_name_is_counted(self) -> None:
        claims = [a_claim("a"), a_claim("b")]
        async with self.opened() as store:
            await self.write(store, Writes(claims=claims, references={one.key: (an_id("m"),) for one in claims}))
            async with store.transaction() as tx:
                found = await tx.load(Reads().update(REFERRING, (an_id("m"), an_id("n"))), await tx.policy())
            assert found.of(REFERRING) == {an_id("m"): 2, an_id("n"): 0}

    async def test_versions_that_newer_ones_follow_are_told_from_the_newest(self) -> None:
        async with self.opened() as store:
            first, _ = await self._three_rows(store)
            assert await self._found(store, versions=("last",)) == [2, 3]
            assert await self._found(store, versions=("all",)) == [1, 2, 3]
            assert await self._found(store, versions=("first",)) == [1, 2]
            assert await self._found(store, versions=(str(first.version_us),)) == [1]
            assert await self._found(store, types=frozenset({"malware"})) == [2]
            assert await self._found(store, types=frozenset({"malware", "indicator"})) == [2, 3]
            assert await self._found(store, after_us=first.date_added_us, versions=("all",)) == [2, 3]
            assert await self._found(store, after_us=first.date_added_us - 1, versions=("all",)) == [1, 2, 3]
            assert await store.logs.number("collection.public") == 1

    async def test_several_versions_are_one_page_that_passes_nothing_over(self) -> None:
        async with self.opened() as store:
            await self._three_rows(store)
            asked = Filter(versions=("first", "last"))
            assert seqs(await rows_of_log(store, by=asked)) == [1, 2, 3]
            after, found = Seq(0), []
            while True:
                page = await store.logs.page(1, after, limit=1, limit_bytes=1 << 20, by=asked)
                found += [row.seq for row in page.rows]
                if not page.more:
                    break
                after = page.rows[-1].seq
            assert found == [1, 2, 3]

    async def test_objects_are_found_by_their_ids_where_they_are_shown(self) -> None:
        async with self.opened() as store:
            first, other = await self._three_rows(store)
            one, both = frozenset({first.object_id}), frozenset({first.object_id, other.object_id, an_id("none")})
            assert await self._found(store, ids=one, versions=("all",)) == [1, 3]
            assert await self._found(store, ids=one, versions=("first",)) == [1]
            assert await self._found(store, ids=one, versions=("last", str(first.version_us))) == [1, 3]
            assert await self._found(store, ids=one, after_us=first.date_added_us, versions=("all",)) == [3]
            assert await self._found(store, ids=both) == [2, 3]
            assert await self._found(store, ids=both, types=frozenset({"malware"})) == [2]
            assert seqs(await rows_of_log(store, after=2, by=Filter(ids=both))) == [3]
            page = await store.logs.page(1, Seq(0), limit=1, limit_bytes=1 << 20, by=Filter(ids=both))
            assert ([row.seq for row in page.rows], page.more) == ([2], True)
            assert await store.logs.shows(1, first.object_id)
            assert not await store.logs.shows(2, first.object_id)
            assert not await store.logs.shows(1, an_id("none"))

    async def _three_rows(self, store: SqlStore) -> tuple[Change, Change]:
        """Two objects, and a newer version of the first; returns the rows that show them first."""
        a1, b1 = a_change(1, "a"), a_change(2, "b", type="malware")
        a2 = a_change(3, "a", first=False, before=Seq(1), body=b"newer")
        await self.write(store, Writes(changes=[a1, b1], heads=head_after([a1, b1])))
        await self.write(
            store, Writes(changes=[a2], heads=head_after([a2]), views=[a_view("a", seq=3), a_view("b", seq=2)])
        )
        return a1, b1

    async def _found(self, store: SqlStore, **by: Any) -> list[int]:
        await self._ensure_joined(store, Filter(**by))
        return seqs(await rows_of_log(store, by=Filter(**by)))

    async def test_joined_bodies_are_those_of_the_page(self) -> None:
        async with self.opened() as store:
            kinds = ("indicator", "malware", "tool", "indicator", "tool", "malware")
            rows = [a_change(no, str(no), type=kind, body=b"x" * (10 * no)) for no, kind in enumerate(kinds, 1)]
            await self.write(store, Writes(changes=rows, heads=head_after(rows)))
            for types in ((), ("malware",), ("indicator", "tool"), ("indicator", "malware", "tool"), ("note",)):
                await self._ensure_joined(store, Filter(types=frozenset(types)))
                await self._ensure_joined(store, Filter(types=frozenset(types), after_us=rows[1].date_added_us))

    async def _ensure_joined(self, store: SqlStore, by: Filter) -> None:
        """Whatever the limits and the place, the bodies that are joined are those of the page."""
        whole = await store.logs.page(1, Seq(0), limit=100, limit_bytes=1 << 20, by=by)
        sizes = [row.size for row in whole.rows] or [1]
        for after in (0, *(row.seq for row in whole.rows)):
            for limit in range(1, len(sizes) + 1):
                for limit_bytes in (1, sum(sizes[:limit]) - 1, sum(sizes[:limit])):
                    asked: Any = {"limit": limit, "limit_bytes": limit_bytes, "by": by}
                    page = await store.logs.page(1, Seq(after), **asked)
                    joined = await store.logs.joined(1, Seq(after), **asked)
                    assert joined == JoinedPage(b",".join(page.bodies), page.span, page.more, page.end, page.count), (
                        asked
                    )

    async def test_a_page_has_bodies_where_they_are_asked_for(self) -> None:
        async with self.opened() as store:
            await append(store, 4, body=b"x" * 100)
            page = await store.logs.page(1, Seq(0), limit=3, limit_bytes=150, bodies=False)
            assert ([row.seq for row in page.rows], list(page.bodies), page.more) == ([1, 2, 3], [], True)
            page = await store.logs.page(1, Seq(0), limit=3, limit_bytes=250)
            assert ([(row.seq, body) for row, body in page.with_bodies()], page.more) == (
                [(1, b"x" * 100), (2, b"x" * 100)],
                True,
            )
            assert [row.size for row in page.rows] == [100, 100]

    async def test_a_page_without_rows_says_where_the_log_ended(self) -> None:
        async with self.opened() as store:
            await append(store, 3)
            for by in (Filter(types=frozenset({"malware"})), Filter(ids=frozenset({an_id("none")}))):
                page = await store.logs.page(1, Seq(0), limit=3, limit_bytes=1 << 20, by=by)
                assert (list(page.rows), page.more, page.end) == ([], False, head_after([a_change(3)])[1])

    async def test_an_object_that_has_left_is_shown_in_no_version_but_stays_in_the_log(self) -> None:
        first = a_change(1, "a")
        newer = a_change(2, "a", first=False, before=Seq(1))
        gone = a_change(3, "a", withdrawn=True, first=False, before=Seq(2), body=b"")
        async with self.opened() as store:
            for row in (first, newer):
                await self.write(store, Writes(changes=[row], heads=head_after([row])))
            await self.write(store, Writes(changes=[gone], hidden={(1, Seq(3))}, heads=head_after([gone])))
            assert await rows_of_log(store, by=Filter(versions=("all",))) == []
            assert seqs(await rows_of_log(store)) == [1, 2, 3]

    async def test_views_are_found_by_the_ids_that_they_have_and_had(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(views=[a_view("a"), a_view("a", 2)], past_ids=[a_view("old", 1)]))
            assert [view.collection for view in await store.things.views_under(an_id("a"), [1, 3])] == [1]
            assert [view.alive for view in await store.things.views_under(an_id("old"), [1])] == [False]

    async def test_views_come_with_what_they_show(self) -> None:
        row = a_change(5, "a", log=2, body=b"what is shown")
        async with self.opened() as store:
            await self.write(store, Writes(views=[a_view("a"), a_view("a", 2, seq=5)], changes=[row]))
            shown = await store.things.shown([a_thing("a"), a_thing("none")], [2, 3])
            assert [(one.view, one.body) for one in shown] == [(a_view("a", 2, seq=5), b"what is shown")]
