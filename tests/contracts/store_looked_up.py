"""The store's promises on what is looked up to explain a thing: its past, what is held, what is around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest

from hub.model.claims import Change, ClaimState, claim_key
from hub.model.held import HeldAbout, HeldState
from hub.model.lifecycle import KeptVersions
from hub.model.reads import CLAIM, Reads
from hub.model.words import CanonicalKey, Seq, StixId
from hub.model.writes import Held, Writes
from hub.patterns import host_key, value_key, width_key
from hub.store import looking_up, past
from hub.store.own_port import ShownUnder
from hub.store.sql import SqlStore
from hub.store.thing_port import SearchKeys
from tests.contracts.store_suite import StoreSuite
from tests.contracts.store_values import START_US, a_change, a_claim, a_thing, a_view, add_centres, an_id, head_after

_LAST = 40


def a_past(seed: int, *, keeps_body: bool) -> list[Change]:
    """The log of an object that comes, changes, goes and comes back, among rows of others. ``keeps_body``: it ends with
    a last version, as what merges does.
    """
    random, found = Random(seed), list[Change]()
    last: Change | None = None
    for seq in range(1, _LAST + 1):
        if random.random() < 0.4:
            found.append(a_change(seq))
            continue
        alive = last is not None and not last.withdrawn
        goes = alive and random.random() < 0.3
        body = b"%d" % seq if not goes or keeps_body else b""
        before = last.seq if alive and last is not None else None
        last = a_change(seq, "a", withdrawn=goes, body=body, first=not alive, before=before)
        found.append(last)
    return found


def truth(rows: Sequence[Change], at: int) -> Change | None:
    """The last row of the object up to a number."""
    return next((row for row in reversed(rows) if row.object_id == an_id("a") and row.seq <= at), None)


class StoreLookedUp(StoreSuite):
    """One test per promise."""

    async def _with_past(self, store: SqlStore, rows: Sequence[Change]) -> None:
        last = truth(rows, _LAST)
        assert last is not None
        view = a_view("a", seq=last.seq, alive=not last.withdrawn)
        await self.write(store, Writes(changes=list(rows), views=[view], heads=head_after(rows)))

    async def test_the_row_of_an_object_at_any_number_of_its_log_is_found(self) -> None:
        for seed in range(3):
            rows = a_past(seed, keeps_body=seed % 2 == 0)
            async with self.opened() as store:
                await self._with_past(store, rows)
                for at in range(1, _LAST + 1):
                    expected = truth(rows, at)
                    found = await store.logs.as_of(1, [an_id("a"), an_id("none")], Seq(at))
                    assert (found.is_kept, found.is_near) == (True, True)
                    if expected is None:
                        assert found.row is None
                        assert found.next == next(row.seq for row in rows if row.object_id == an_id("a"))
                    else:
                        assert found.row is not None
                        assert (found.row.seq, found.body) == (expected.seq, expected.body)
                await self._clear(store)

    async def test_a_row_that_was_deleted_is_never_taken_for_another(self) -> None:
        for seed in range(3):
            rows = a_past(seed, keeps_body=seed % 2 == 0)
            async with self.opened() as store:
                await self._with_past(store, rows)
                async with store.transaction() as tx:
                    await tx.drop_versions(1, KeptVersions(since_us=START_US + 30 * 1000), 100)
                lacking = 0
                async with store.reading() as conn:
                    for at in range(1, _LAST + 1):
                        for most in (2, 100):
                            expected, found = truth(rows, at), await past.as_of(conn, 1, [an_id("a")], at, most)
                            lacking += not found.is_kept
                            if found.row is not None:
                                assert expected is not None, at
                                assert found.row.seq == expected.seq, at
                            elif found.is_kept and found.is_near:
                                assert expected is None, at
                assert lacking, "nothing was deleted"
                await self._clear(store)

    async def _clear(self, store: SqlStore) -> None:
        async with store.begin() as conn:
            for table in ("changes", "views"):
                await conn.exec_driver_sql(f"delete from {table}")
            await conn.exec_driver_sql("update logs set last_seq = 0, last_us = 0, pruned_seq = 0, aged_seq = 0")

    async def test_an_object_under_an_earlier_id_is_found(self) -> None:
        rows = [
            a_change(1, "old"), a_change(2, "a"), a_change(3, "old", withdrawn=True, first=False, before=Seq(1)),
            a_change(4, "a", first=False, before=Seq(2)),
        ]  # fmt: skip
        async with self.opened() as store:
            writes = Writes(changes=rows, views=[a_view("a", seq=4)], heads=head_after(rows))
            writes.past_ids = [replace(a_view("a", seq=3), object_id=an_id("old"))]
            await self.write(store, writes)
            ids = [an_id("old"), an_id("a")]
            found = [(await store.logs.as_of(1, ids, Seq(at))).row for at in (1, 2, 3, 4)]
            assert [row and row.seq for row in found] == [1, 2, 2, 4]

    async def test_things_are_found_by_a_value_only_where_they_are_shown(self) -> None:
        value, host = value_key("198.51.100.0/24"), host_key("c2.example")
        async with self.opened() as store:
            views = [a_view("a"), a_view("b", 2, 2), a_view("c", seq=3, alive=False), a_view("d", seq=4)]
            values: dict[CanonicalKey, Mapping[bytes, bool]] = {a_thing(name): {value: True} for name in "abc"}
            values[a_thing("d")] = {value: False, host: True}
            await self.write(store, Writes(values=values, views=views))
            assert list(await store.things.asserting([value], [1], 10)) == [a_thing("a")]
            both = sorted([a_thing("a"), a_thing("b")])
            assert list(await store.things.asserting([value], [1, 2], 10)) == both
            assert list(await store.things.asserting([value], [1, 2], 1)) == both[:1]
            assert list(await store.things.asserting([host, value_key("none")], [1], 10)) == [a_thing("d")]

    async def test_relationships_are_found_by_their_ends_only_where_they_are_shown(self) -> None:
        one, other, hidden = (a_claim(name) for name in ("a", "b", "c"))
        placed = replace(other, thing=None)
        end = StixId("malware--1")
        async with self.opened() as store:
            kinds = [a_view("a", type="relationship"), a_view("t", 1, 2, type="relationship"), a_view("t", 2, 1)]
            rows = [a_change(1, "a"), a_change(2, "t")]
            writes = Writes(claims=[one, placed, hidden], views=kinds, changes=rows, heads=head_after(rows))
            writes.references = {claim.key: (end, an_id("x")) for claim in (one, other, hidden)}
            writes.placements = {placed.key: {1: a_thing("t"), 2: a_thing("none")}}
            await self.write(store, writes)
            found = await store.things.linked([end], 1, 10)
            assert {shown.view.thing: shown.body for shown in found} == {a_thing("a"): b"a", a_thing("t"): b"t"}
            assert len(await store.things.linked([end], 1, 1)) == 1
            assert list(await store.things.linked([end], 2, 10)) == []
            assert list(await store.things.linked([StixId("malware--2")], 1, 10)) == []

    async def test_claims_of_a_source_that_no_collection_shows_are_found(self) -> None:
        one, placed, other = a_claim("a"), replace(a_claim("b"), thing=None), a_claim("c")
        ended, foreign, gone = a_claim("d"), a_claim("e", 2), replace(a_claim("f"), state=ClaimState.WITHDRAWN)
        made = [one, placed, other, ended, foreign, gone]
        ids = {claim.id for claim in made} | {an_id("unknown")}
        async with self.opened() as store:
            await add_centres(store, 1)
            views = [a_view("a"), a_view("t", 1, 2), replace(a_view("d", 1, 3), alive=False)]
            writes = Writes(claims=made, views=views, changes=[a_change(1, "a"), a_change(2, "t"), a_change(3, "d")])
            writes.heads = head_after(writes.changes)
            writes.placements = {placed.key: {1: a_thing("t"), 2: a_thing("t")}}
            await self.write(store, writes)
            not_shown = store.own_claims.not_shown
            assert list(await not_shown(1, ids, [1])) == sorted([other.id, ended.id])
            assert list(await not_shown(1, ids, [2])) == sorted([one.id, placed.id, other.id, ended.id])
            assert list(await not_shown(1, ids, [2, 1])) == sorted([other.id, ended.id])
            assert list(await not_shown(1, [other.id], [1])) == [other.id]
            assert list(await not_shown(2, ids, [1])) == [foreign.id]
            assert list(await not_shown(1, [], [1])) == []

    async def test_where_claims_are_shown_is_found_for_each(self) -> None:
        one, placed, ended, foreign = a_claim("a"), replace(a_claim("b"), thing=None), a_claim("d"), a_claim("e", 2)
        async with self.opened() as store:
            await add_centres(store, 1)
            views = [a_view("a"), a_view("a", 2, 1), a_view("t", 1, 2), replace(a_view("d", 1, 3), alive=False)]
            writes = Writes(claims=[one, placed, ended, foreign], views=views)
            writes.changes = [a_change(1, "a"), a_change(2, "t"), a_change(3, "d")]
            writes.heads = head_after(writes.changes)
            writes.placements = {placed.key: {1: a_thing("t"), 3: a_thing("a")}}
            await self.write(store, writes)
            keys = [claim.key for claim in (one, placed, ended, foreign)]
            found = await store.own_claims.showing(keys, [1, 3])
            assert dict(found) == {one.key: [ShownUnder(1, an_id("a"))], placed.key: [ShownUnder(1, an_id("t"))]}
            both = await store.own_claims.showing([one.key], [1, 2])
            assert [place.collection for place in both[one.key]] == [1, 2]
            assert dict(await store.own_claims.showing(keys, [])) == {}

    async def test_all_claims_of_a_source_are_found_page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = [a_claim(name) for name in "abcdefg"] + [a_claim("x", 2)]
        made[1] = replace(made[1], state=ClaimState.WITHDRAWN)
        made[5] = replace(made[5], state=ClaimState.REVOKED)
        async with self.opened() as store:
            await add_centres(store, 1)
            await self.write(store, Writes(claims=made))
            for scanned in (20_000, 3, 1):
                monkeypatch.setattr("hub.store.own_claims._SCANNED", scanned)
                for states in (
                    set(ClaimState),
                    {ClaimState.LIVE},
                    {ClaimState.REVOKED},
                    {ClaimState.WITHDRAWN_STANDING},
                ):
                    found: list[str] = []
                    after: int | None = 0
                    while after is not None:
                        page = await store.own_claims.claims_from(1, states, after, 2)
                        assert len(page.claims) <= 2
                        assert page.next_after is None or page.next_after > after
                        found, after = [*found, *(own.id for own in page.claims)], page.next_after
                    assert sorted(found) == sorted(one.id for one in made[:7] if one.state in states), (scanned, states)

    async def test_a_source_finds_what_is_held_of_it(self) -> None:
        def held(name: str, **more: object) -> Held:
            made = Held(0, 1, an_id(name), "list.hit", "list", "why", b"{}", b"\0" * 24, None, 0, START_US)
            return replace(made, **more)  # type: ignore[arg-type] # fields of Held

        async with self.opened() as store:
            await add_centres(store, 1)
            await self.write(store, Writes(held=[held("a"), held("b"), held("c", source=2), held("d", receipt="r")]))
            waiting = [HeldState.WAITING]
            first = list(await store.intake.held_of(1, waiting, 0, 2))
            assert [(one.stix_id, one.code, one.says, one.at_us, one.state, one.is_withdrawal) for one in first] == [
                (an_id(name), "list.hit", "why", START_US, HeldState.WAITING, False) for name in "ab"
            ]
            (rest,) = await store.intake.held_of(1, waiting, first[-1].no, 2)
            assert (rest.stix_id, rest.receipt) == (an_id("d"), "r")
            assert list(await store.intake.held_of(1, [HeldState.REFUSED], 0, 2)) == []

    async def test_what_is_held_is_found_by_its_thing_and_by_its_id(self) -> None:
        def held(name: str, **more: object) -> Held:
            made = Held(0, 1, an_id(name), "list.hit", "list", "why", b"{}", b"\0" * 24, None, 0, START_US)
            return replace(made, **more)  # type: ignore[arg-type] # fields of Held

        async with self.opened() as store:
            await add_centres(store, 1)
            waits, other = held("a", thing=a_thing("a")), held("b")
            await self.write(store, Writes(held=[waits, other, held("c", thing=a_thing("c"), value=b"")]))
            first = HeldAbout(a_thing("a"), 1, an_id("a"), "list.hit", HeldState.WAITING)
            assert list(await store.things.held_about([a_thing("a")], [])) == [first]
            second = HeldAbout(None, 1, an_id("b"), "list.hit", HeldState.WAITING)
            assert list(await store.things.held_about([a_thing("a")], [an_id("b")])) == [first, second]
            await self.write(store, Writes(released=[1]))
            assert list(await store.things.held_about([a_thing("a")], [])) == []

    async def test_a_moment_of_the_store_answers_reads(self) -> None:
        async with self.opened() as store:
            await self.write(store, Writes(claims=[a_claim("a")]))
            async with store.snapshot() as moment:
                answers = await moment.load(Reads().update(CLAIM, [claim_key(1, an_id("a"))]))
            assert answers.of(CLAIM) == {a_claim("a").key: a_claim("a")}
            assert moment.deferred == {}

    async def test_things_are_looked_up_by_their_keys_and_by_the_values_that_they_name(self) -> None:
        value, around = value_key("198.51.100.7"), value_key("198.51.100.0/24")
        rows = [a_change(1, "a"), a_change(2, "b"), a_change(3, "c"), a_change(4, "d", body=b"x" * 20_000)]
        rows.append(replace(a_change(5, "e", withdrawn=True), body=b""))
        views = [a_view(name, seq=no) for no, name in enumerate("abcd", 1)] + [a_view("e", seq=5, alive=False)]
        values: dict[CanonicalKey, Mapping[bytes, bool]] = {a_thing(name): {value: True} for name in "be"}
        values |= {a_thing("c"): {around: True}, a_thing("none"): {value: True, around: True}}
        values |= {a_thing("other"): {value: True}}
        async with self.opened() as store:
            writes = Writes(values=values, views=[*views, a_view("other", 2)], changes=rows, heads=head_after(rows))
            await self.write(store, writes)
            asked = SearchKeys([a_thing("a"), a_thing("d")], [value], [around], [1], 10, 1 << 20)
            found = await store.things.look_up(asked)
            named = [(value, a_thing("b")), (value, a_thing("e")), (around, a_thing("c"))]
            assert sorted(found.named) == sorted(named)
            shown = {view.thing: (view.alive, view.body) for view in found.views}
            assert shown == {
                a_thing("a"): (True, b"a"), a_thing("b"): (True, b"b"), a_thing("c"): (True, b"c"),
                a_thing("d"): (True, b"x" * 20_000), a_thing("e"): (False, b""),
            }  # fmt: skip
            assert {view.collection for view in found.views} == {1}
            gone = await store.things.look_up(asked._replace(things=[], values=[], around=[value]))
            assert [thing for _, thing in gone.named] == [a_thing("b")], "around a value is only what is shown now"
            assert list((await store.things.look_up(asked._replace(collections=[3]))).views) == []
            assert list((await store.things.look_up(asked._replace(collections=[]))).named) == []
            too_large = await store.things.look_up(asked._replace(limit_bytes=19_999))
            assert (too_large.is_too_large, too_large.views) == (True, ())

    async def test_of_each_key_the_first_things_are_looked_up_however_many_there_are(self) -> None:
        names = [f"n{no}" for no in range(30)]
        keys = [value_key("common"), value_key("rare")]
        values: dict[CanonicalKey, Mapping[bytes, bool]] = {a_thing(name): {keys[0]: True} for name in names}
        values[a_thing("n7")] = {keys[0]: True, keys[1]: True}
        async with self.opened() as store:
            await self.write(store, Writes(values=values, views=[a_view(name) for name in names]))
            first = sorted(map(a_thing, names))[:4]
            expected = sorted([*((keys[0], thing) for thing in first), (keys[1], a_thing("n7"))])
            for usual in (10_000, 5):  # together, and one by one
                reads = looking_up.named_things(keys, [], (1,), limit=4, usual=usual)
                assert sorted(await store.read_in_turn(reads)) == expected

    async def test_networks_are_found_however_many_are_looked_for_and_are_named(self) -> None:
        widths = [width_key("ipv4-addr", 24), width_key("ipv4-addr", 16)]
        values: dict[CanonicalKey, Mapping[bytes, bool]] = {a_thing(name): {widths[0]: True} for name in "ac"}
        values[a_thing("b")] = {widths[1]: True}
        many = [a_thing(f"n{no}") for no in range(looking_up._FEW_NETWORKS)]
        async with self.opened() as store:
            views = [a_view("a"), a_view("b"), a_view("c", 2), a_view("d")]
            await self.write(store, Writes(values=values, views=views))
            few = SearchKeys([a_thing("d")], [], [], [1], 10, 1 << 20, [a_thing("a"), a_thing("c")], widths)
            every = few._replace(networks=[*few.networks, *many])
            for asked in (few, every):
                found = await store.things.look_up(asked)
                assert {view.thing for view in found.views} == {a_thing("a"), a_thing("d")}
                assert list(found.named) == []
            named = await store.read_in_turn(looking_up.named_networks(every))
            assert set(named) == {a_thing("a"), a_thing("c")}
            assert await store.read_in_turn(looking_up.named_networks(every, most=2)) == every.networks

    async def test_whether_anything_has_a_key_is_known(self) -> None:
        keys = [value_key(f"{no}") for no in range(160)]
        async with self.opened() as store:
            await self.write(store, Writes(values={a_thing("a"): {keys[3]: True}, a_thing("b"): {keys[159]: False}}))
            found = await store.things.is_known(keys)
            assert [no for no, is_known in enumerate(found) if is_known] == [3, 159]
            assert list(await store.things.is_known([])) == []
