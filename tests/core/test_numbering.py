"""Numbers, dates, versions and the order of rows: docs/semantics.md, section 7, and section 6, "Owners' modified"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.merge.content import Content, content
from hub.core.merge.drafts import Draft
from hub.core.merge.numbering import NewRows, numbered
from hub.model.claims import Change, View
from hub.model.policy import Collection
from hub.model.stix_types import stix_type
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import CanonicalKey, Seq, StixId
from hub.model.writes import Head
from tests.contracts.store_values import a_thing
from tests.core.claims import CENTRES, a_policy
from tests.examples import few
from tests.story import START_US, moment, uid

POLICY = a_policy(audiences=(CENTRES, CENTRES))
ONE, TWO = POLICY.collections.values()
VOUCHED = frozenset({StixId(f"identity--{uid('hub')}")})
MS = 1000
"""Microseconds."""


def owned(kind: str = "malware", name: str = "m", modified: str | None = moment(), **said: Any) -> Content:
    """What an owner says, under its own id and times."""
    own = {
        "id": f"{kind}--{uid(kind, name)}",
        "created": moment(-9),
        **({} if modified is None else {"modified": modified}),
    }
    return content(kind, said, uses=("used",), own=own)


def last_of(kind: str) -> Content:
    """What an owner says under the last id that an object of a type can have."""
    return content(kind, {}, uses=(), own={"id": f"{kind}--{'f' * 8}-ffff-5fff-bfff-{'f' * 12}", "created": moment(-9)})


def hub_made(kind: str = "indicator", **said: Any) -> Content:
    """What the hub itself gives an id and times."""
    return content(kind, said, uses=("used",))


@dataclass
class Log:
    """What the hub has of its collections: rows, views, ends of logs, and the ids that views went by before."""

    rows: dict[int, list[Change]] = field(default_factory=dict)
    views: dict[tuple[int, CanonicalKey], View] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)
    past: dict[tuple[int, StixId], View] = field(default_factory=dict)
    now_us: int = START_US

    def batch(
        self, shown: Mapping[Any, Content | None], *, after_us: int = 1_000_000, at: Collection = ONE
    ) -> list[Change]:
        """The rows of a batch some time after the one before, after which a collection shows these things so."""
        return self.batches({at.no: shown}, after_us=after_us)[at.no]

    def batches(
        self, shown: Mapping[int, Mapping[Any, Content | None]], *, after_us: int = 1_000_000
    ) -> dict[int, list[Change]]:
        """The same for several collections."""
        self.now_us += after_us
        drafts = [d for no, some in shown.items() for name, now in some.items() if (d := self.draft(no, name, now))]
        out = numbered(
            drafts, {no: self.heads.get(no, Head(Seq(0), 0)) for no in shown}, self.now_us, VOUCHED, self.body
        )
        self.take(out)
        return {no: [row for row in out.changes if row.log == no] for no in shown}

    def draft(self, no: int, name: object, now: Content | None) -> Draft | None:
        """What the engine makes of it: None where nothing differs."""
        thing = a_thing(name)
        before = self.views.get((no, thing))
        alive = before is not None and before.alive
        kind = now.type if now is not None else before.type if before is not None else ""
        merged = kind == "indicator"
        if now is None:
            return (
                Draft(POLICY.collections[no], thing, before, None, before.object_id, merged)
                if before and alive
                else None
            )
        made = f"{now.type}--{uid(no, name, before.generation if before else 0)}"
        object_id = now.own_id or StixId(made)
        if before and alive and (before.digest, before.object_id) == (now.digest, object_id):
            return None
        past = None
        if now.own_id is not None and before is not None and before.object_id != now.own_id:
            past = self.last_shown(no, now.own_id)
        return Draft(POLICY.collections[no], thing, before, now, object_id, merged, past)

    def last_shown(self, no: int, object_id: StixId) -> Change | None:
        view = self.past.get((no, object_id))
        return (
            next((row for row in self.rows[no][: view.seq][::-1] if row.object_id == object_id and row.body), None)
            if view
            else None
        )

    def body(self, draft: Draft) -> bytes:
        assert draft.before is not None
        return self.rows[draft.collection.no][draft.before.seq - 1].body

    def take(self, out: NewRows) -> None:
        for row in out.changes:
            self.rows.setdefault(row.log, []).append(row)
        self.views |= {(view.collection, view.thing): view for view in out.views}
        self.past |= {(view.collection, view.object_id): view for view in out.past_ids}
        self.heads |= out.heads


def versions(rows: Sequence[Change]) -> list[tuple[str, bool, dict[str, Any]]]:
    return [(row.object_id, row.withdrawn, json.loads(row.body or b"{}")) for row in rows]


# ---------------------------------------------------------------- numbers and dates


def test_rows_are_numbered_on_from_where_the_log_ends_and_dated_by_the_batch() -> None:
    log = Log(heads={1: Head(Seq(41), START_US)})
    rows = log.batch({name: owned(name=name) for name in "abc"})
    assert [row.seq for row in rows] == [42, 43, 44]
    assert [row.date_added_us - log.now_us for row in rows] == [0, 20, MS]
    assert log.heads == {1: Head(Seq(44), log.now_us + MS)}


def test_the_last_row_of_each_type_in_a_batch_is_dated_on_a_whole_millisecond() -> None:
    log = Log(heads={1: Head(Seq(0), START_US + 777)})
    kinds = ("malware", "indicator", "report")
    log.batch({(kind, n): owned(kind, str(n)) for kind in kinds for n in range(4)}, after_us=1_234_567)
    rows = log.batch(
        {(kind, n): None if n < 2 else owned(kind, str(n), x=2) for kind in kinds for n in range(4)}, after_us=5
    )
    types = [row.type for row in rows]
    assert types == [*sorted(types[:6], key=types.index), *types[5::-1]]  # withdrawals in reverse
    last = [one != other for one, other in pairwise(types)]
    assert [row.date_added_us % MS == 0 for row, is_last in zip(rows, [*last, True], strict=True) if is_last] == [
        True
    ] * 5
    assert any(row.date_added_us % MS for row in rows)


@pytest.mark.parametrize("after_us", [1, 1_000_000, 1_234_567])
def test_the_last_row_of_a_batch_is_dated_on_a_whole_millisecond(after_us: int) -> None:
    log = Log(heads={1: Head(Seq(0), START_US + 777)})
    for shown in ({"a": hub_made(x=1)}, {"a": hub_made(x=2), "b": owned()}, {"a": None, "b": None}, {"a": hub_made()}):
        dates = [row.date_added_us for row in log.batch(shown, after_us=after_us)]
        assert dates[-1] % MS == 0
        assert dates == sorted(set(dates))


def test_each_collection_has_numbers_and_dates_of_its_own() -> None:
    log = Log(heads={1: Head(Seq(7), START_US), 2: Head(Seq(0), 0)})
    found = log.batches({1: {"a": owned()}, 2: {"a": owned(), "b": owned(name="b")}})
    assert {no: [row.seq for row in rows] for no, rows in found.items()} == {1: [8], 2: [1, 2]}
    assert found[1][0].date_added_us == found[2][0].date_added_us == log.now_us


def test_a_clock_that_is_put_back_puts_no_date_back() -> None:
    log = Log(heads={1: Head(Seq(1), START_US + 5_000_000)})
    (row,) = log.batch({"a": owned()}, after_us=-60_000_000)
    assert row.date_added_us == START_US + 5_001_000


def test_fifty_rows_share_a_millisecond_and_no_more() -> None:
    rows = Log().batch({n: owned(name=str(n)) for n in range(120)})
    by_ms = [row.date_added_us // MS for row in rows]
    assert max(map(by_ms.count, by_ms)) == 50


def test_what_the_hub_makes_was_modified_when_it_was_added_cut_to_milliseconds() -> None:
    log = Log()
    (row,) = log.batch({"a": hub_made(x=1)}, after_us=1_234_567)
    said = json.loads(row.body)
    assert (said["created"], said["modified"]) == (stix_time(row.date_added_us), stix_time(row.date_added_us))
    assert row.version_us == row.date_added_us // MS * MS
    (later,) = log.batch({"a": hub_made(x=2)})
    assert json.loads(later.body)["created"] == said["created"]
    assert parse_us(json.loads(later.body)["modified"]) == later.version_us == later.date_added_us // MS * MS


def test_a_second_version_in_one_millisecond_is_dated_in_the_next() -> None:
    log = Log()
    (first,) = log.batch({"a": hub_made(x=1)})
    second, _ = log.batch(
        {"a": hub_made(x=2), "b": last_of(first.type)}, after_us=1
    )  # the last row has a date of its own
    assert second.date_added_us == first.date_added_us // MS * MS + MS
    (third,) = log.batch({"a": hub_made(x=3)}, after_us=1)
    (gone,) = log.batch({"a": None}, after_us=1)
    assert gone.date_added_us == third.date_added_us + MS
    log = Log()
    (first,) = log.batch({"a": owned(modified=moment(60))})
    second, _ = log.batch({"a": owned(modified=moment(60), x=2), "b": last_of(first.type)}, after_us=1)
    assert second.date_added_us == first.date_added_us + 20  # an owner's version has a time of its own


# ---------------------------------------------------------------- the order of a batch

KINDS = ("malware", "indicator", "report", "identity", "marking-definition", "ipv4-addr", "relationship", "x-other")


@few(100)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.booleans()), unique_by=lambda one: one[:2]),
    st.data(),
)
def test_a_batch_has_objects_first_by_kind_and_id_then_withdrawals_in_reverse(
    drawn: list[tuple[str, int, bool]], data: st.DataObject
) -> None:
    log, again = Log(), Log()
    before = {(kind, n): owned(kind, str(n), x=1) for kind, n, goes in drawn if goes}
    for each in (log, again):
        each.batch(before)
    after = {(kind, n): None if goes else owned(kind, str(n), x=2) for kind, n, goes in drawn}
    rows = log.batch(after)
    places = [(stix_type(row.type).order, row.object_id) for row in rows]
    ends = [row.withdrawn for row in rows]
    assert ends == sorted(ends)
    assert places == sorted(places[: ends.count(False)]) + sorted(places[ends.count(False) :], reverse=True)
    assert again.batch(dict(data.draw(st.permutations(list(after.items()))))) == rows


def test_identities_that_the_hub_vouches_for_come_before_all_others_and_leave_after_them() -> None:
    (vouched,) = VOUCHED
    ours = replace(owned("identity", name="Hub"), own_id=vouched)
    marking, theirs = owned("marking-definition", modified=None), owned("identity", "other")
    log = Log()
    assert [row.object_id for row in log.batch({"a": theirs, "b": marking, "c": ours})] == [
        vouched, marking.own_id, theirs.own_id,
    ]  # fmt: skip
    assert [row.object_id for row in log.batch({"a": None, "b": None, "c": None})] == [
        theirs.own_id, marking.own_id, vouched,
    ]  # fmt: skip


# ---------------------------------------------------------------- versions


def test_the_first_version_of_an_owners_object_has_its_own_times() -> None:
    (row,) = Log().batch({"a": owned(modified="2026-01-01T00:00:00.123456Z", x=1)})
    said = json.loads(row.body)
    assert (said["created"], said["modified"]) == (moment(-9), "2026-01-01T00:00:00.123456Z")
    assert row.version_us == parse_us("2026-01-01T00:00:00.123456Z")
    assert (row.first, row.before) == (True, None)


def test_a_later_version_has_its_own_modified_where_that_is_greater() -> None:
    log = Log()
    log.batch({"a": owned(modified=moment(0), x=1)})
    (row,) = log.batch({"a": owned(modified=moment(5), x=2)})
    assert json.loads(row.body)["modified"] == moment(5)
    assert (row.first, row.before) == (False, 1)


@pytest.mark.parametrize("own", [moment(-5), moment(0), "2026-01-01T00:00:00.000999Z"])
@pytest.mark.parametrize("withdrawn_between", [True, False])
def test_otherwise_it_has_the_last_shown_plus_a_millisecond(own: str, withdrawn_between: bool) -> None:
    log = Log()
    log.batch({"a": owned(modified=moment(0), x=1)})
    if withdrawn_between:
        log.batch({"a": None})
    (row,) = log.batch({"a": owned(modified=own, x=2)})
    assert json.loads(row.body)["modified"] == moment(0.001)
    assert row.first == withdrawn_between


def test_a_time_of_an_owner_below_the_millisecond_is_counted_on_from() -> None:
    log = Log()
    log.batch({"a": owned(modified="2026-01-01T00:00:00.000123Z", x=1)})
    (row,) = log.batch({"a": owned(modified=moment(-5), x=2)})
    assert json.loads(row.body)["modified"] == "2026-01-01T00:00:00.001123Z"


def test_the_same_content_that_comes_back_keeps_its_modified() -> None:
    log = Log()
    log.batch({"a": owned(modified=moment(7), x=1)})
    log.batch({"a": None})
    (row,) = log.batch({"a": owned(modified=moment(9), x=1)})
    assert json.loads(row.body)["modified"] == moment(7)


def test_what_has_no_modified_has_none() -> None:
    log = Log()
    log.batch({"a": owned("ipv4-addr", modified=None, x=1)})
    (row,) = log.batch({"a": owned("ipv4-addr", modified=None, x=2)})
    assert "modified" not in json.loads(row.body)
    assert row.version_us == parse_us(moment(-9))
    bare = replace(owned("ipv4-addr", modified=None, x=3), created=None)
    (row,) = log.batch({"a": bare})
    assert row.version_us == row.date_added_us


# ---------------------------------------------------------------- leaving


def test_what_the_hub_makes_leaves_with_a_last_revoked_version_of_the_content_before() -> None:
    log = Log()
    (shown,) = log.batch({"a": hub_made(pattern="[x]", labels=["l"])})
    (gone,) = log.batch({"a": None})
    before, last = json.loads(shown.body), json.loads(gone.body)
    assert last == before | {"modified": stix_time(gone.date_added_us), "revoked": True}
    assert (gone.withdrawn, gone.object_id, gone.before, gone.first) == (True, shown.object_id, 1, False)
    view = log.views[1, a_thing("a")]
    assert (view.alive, view.generation, view.uses) == (False, 1, ())


def test_the_generations_of_a_collection_begin_above_those_of_what_was_erased() -> None:
    log, begun = Log(), replace(ONE, first_generation=3)
    log.take(
        numbered(
            [Draft(begun, a_thing("a"), None, hub_made(), StixId("x"), True)],
            {1: Head(Seq(0), 0)},
            0,
            VOUCHED,
            log.body,
        )
    )
    assert log.views[1, a_thing("a")].generation == 3
    log.batch({"a": None})
    assert log.views[1, a_thing("a")].generation == 4


def test_everything_else_leaves_without_a_version() -> None:
    for now in (owned(), owned("ipv4-addr", modified=None), hub_made("malware", x=1)):
        log = Log()
        log.batch({"a": now})
        (gone,) = log.batch({"a": None})
        assert (gone.withdrawn, gone.body, gone.version_us) == (True, b"", gone.date_added_us)


def test_only_what_leaves_without_a_version_takes_the_versions_before_with_it() -> None:
    log = Log()
    log.batch({"a": owned(), "b": hub_made(x=1)})
    log.now_us += 1
    drafts = [d for name in ("a", "b") if (d := log.draft(1, name, None))]
    out = numbered(drafts, log.heads, log.now_us, VOUCHED, log.body)
    assert out.hidden == {(1, row.seq) for row in out.changes if row.type == "malware"}


def test_a_thing_that_comes_back_gets_a_new_id_from_the_hub() -> None:
    log = Log()
    (first,) = log.batch({"a": hub_made(x=1)})
    (gone,) = log.batch({"a": None})
    again, _ = log.batch({"a": hub_made(x=1), "b": last_of("indicator")}, after_us=1)
    assert again.object_id != first.object_id
    assert again.date_added_us == gone.date_added_us + 20  # a new id may be modified in the same millisecond
    assert json.loads(again.body)["created"] == stix_time(again.date_added_us)
    assert (again.first, again.before) == (True, None)
    assert log.past[1, first.object_id].alive is False


def test_a_view_that_goes_by_another_id_leaves_under_the_old_one_in_the_same_batch() -> None:
    """Its source has become anonymous, and then goes by its name again."""
    named, unnamed, log = owned(modified=moment(3), x=1), hub_made("malware", x=1), Log()
    (first,) = log.batch({"a": named})
    came, left = log.batch({"a": unnamed})
    assert (came.withdrawn, left.withdrawn, left.object_id, left.before) == (False, True, named.own_id, first.seq)
    assert came.object_id != first.object_id
    assert log.views[1, a_thing("a")].object_id == came.object_id
    back, left = log.batch({"a": named})
    assert (back.object_id, left.object_id, left.before) == (named.own_id, came.object_id, came.seq)
    assert json.loads(back.body)["modified"] == moment(3)  # the same content
    (again, _) = log.batch({"a": unnamed})
    assert again.object_id != came.object_id  # an id of the hub that was over stays so
    other, _ = log.batch({"a": owned(modified=moment(2), x=2)})
    assert json.loads(other.body)["modified"] == moment(3.001)


# ---------------------------------------------------------------- any history of a log

SAID = st.one_of(
    st.none(),
    st.builds(
        lambda second, ms, x: owned(modified=exact_time(START_US + second * 1_000_000 + ms), x=x),
        st.integers(0, 3), st.sampled_from([0, 1, 999, 1000]), st.integers(0, 2),
    ),
    st.builds(lambda x: owned("ipv4-addr", "i", modified=None, x=x), st.integers(0, 2)),
    st.builds(lambda x: hub_made("malware", x=x), st.integers(0, 2)),
)  # fmt: skip
MERGED = st.one_of(st.none(), st.builds(lambda x: hub_made(x=x), st.integers(0, 2)))
THINGS = {"owner's": SAID, "indicator": MERGED, "another": MERGED}
batches = st.lists(
    st.tuples(
        st.integers(1, 2), st.sampled_from([-5_000_000, 0, 1, 15, 900, 1000, 1_000_000]),
        st.fixed_dictionaries({}, optional=THINGS),
    ),
    max_size=12,
)  # fmt: skip


@few(300)
@given(batches)
def test_every_log_keeps_the_rules_of_versions(drawn: list[tuple[int, int, dict[str, Content | None]]]) -> None:
    """INV-8 and INV-9 for whatever a collection comes to show."""
    log = Log()
    for no, after_us, shown in drawn:
        # one thing is of one type; an owner's is a malware or an address from the beginning on
        fit = {name: now for name, now in shown.items() if _is_of_its_type(log, no, name, now)}
        begun_us = log.heads[no].date_us if no in log.heads else 0
        for row in log.batches({no: fit}, after_us=after_us)[no]:
            assert row.date_added_us >= max(log.now_us, begun_us + 20)
            begun_us = row.date_added_us
    for no, rows in log.rows.items():
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        for one, other in pairwise(rows):
            assert other.date_added_us >= one.date_added_us + 20
        _check_versions(rows)
        shown_now = {view.object_id: view for (at, _), view in log.views.items() if at == no and view.alive}
        assert _folded(rows).keys() == shown_now.keys()
        for object_id, view in shown_now.items():
            assert rows[view.seq - 1].object_id == object_id
            assert log.heads[no] == Head(Seq(len(rows)), rows[-1].date_added_us)


def _is_of_its_type(log: Log, no: int, name: str, now: Content | None) -> bool:
    before = log.views.get((no, a_thing(name)))
    return now is None or before is None or before.type == now.type


def _folded(rows: Sequence[Change]) -> dict[StixId, bytes]:
    found: dict[StixId, bytes] = {}
    for row in rows:
        if row.withdrawn:
            del found[row.object_id]
        else:
            found[row.object_id] = row.body
    return found


def _check_versions(rows: Sequence[Change]) -> None:
    by_id: dict[StixId, list[Change]] = {}
    for row in rows:
        by_id.setdefault(row.object_id, []).append(row)
    for some in by_id.values():
        for one, other in pairwise(some):
            alive = not one.withdrawn
            assert (other.first, other.before) == ((False, one.seq) if alive else (True, None))
            if alive and not other.withdrawn:
                assert _without_stamps(one.body) != _without_stamps(other.body)
        by_modified: dict[str, bytes] = {}
        modified = []
        for row in some:
            if row.body and "modified" in (obj := orjson.loads(row.body)):
                assert by_modified.setdefault(obj["modified"], row.body) == row.body  # one id and modified, one content
                modified.append(parse_us(obj["modified"]))
        assert modified == sorted(modified)


def _without_stamps(body: bytes) -> dict[str, Any]:
    return {name: value for name, value in orjson.loads(body).items() if name not in ("created", "modified")}
