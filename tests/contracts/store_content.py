"""The store's promises on content: what a step writes is found again, by every door that asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from hub.model.claims import Claim, ClaimKey, ClaimState
from hub.model.questions import CLAIM, PLACED, PLACEMENT, REFERRERS, THING, UNDER_ID, USES, Questions
from hub.model.words import Seq, StixId
from hub.model.writes import ReceiptCounts, Writes
from hub.patterns.lookup import value_key
from hub.store import reading
from hub.store.port import Filter
from tests.contracts.store_suite import StoreSuite, rows_of, seqs
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
                by_key = await tx.load(Questions().update(CLAIM, keys), policy)
                assert by_key.of(CLAIM) == {floating.key: floating, a_claim("none").key: None}
                things = (a_thing("a"), a_thing("none"))
                by_thing = (await tx.load(Questions().update(THING, things), policy)).of(THING)
                assert _by_key(by_thing[a_thing("a")].claims) == _by_key(claims[:2])
                assert by_thing[a_thing("none")].claims == []
                by_id = (await tx.load(Questions().update(UNDER_ID, (an_id("a"), an_id("none"))), policy)).of(UNDER_ID)
                assert _by_key(by_id[an_id("a")]) == _by_key(claims[:2])
                assert by_id[an_id("none")] == []
            found = await store.find_claims([a_thing("b")], [an_id("a")])
            assert sorted(claim.key for claim in found) == sorted(claim.key for claim in claims)

    async def test_a_claim_written_again_replaces_the_one_before(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(claims=[a_claim("a"), a_claim("b")]))
            newer = a_claim("a", thing=a_thing("b"), said="newer")
            await self.write(store, Writes(claims=[newer]))
            async with store.transaction() as tx:
                things = (a_thing("a"), a_thing("b"))
                found = (await tx.load(Questions().update(THING, things), await tx.policy())).of(THING)
                assert found[a_thing("a")].claims == []
                assert _by_key(found[a_thing("b")].claims) == _by_key([newer, a_claim("b")])

    async def test_things_are_found_by_the_values_in_their_patterns_those_that_assert_them_first(self) -> None:
        one, other = value_key("198.51.100.1"), value_key("198.51.100.2")
        async with self.opened() as store:
            await self.write(store, Writes(values={a_thing("a"): {one: False, other: True}}))
            await self.write(store, Writes(values={a_thing("b"): {one: True}, a_thing("a"): {one: False, other: True}}))
            assert list(await store.things_naming([one], 10)) == [a_thing("b"), a_thing("a")]
            assert list(await store.things_naming([other], 10)) == [a_thing("a")]
            assert set(await store.things_naming([one, other], 10)) == {a_thing("a"), a_thing("b")}
            assert list(await store.things_naming([one], 1)) == [a_thing("b")]
            assert list(await store.things_naming([value_key("none")], 10)) == []

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
                found = (await tx.load(Questions().update(THING, things), await tx.policy())).of(THING)
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
                questions = Questions().update(REFERRERS, (m, n)).update(PLACEMENT, (r.key, s.key))
                questions.update(PLACED, (a_thing("x"), a_thing("y"), a_thing("z")))
                found = await tx.load(questions, await tx.policy())
            assert found.of(REFERRERS) == {m: [s], n: [r]}
            assert found.of(PLACEMENT) == {r.key: {1: a_thing("z")}, s.key: {}}
            assert found.of(PLACED) == {a_thing("x"): {}, a_thing("y"): {}, a_thing("z"): {1: [r]}}

    async def test_uses_are_counted_up_and_down(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(carried={(1, "tlp"): 5, (2, "tlp"): 1}))
            await self.write(store, Writes(carried={(1, "tlp"): -3, (1, "other"): 2}))
            async with store.transaction() as tx:
                asked = ((1, "tlp"), (2, "tlp"), (1, "other"), (2, "other"))
                found = (await tx.load(Questions().update(USES, asked), await tx.policy())).of(USES)
                assert found == {(1, "tlp"): 2, (2, "tlp"): 1, (1, "other"): 2, (2, "other"): 0}

    async def test_receipts_and_counts_add_up(self) -> None:
        problem = {"index": 3, "id": None, "state": "rejected", "code": "x", "message": "y"}
        first = replace(a_receipt("r", accepted=1, rejected=1), problems=(problem,))
        async with self.opened() as store:
            await self.write(store, Writes(receipts=[first], counts={1: ReceiptCounts(1, 0, 0, 1)}))
            await self.write(store, Writes(receipts=[a_receipt("r", held=2)], counts={1: ReceiptCounts(0, 0, 2, 0)}))
            async with store.look() as conn:
                assert await reading.receipt_counts(conn, "r", 1) == ReceiptCounts(1, 0, 2, 1)
                assert await reading.counts(conn) == {1: ReceiptCounts(1, 0, 2, 1)}
                parts = await reading.problem_parts(conn, "r", 1)
                assert [await reading.problems_of(conn, part) for part in parts] == [[problem]]

    async def test_the_text_of_an_object_that_makes_no_sense_stops_no_batch(self) -> None:
        odd = StixId("\0 half a surrogate is not text \0")
        async with self.opened() as store:
            await self.write(
                store, Writes(changes=[replace(a_change(1), object_id=odd)], heads=head_after([a_change(1)]))
            )
            assert len(await rows_of(store)) == 1

    # Logs: numbers without gap, rows in order

    async def test_rows_are_read_in_order_and_by_their_limits(self) -> None:
        async with self.opened() as store:
            await append(store, 250, body=b"x" * 100)
            await append(store, 3, log=2)
            assert seqs(await rows_of(store)) == list(range(1, 251))
            assert seqs(await rows_of(store, after=10, limit=5)) == [11, 12, 13, 14, 15]
            assert seqs(await rows_of(store, limit_bytes=350)) == [1, 2, 3]
            assert seqs(await rows_of(store, after=7, limit_bytes=1)) == [8]
            assert await rows_of(store, after=250) == []
            assert await rows_of(store, log=99) == []
            assert {no: head.seq for no, head in (await store.heads()).items()} == {1: 250, 2: 3, 3: 0}
            assert await store.head(2) == head_after([a_change(3, log=2)])[2]

    async def test_a_row_comes_out_as_it_went_in(self) -> None:
        row = a_change(1, withdrawn=True, body=b'{"\x00\xff', first=False, version_us=5)
        async with self.opened() as store:
            await self.write(store, Writes(changes=[row], heads=head_after([row])))
            assert await rows_of(store) == [row]

    async def test_versions_that_newer_ones_follow_are_told_from_the_newest(self) -> None:
        a1, b1 = a_change(1, "a"), a_change(2, "b", type="malware")
        a2 = a_change(3, "a", first=False, before=Seq(1), body=b"newer")
        async with self.opened() as store:
            await self.write(store, Writes(changes=[a1, b1], heads=head_after([a1, b1])))
            await self.write(store, Writes(changes=[a2], heads=head_after([a2])))
            found = {
                name: seqs(await rows_of(store, by=Filter(versions=name)))
                for name in ("last", "all", "first", str(a1.version_us))
            }
            assert found == {"last": [2, 3], "all": [1, 2, 3], "first": [1, 2], str(a1.version_us): [1]}
            assert seqs(await rows_of(store, by=Filter(types=frozenset({"malware"})))) == [2]
            assert seqs(await rows_of(store, by=Filter(ids=frozenset({a1.object_id}), versions="all"))) == [1, 3]
            assert seqs(await rows_of(store, by=Filter(after_us=a1.date_added_us, versions="all"))) == [2, 3]
            assert seqs(await rows_of(store, by=Filter(after_us=a1.date_added_us - 1, versions="all"))) == [1, 2, 3]
            async with store.look() as conn:
                assert await reading.log_number(conn, "collection.public") == 1

    async def test_an_object_that_has_left_is_shown_in_no_version_but_stays_in_the_log(self) -> None:
        first = a_change(1, "a")
        newer = a_change(2, "a", first=False, before=Seq(1))
        gone = a_change(3, "a", withdrawn=True, first=False, before=Seq(2), body=b"")
        async with self.opened() as store:
            for row in (first, newer):
                await self.write(store, Writes(changes=[row], heads=head_after([row])))
            await self.write(store, Writes(changes=[gone], hidden={(1, Seq(3))}, heads=head_after([gone])))
            assert await rows_of(store, by=Filter(versions="all")) == []
            assert seqs(await rows_of(store)) == [1, 2, 3]

    async def test_views_are_found_by_the_ids_that_they_have_and_had(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(views=[a_view("a"), a_view("a", 2)], past_ids=[a_view("old", 1)]))
            assert [view.collection for view in await store.find_views(an_id("a"), [1, 3])] == [1]
            assert [view.alive for view in await store.find_views(an_id("old"), [1])] == [False]
            assert len(await store.views_of(a_thing("a"), [1, 2, 3])) == 2
