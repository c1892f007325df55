"""Withdrawals that stand, soft ones, and those that are taken back: docs/semantics.md, section 3, "Ways out"."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.model.claims import ClaimState
from hub.model.problems import Code
from hub.model.words import State, Withdrawal
from tests.core.test_contributions import OBSERVED, Hub, M, ends, observed, parts
from tests.examples import few
from tests.story import TLP, TakesBack, malware, uid

ACCEPTED, UNCHANGED, HELD, REJECTED = State.ACCEPTED, State.UNCHANGED, State.HELD, State.REJECTED
STANDS = (UNCHANGED, Code.WITHDRAWAL_STANDS)
UNKNOWN = (UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
STANDING, SOFT, RESTORED = TakesBack(M), M, TakesBack(M, Withdrawal.RESTORE)


def an_address(**more: Any) -> dict[str, Any]:
    """An object without ``modified``."""
    obj = {"type": "ipv4-addr", "spec_version": "2.1", "id": f"ipv4-addr--{uid('a')}", "value": "198.51.100.7"}
    return {**obj, "object_marking_refs": [TLP["green"]], **more}


A = an_address()["id"]


def told(*said: Any) -> tuple[Hub, list[tuple[str, ...]]]:
    """A hub that was told these one after the other, and how each ended."""
    hub = Hub()
    return hub, [hub.one(one) for one in said]


# ---------------------------------------------------------------- what does not come back


def test_what_was_withdrawn_for_a_mistake_stays_out_until_a_newer_version_comes() -> None:
    hub, found = told(malware(at=5), STANDING, malware(at=5), malware(at=4), malware(at=5, name="other"), malware(at=6))
    assert found == [(ACCEPTED,), (ACCEPTED,), STANDS, STANDS, STANDS, (ACCEPTED,)]
    assert hub.state(M) is ClaimState.LIVE


def test_the_same_content_of_what_has_no_modified_stays_out_and_other_content_comes_in() -> None:
    hub, found = told(an_address(), TakesBack(A), an_address(), an_address(), an_address(x_note="seen"))
    assert found == [(ACCEPTED,), (ACCEPTED,), STANDS, STANDS, (ACCEPTED,)]
    assert hub.one(an_address()) == (ACCEPTED,)  # it is claimed again, and the latest content counts


def test_what_a_source_merely_lists_no_more_comes_back_with_the_next_list() -> None:
    for obj in (malware(at=5), an_address()):
        hub, found = told(obj, obj["id"], obj)
        assert found == [(ACCEPTED,)] * 3
        assert hub.state(obj["id"]) is ClaimState.LIVE


def test_a_withdrawal_that_is_taken_back_lets_in_what_comes_after_and_shows_nothing_by_itself() -> None:
    hub, found = told(malware(), STANDING, RESTORED)
    assert found == [(ACCEPTED,)] * 3
    assert hub.state(M) is ClaimState.WITHDRAWN
    assert hub.one(malware()) == (ACCEPTED,)
    assert hub.state(M) is ClaimState.LIVE


def test_there_is_nothing_to_take_back_where_no_withdrawal_stands() -> None:
    assert told(RESTORED)[1] == [UNKNOWN]
    assert told(malware(), RESTORED)[1] == [(ACCEPTED,), UNKNOWN]
    assert told(malware(), SOFT, RESTORED)[1] == [(ACCEPTED,), (ACCEPTED,), UNKNOWN]
    assert told(malware(), STANDING, RESTORED, RESTORED)[1] == [(ACCEPTED,), (ACCEPTED,), (ACCEPTED,), UNKNOWN]
    hub = Hub()
    hub.batch(malware(at=5), STANDING, malware(at=6))
    assert hub.one(RESTORED) == UNKNOWN  # a newer version has come
    assert hub.state(M) is ClaimState.LIVE


def test_a_restoration_in_another_spelling_reaches_the_id() -> None:
    hub = Hub()
    hub.batch(malware(), STANDING)
    assert hub.one(TakesBack(f' "{M}"', Withdrawal.RESTORE)) == (ACCEPTED, Code.WITHDRAWAL_LENIENT)


# ---------------------------------------------------------------- one withdrawal after another


def test_a_soft_withdrawal_does_not_end_one_that_stands() -> None:
    assert told(malware(), STANDING, SOFT, malware())[1] == [(ACCEPTED,), (ACCEPTED,), UNKNOWN, STANDS]


def test_a_withdrawal_that_stands_keeps_out_what_was_softly_withdrawn_before() -> None:
    for obj in (malware(), an_address()):
        gone = TakesBack(obj["id"])
        assert told(obj, obj["id"], gone, obj)[1] == [(ACCEPTED,), (ACCEPTED,), (ACCEPTED,), STANDS]
        assert told(obj, gone, gone)[1] == [(ACCEPTED,), (ACCEPTED,), UNKNOWN]


def test_where_nothing_stood_there_is_nothing_that_could_stay_out() -> None:
    assert told(STANDING, malware())[1] == [UNKNOWN, (ACCEPTED,)]


def test_a_newer_version_ends_what_stood_so_that_after_a_soft_withdrawal_any_version_counts() -> None:
    hub, found = told(malware(at=5), STANDING, malware(at=6), SOFT, malware(at=5))
    assert found == [(ACCEPTED,)] * 5
    assert hub.one(STANDING) == (ACCEPTED,)
    assert hub.one(malware(at=6)) == (ACCEPTED,)


def test_a_revoked_version_that_was_withdrawn_stays_out_and_older_ones_with_it() -> None:
    revoked = malware(at=5, revoked=True)
    assert told(malware(), revoked, STANDING, revoked, malware(), malware(at=6))[1] == [
        (ACCEPTED,), (ACCEPTED,), (ACCEPTED,), STANDS, STANDS, (ACCEPTED,),
    ]  # fmt: skip


# ---------------------------------------------------------------- held objects


def test_a_held_object_that_is_withdrawn_for_a_mistake_is_not_held_again() -> None:
    hub, found = told(malware(name="held"), STANDING, malware(name="held"), malware(name="held", at=1))
    assert found == [(HELD, Code.LIST_HIT), (ACCEPTED,), STANDS, (HELD, Code.LIST_HIT)]
    assert hub.waiting == [M]
    assert told(malware(name="held"), SOFT, malware(name="held"))[1][-1] == (HELD, Code.LIST_HIT)


def test_what_stands_and_what_is_held_beside_it_both_stay_out() -> None:
    for live, held in ((malware(at=1), malware(name="held", at=2)), (an_address(), an_address(name="held"))):
        hub, found = told(live, held, TakesBack(live["id"]), live, held)
        assert found == [(ACCEPTED,), (HELD, Code.LIST_HIT), (ACCEPTED,), STANDS, STANDS]
        assert hub.waiting == []


def test_a_held_object_beside_a_withdrawal_that_stands_can_be_withdrawn_too() -> None:
    hub, found = told(malware(at=1), STANDING, malware(name="held", at=2), STANDING, malware(name="held", at=2))
    assert found == [(ACCEPTED,), (ACCEPTED,), (HELD, Code.LIST_HIT), (ACCEPTED,), STANDS]
    assert hub.one(malware(at=3)) == (ACCEPTED,)


def test_a_soft_withdrawal_of_a_held_object_leaves_the_one_that_stands() -> None:
    found = told(malware(at=1), STANDING, malware(name="held", at=2), SOFT, malware(at=1))[1]
    assert found[3:] == [(ACCEPTED,), STANDS]


def test_taking_back_a_withdrawal_leaves_what_is_held_later() -> None:
    hub, found = told(malware(at=1), STANDING, malware(name="held", at=2), RESTORED)
    assert found[-1] == (ACCEPTED,)
    assert hub.waiting == [M]


def test_a_released_object_that_came_before_the_withdrawal_stays_out_and_a_newer_one_after_it_counts() -> None:
    hub = Hub()
    hub.batch(malware(at=1), at=1)
    hub.batch(STANDING, at=3)
    assert hub.one(malware(name="held", at=2), released=Code.LIST_HIT, at=2) == (UNCHANGED, Code.VERSION_OLDER)
    assert hub.one(malware(name="held", at=1), released=Code.LIST_HIT, at=4) == STANDS
    assert hub.one(malware(name="held", at=2), released=Code.LIST_HIT, at=4) == (ACCEPTED,)


# ---------------------------------------------------------------- marked above the ceiling


def test_what_was_superseded_by_a_version_above_the_ceiling_does_not_come_back() -> None:
    red = malware(at=5, tlp="red")
    refused = (REJECTED, Code.MARKING_ABOVE_CEILING)
    hub, found = told(malware(at=1), red, malware(at=1), malware(at=4), red)
    assert found == [(ACCEPTED,), refused, STANDS, STANDS, refused]
    assert hub.one(malware(at=5)) == (ACCEPTED,)  # the same version, now marked as it may be


def test_of_what_has_no_modified_the_later_marking_counts_also_after_one_above_the_ceiling() -> None:
    red = an_address(object_marking_refs=[TLP["red"]])
    assert told(an_address(), red, an_address())[1] == [
        (ACCEPTED,), (REJECTED, Code.MARKING_ABOVE_CEILING), (ACCEPTED,),
    ]  # fmt: skip


def test_a_version_above_the_ceiling_that_does_not_increment_modified_keeps_out_older_ones_only() -> None:
    _, found = told(malware(at=5), malware(at=5, tlp="red"), malware(at=4), malware(at=5, name="corrected"))
    assert found[2:] == [STANDS, (ACCEPTED,)]


# ---------------------------------------------------------------- the parts of observed-data


WHOLE = observed(0, "198.51.100.7", "198.51.100.8")


def test_the_parts_of_a_whole_that_was_withdrawn_come_back_with_a_newer_one() -> None:
    hub = Hub()
    hub.batch(WHOLE, TakesBack(OBSERVED))
    assert hub.one(WHOLE) == STANDS
    assert parts(hub) == {}
    assert hub.one(observed(1, "198.51.100.7")) == (ACCEPTED, Code.STIX_LIFTED)
    assert parts(hub).keys() == {"198.51.100.7"}


def test_a_part_that_was_withdrawn_for_a_mistake_stays_out_of_the_whole() -> None:
    hub = Hub()
    hub.batch(WHOLE)
    part = parts(hub)["198.51.100.7"]
    assert hub.one(TakesBack(part)) == (ACCEPTED,)
    assert hub.one(WHOLE) == (UNCHANGED, Code.VERSION_SAME)
    newer = observed(1, "198.51.100.7", "198.51.100.8")
    assert hub.one(newer) == (ACCEPTED, Code.STIX_LIFTED, Code.WITHDRAWAL_PART_STANDS)
    assert parts(hub).keys() == {"198.51.100.8"}
    hub.batch(OBSERVED, newer)  # a soft withdrawal of the whole ends nothing that stands
    assert parts(hub).keys() == {"198.51.100.8"}
    hub.batch(TakesBack(part, Withdrawal.RESTORE), newer)
    assert parts(hub).keys() == {"198.51.100.7", "198.51.100.8"}


# ---------------------------------------------------------------- order, batches, repetition


def test_an_earlier_withdrawal_or_restoration_changes_nothing_that_came_later() -> None:
    hub = Hub()
    hub.batch(malware(), at=5)
    assert hub.one(STANDING, at=4) == UNKNOWN
    hub.batch(STANDING, at=6)
    assert hub.one(RESTORED, at=5) == UNKNOWN
    assert hub.state(M) is ClaimState.WITHDRAWN_STANDING


def test_a_message_that_is_processed_again_changes_nothing() -> None:
    one = malware(at=1)
    said = [one, STANDING, one, RESTORED, one, SOFT, STANDING, one, malware(at=2), STANDING, malware(at=1), RESTORED]
    for count in range(1, len(said) + 1):
        hub = Hub()
        for second, one in enumerate(said[:count]):
            hub.batch(one, at=second)
        before = dict(hub.store.tables.claims)
        for second, one in enumerate(said[:count]):
            hub.batch(one, at=second)
            assert hub.store.tables.claims == before, (count, second)


@st.composite
def versions(draw: st.DrawFn) -> Any:
    """A version, or a withdrawal of any kind, under one id."""
    if draw(st.booleans()):
        return TakesBack(M, draw(st.sampled_from(Withdrawal)))
    return malware(at=draw(st.sampled_from([1, 2, 3])), name=draw(st.sampled_from(["a", "b"])))


@few(300)
@given(st.lists(versions(), max_size=10))
def test_what_counts_is_told_by_the_messages_under_the_id_alone(said: list[Any]) -> None:
    """The rule once more: what counts is the newest since the last withdrawal, and newer than what a withdrawal that
    stands has cancelled.
    """
    live: dict[str, Any] | None = None
    out: str = ""
    """What is not newer stays out."""
    last: str = ""
    """What the last withdrawal has cancelled."""
    hub = Hub()
    for one in said:
        if not isinstance(one, TakesBack):
            end = STANDS if live is None and one["modified"] <= out else _compared(live, one)
            if end[0] == ACCEPTED:
                live, out = one, ""
        elif one.how is Withdrawal.RESTORE:
            end, out = (ACCEPTED,) if out else UNKNOWN, ""
        else:
            end = (ACCEPTED,) if live or (last and not out and one.how is Withdrawal.STANDS) else UNKNOWN
            last = live["modified"] if live else last
            out = last if one.how is Withdrawal.STANDS and end[0] == ACCEPTED else out
            live = None
        assert hub.one(one) == end
        claim = hub.claim(M)
        assert (claim.obj if claim is not None and claim.body else None) == live


def _compared(live: dict[str, Any] | None, new: dict[str, Any]) -> tuple[str, ...]:
    if live is None or new["modified"] > live["modified"]:
        return (ACCEPTED,)
    if new["modified"] < live["modified"]:
        return (UNCHANGED, Code.VERSION_OLDER)
    return (UNCHANGED, Code.VERSION_SAME) if new == live else (ACCEPTED, Code.VERSION_NOT_INCREMENTED)


def test_ends_of_a_batch_are_those_of_single_messages() -> None:
    said = [malware(at=1), STANDING, malware(at=1), RESTORED, malware(at=1)]
    assert list(map(ends, Hub().batch(*said))) == told(*said)[1]
