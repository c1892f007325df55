"""What the circuit breaker counts, what it holds, and what becomes of that: docs/semantics.md, section 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.core.breaker import Breaker, TakenBack
from hub.model.breaker import BreakerLimits, BreakerRecord, BreakerState
from hub.model.claims import ClaimState
from hub.model.policy import Policy
from hub.model.problems import Code
from hub.model.words import Level, State, StixId, Withdrawal
from tests.core.claims import a_policy, a_source
from tests.core.test_contributions import Hub, ends
from tests.story import START_US, TLP, TakesBack, an_object, malware, marking_of, uid

RO = a_source(1, default_level=Level.GREEN)
IT = a_source(2, default_level=Level.GREEN)
HELD = (State.HELD, Code.BREAKER_MASS_WITHDRAWAL)
MINUTE_US = 60_000_000
OWN = f"marking-definition--{uid('own')}"
DEFINITION = {
    "type": "marking-definition", "spec_version": "2.1", "id": OWN, "created": "2025-12-31T00:00:00.000Z",
    "definition_type": "statement", "definition": {"statement": "Ask first"},
}  # fmt: skip


def policy_with(share: int = 20, least: int = 2) -> Policy:
    return replace(a_policy(RO, IT), settings={"breaker.share": f"{share}%", "breaker.least": str(least)})


def a_hub(claims: int = 5, **limits: Any) -> Hub:
    """A hub in which a source has claimed so many things, and may take back two of them."""
    hub = Hub(policy_with(**limits))
    hub.batch(*(one(n) for n in range(claims)))
    return hub


def one(n: int, **more: Any) -> dict[str, Any]:
    return malware(f"m{n}", **more)


def id_of(n: int) -> str:
    return str(one(n)["id"])


def gone(n: int, how: Withdrawal = Withdrawal.STANDS) -> TakesBack:
    return TakesBack(id_of(n), how)


def tripped(**limits: Any) -> Hub:
    """A hub in which the withdrawals of 0 and 1 counted, and that of 2 is held."""
    hub = a_hub(**limits)
    assert [ends(each)[0] for each in hub.batch(gone(0), gone(1))] == [State.ACCEPTED] * 2
    assert hub.one(gone(2)) == HELD
    return hub


def waiting(hub: Hub) -> list[tuple[str, Withdrawal | None]]:
    return [(held.stix_id, held.withdrawal) for held in hub.store.tables.held.values()]


def confirm(hub: Hub) -> list[tuple[str, ...]]:
    """Confirm all that is held, and process it."""
    found = []
    for no, held in sorted(hub.store.tables.held.items()):
        del hub.store.tables.held[no]
        found += [ends(each) for each in hub.released(held)]
    hub.store.tables.breakers.clear()
    return found


# ---------------------------------------------------------------- what counts


@pytest.mark.parametrize(
    "takes_back",
    [
        pytest.param(lambda n: gone(n), id="withdrawal"),
        pytest.param(lambda n: gone(n, Withdrawal.SOFT), id="soft withdrawal"),
        pytest.param(lambda n: one(n, at=1, revoked=True), id="revocation"),
        pytest.param(lambda n: one(n, at=1, tlp="amber"), id="stricter marking"),
        pytest.param(lambda n: one(n, at=1, tlp=TLP["red"]), id="above the ceiling"),
        pytest.param(lambda n: one(n, at=1, object_marking_refs=[TLP["green"], marking_of("network")]), id="group"),
        pytest.param(lambda n: one(n, at=1, object_marking_refs=[OWN]), id="unknown marking"),
    ],
)
def test_what_ends_a_claim_or_takes_readers_from_it_is_counted_and_the_rest_is_held(takes_back: Any) -> None:
    hub = a_hub()
    before = hub.claim(id_of(2))
    assert HELD not in [ends(each) for each in hub.batch(takes_back(0), takes_back(1))]
    assert hub.one(takes_back(2)) == HELD
    assert hub.claim(id_of(2)) == before
    assert [stix_id for stix_id, _ in waiting(hub)] == [id_of(2)]


def test_what_ends_nothing_is_not_counted() -> None:
    hub = a_hub()
    hub.batch(one(0), one(0, at=1), one(1, at=1, tlp="clear"), one(2, at=1, name="x", revoked=False), one(9))
    hub.batch(gone(7), gone(8), one(8, revoked=True), TakesBack(id_of(0), Withdrawal.RESTORE))
    assert ends(hub.batch(gone(0))[0]) == (State.ACCEPTED,)
    assert hub.one(gone(0)) == (State.UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
    assert hub.one(gone(1)) == (State.ACCEPTED,)
    assert hub.one(gone(2)) == HELD


def test_other_messages_of_the_source_and_withdrawals_of_others_are_processed_as_usual() -> None:
    hub = tripped()
    hub.batch((IT, one(0)))
    assert hub.one(one(3, at=1, name="new")) == (State.ACCEPTED,)
    assert hub.one(one(7)) == (State.ACCEPTED,)
    assert hub.one((IT, gone(0))) == (State.ACCEPTED,)


def test_the_parts_of_observed_data_count_as_claims() -> None:
    inside = {str(n): {"type": "ipv4-addr", "value": f"198.51.100.{n}"} for n in range(3)}
    times: dict[str, Any] = {
        "first_observed": "2025-12-31T00:00:00Z",
        "last_observed": "2025-12-31T00:00:00Z",
        "number_observed": 1,
    }
    hub = a_hub(0)
    hub.batch(an_object("observed-data", "o", objects=inside, **times))
    fewer = an_object("observed-data", "o", objects={"0": inside["0"]}, at=1, **times)
    assert hub.one(fewer)[0] is State.ACCEPTED
    assert hub.one(an_object("observed-data", "o", objects=inside, at=2, **times))[0] is State.ACCEPTED
    assert hub.one(TakesBack(fewer["id"])) == HELD


def test_a_definition_that_goes_counts_for_all_that_carries_it() -> None:
    hub = a_hub(0)
    hub.batch(DEFINITION, *(one(n, object_marking_refs=[OWN, TLP["green"]]) for n in range(2)))
    assert hub.one(TakesBack(OWN)) == HELD
    hub = a_hub(0)
    hub.batch(DEFINITION, one(0, object_marking_refs=[OWN, TLP["green"]]))
    outcomes = hub.batch(one(1, object_marking_refs=[OWN, TLP["green"]]), TakesBack(OWN))
    assert ends(outcomes[1]) == HELD
    hub = a_hub(0)
    hub.batch(DEFINITION, one(0, object_marking_refs=[OWN, TLP["green"]]))
    assert hub.one(TakesBack(OWN)) == (State.ACCEPTED,)


def test_a_definition_that_becomes_stricter_counts_for_all_that_carries_it() -> None:
    def states(level: str) -> dict[str, Any]:
        return DEFINITION | {"definition": {"statement": f"TLP:{level}"}}

    hub = a_hub(0)
    hub.batch(states("GREEN"), *(one(n, object_marking_refs=[OWN]) for n in range(3)))
    assert hub.one(states("CLEAR")) == (State.ACCEPTED,)
    assert hub.one(states("AMBER")) == HELD


def test_a_marking_that_the_source_has_defined_is_resolved() -> None:
    hub = a_hub(0, least=0)
    hub.batch(DEFINITION, one(0, object_marking_refs=[OWN, TLP["green"]]), one(1))
    assert hub.one(one(1, at=1, object_marking_refs=[OWN, TLP["green"]])) == (State.ACCEPTED,)
    assert hub.one(one(0, at=1)) == (State.ACCEPTED,)
    assert hub.one(one(1, at=2, object_marking_refs=[TLP["amber"]])) == HELD


def test_switched_off_it_holds_nothing() -> None:
    hub = a_hub(share=0)
    assert [ends(each) for each in hub.batch(*(gone(n) for n in range(5)))] == [(State.ACCEPTED,)] * 5


# ---------------------------------------------------------------- how much


def counted(limits: BreakerLimits, live: int, *takes: tuple[int, TakenBack]) -> list[bool]:
    """What a source may take back, at these minutes, which has so many live claims."""
    breaker = Breaker(limits, {1: BreakerRecord(BreakerState(), live)})
    return [breaker.lets_pass(1, START_US + minute * MINUTE_US, what) for minute, what in takes]


def test_a_share_of_the_live_claims_may_go_and_never_less_than_the_least() -> None:
    ended = TakenBack(1, 1)
    assert counted(BreakerLimits(20, 2), 10, *[(0, ended)] * 3) == [True, True, False]
    assert counted(BreakerLimits(50, 2), 10, *[(0, TakenBack(1, 0))] * 6) == [True] * 5 + [False]
    assert counted(BreakerLimits(20, 4), 10, *[(0, ended)] * 5) == [True] * 4 + [False]
    assert counted(BreakerLimits(20, 0), 10, (0, TakenBack(3, 3))) == [False]


def test_what_was_ended_within_the_hour_still_belongs_to_the_whole() -> None:
    hub = a_hub(10, least=0)
    assert [ends(each)[0] for each in hub.batch(gone(0), gone(1), gone(2))] == [State.ACCEPTED] * 2 + [State.HELD]


def test_an_hour_after_it_counted_a_claim_counts_no_more() -> None:
    limits = BreakerLimits(1, 2)
    assert counted(limits, 10, (0, TakenBack(2, 2)), (59, TakenBack(1, 1))) == [True, False]
    assert counted(limits, 10, (0, TakenBack(2, 2)), (60, TakenBack(1, 1)), (61, TakenBack(1, 1))) == [True, True, True]
    assert counted(limits, 10, (60, TakenBack(2, 2)), (0, TakenBack(1, 1))) == [True, False], "times that step back"


def test_once_tripped_it_holds_until_that_is_decided() -> None:
    assert counted(BreakerLimits(1, 2), 10, (0, TakenBack(3, 3)), (600, TakenBack(1, 1))) == [False, False]


# ---------------------------------------------------------------- what becomes of what is held


def test_what_is_confirmed_is_carried_out_and_what_comes_after_is_counted_anew() -> None:
    hub = tripped()
    assert hub.one(one(3, at=1, revoked=True)) == HELD
    assert confirm(hub) == [(State.ACCEPTED,), (State.ACCEPTED,)]
    assert hub.state(id_of(2)) is ClaimState.WITHDRAWN_STANDING
    assert hub.state(id_of(3)) is ClaimState.REVOKED
    assert hub.one(gone(4)) == (State.ACCEPTED,)
    assert hub.store.tables.live[1] == 0


def test_a_newer_version_supersedes_what_is_held() -> None:
    hub = tripped()
    assert hub.one(one(2, at=1)) == (State.ACCEPTED,)
    assert waiting(hub) == []


def test_a_held_withdrawal_that_stands_outlasts_the_next_read_of_the_source() -> None:
    hub = tripped()
    assert hub.one(one(2)) == (State.UNCHANGED, Code.VERSION_SAME)
    assert hub.one(gone(2, Withdrawal.SOFT)) == HELD
    assert waiting(hub) == [(id_of(2), Withdrawal.STANDS)]
    assert confirm(hub) == [(State.ACCEPTED,)]
    assert hub.one(one(2)) == (State.UNCHANGED, Code.WITHDRAWAL_STANDS)


@pytest.mark.parametrize("listed", [one(3), one(3, at=-7000)], ids=["again", "an older version"])
def test_a_source_that_lists_again_what_it_listed_no_more_ends_the_held_withdrawal(listed: dict[str, Any]) -> None:
    hub = tripped()
    assert hub.one(gone(3, Withdrawal.SOFT)) == HELD
    assert hub.one(listed)[0] is State.UNCHANGED
    assert waiting(hub) == [(id_of(2), Withdrawal.STANDS)]
    assert [ends(each)[0] for each in hub.batch(gone(3, Withdrawal.SOFT), listed)] == [State.HELD, State.UNCHANGED]
    assert waiting(hub) == [(id_of(2), Withdrawal.STANDS)]


def test_a_held_withdrawal_that_is_taken_back_is_soft() -> None:
    hub = tripped()
    assert hub.one(TakesBack(id_of(2), Withdrawal.RESTORE)) == HELD
    assert waiting(hub) == [(id_of(2), Withdrawal.SOFT)]
    assert hub.one(one(2)) == (State.UNCHANGED, Code.VERSION_SAME)
    assert waiting(hub) == []


def test_what_the_breaker_holds_leaves_what_waits_for_its_content() -> None:
    hub = tripped()
    hub.batch(malware("x"))
    assert hub.one(malware("x", name="held", at=1))[1] == Code.LIST_HIT
    assert hub.one(TakesBack(malware("x")["id"])) == HELD
    assert Code.LIST_HIT in {held.code for held in hub.store.tables.held.values()}


def test_an_object_that_is_confirmed_is_still_checked_by_the_lists() -> None:
    hub = tripped()
    assert hub.one(one(3, at=1, name="held", tlp="amber")) == HELD
    assert confirm(hub)[1] == (State.HELD, Code.LIST_HIT)


def test_it_does_not_matter_how_the_messages_are_divided() -> None:
    said = [gone(0), one(1, at=1, tlp="amber"), one(5), gone(5), gone(2), one(2, at=1), gone(3), one(4, at=1)]
    whole, single = a_hub(), a_hub()
    together = [ends(each) for each in whole.batch(*said)]
    assert together == [single.one(each) for each in said]
    assert whole.store.tables.claims == single.store.tables.claims
    assert list(whole.store.tables.held.values()) == list(single.store.tables.held.values())
    assert whole.store.tables.live == single.store.tables.live
    assert StixId(id_of(3)) in {held.stix_id for held in whole.store.tables.held.values()}
