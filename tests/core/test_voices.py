"""How many independent voices there are, and how sure they are together: docs/semantics.md, section 5."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, prod
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.core.merge.project import Projection
from hub.core.merge.voices import confidence, voices
from hub.model.words import StixId
from tests.core.claims import a_policy, a_source, projection
from tests.examples import few
from tests.story import an_indicator, malware, uid

CONSTITUENT = StixId(f"identity--{uid('constituent')}")
ANOTHER = StixId(f"identity--{uid('another constituent')}")
VENDORS = [StixId(f"identity--{uid('vendor', n)}") for n in range(2)]
POLICY = a_policy(
    a_source(1, speaks_for=frozenset({CONSTITUENT})),
    a_source(2, speaks_for=frozenset({ANOTHER})),
    a_source(3, trust=50),
    a_source(4, trust=0),
)
IDENTITY_OF = {no: source.identity for no, source in POLICY.sources.items()}


def said(no: int, author: str | None = None, sure: int | None = None, name: object = "") -> Projection:
    """What a source claims about the one thing of these tests."""
    obj = an_indicator("198.51.100.7", f"{no} {author} {sure} {name}", created_by_ref=author, confidence=sure)
    return projection(POLICY, no, obj)


def by_voice(*claims: Projection) -> dict[str, list[Projection]]:
    return voices(claims, POLICY.source_of_identity)


def sure(*claims: Projection) -> int | None:
    return confidence(by_voice(*claims))


def grouped(claims: Sequence[Projection]) -> set[frozenset[int]]:
    """Which claims are one voice, whatever it is called."""
    return {frozenset(map(id, some)) for some in by_voice(*claims).values()}


@st.composite
def a_word(draw: st.DrawFn) -> Projection:
    """What a source may claim: for itself, for others, but not for another source."""
    no = draw(st.sampled_from(sorted(IDENTITY_OF)))
    author = draw(st.sampled_from([None, IDENTITY_OF[no], CONSTITUENT, ANOTHER, *VENDORS]))
    return said(no, author, draw(st.sampled_from([None, 0, 1, 10, 33, 55, 90, 99, 100])), draw(st.integers(0, 9)))


claims = st.lists(a_word(), min_size=1, max_size=7)


# ---------------------------------------------------------------- voices


def test_two_sources_are_two_voices_and_all_that_one_says_is_one() -> None:
    assert len(by_voice(said(1), said(2))) == 2
    assert len(by_voice(said(1, name="a"), said(1, name="b"), said(1, IDENTITY_OF[1]))) == 1


def test_those_for_whom_a_source_speaks_are_its_voice() -> None:
    assert len(by_voice(said(1), said(1, CONSTITUENT))) == 1


def test_what_another_source_relays_of_them_is_that_voice_too() -> None:
    assert len(by_voice(said(1), said(2, CONSTITUENT))) == 1
    assert len(by_voice(said(1), said(2, CONSTITUENT), said(2))) == 2
    assert len(by_voice(said(3, CONSTITUENT), said(2, CONSTITUENT))) == 1


def test_a_third_party_that_several_sources_relay_is_one_voice_of_its_own() -> None:
    assert len(by_voice(said(1, VENDORS[0]), said(2, VENDORS[0]))) == 1
    assert len(by_voice(said(1), said(2), said(1, VENDORS[0]), said(2, VENDORS[0]))) == 3


def test_what_nobody_else_sends_joins_the_voice_of_the_source_that_relays_it() -> None:
    assert len(by_voice(said(1), said(1, VENDORS[0]), said(1, VENDORS[1]))) == 1
    assert len(by_voice(said(1, VENDORS[0]), said(2, VENDORS[1]))) == 2


def test_relaying_those_of_others_who_are_silent_gains_nothing() -> None:
    assert len(by_voice(said(3), said(3, CONSTITUENT), said(3, ANOTHER))) == 1


def test_the_unknown_author_of_a_source_is_another_than_that_of_the_next() -> None:
    some = [projection(POLICY, no, malware(str(no))) for no in (1, 2)]
    assert [p.author for p in some] == [None, None]
    assert len(by_voice(*some)) == 2
    assert len(by_voice(some[0], said(1))) == 1


@given(claims)
def test_each_claim_is_in_one_voice(some: list[Projection]) -> None:
    assert sorted(id(p) for voice in by_voice(*some).values() for p in voice) == sorted(map(id, some))


@given(claims, st.sampled_from(sorted(IDENTITY_OF)), st.integers(1, 50))
def test_authors_that_nobody_else_relays_add_one_voice_at_most(some: list[Projection], no: int, count: int) -> None:
    invented = [said(no, StixId(f"identity--{uid('invented', n)}"), 100) for n in range(count)]
    assert len(by_voice(*some, *invented)) <= len(by_voice(*some)) + 1
    assert sure(*some, *invented) == sure(*some, invented[0])


@given(claims, st.data())
def test_the_order_of_claims_matters_neither_to_voices_nor_to_confidence(
    some: list[Projection], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(some))
    assert grouped(other) == grouped(some)
    assert sure(*other) == sure(*some)


# ---------------------------------------------------------------- confidence


def test_confidence_is_absent_where_nobody_states_one() -> None:
    assert sure(said(1), said(2)) is None
    assert sure(said(1, sure=0)) == 0


def test_of_one_voice_the_greatest_counts() -> None:
    assert sure(said(1, sure=40), said(1, sure=70, name="b"), said(1, VENDORS[0], 60)) == 70


def test_voices_together_are_surer_than_each() -> None:
    assert sure(said(1, sure=50), said(2, sure=60)) == 80  # 100 - 50 x 40 / 100
    assert sure(said(1, sure=100), said(2, sure=10)) == 100


def test_trust_weakens_what_a_source_states() -> None:
    assert sure(said(3, sure=80)) == 40
    assert sure(said(4, sure=100)) == 0


def test_of_one_voice_the_greatest_is_found_after_trust() -> None:
    """One third party, relayed by a source that is trusted and by one that is trusted half."""
    assert sure(said(1, VENDORS[0], 50), said(3, VENDORS[0], 80)) == 50


def test_a_silent_claim_counts_as_50_before_trust_once_another_states_one() -> None:
    assert sure(said(1, sure=40), said(2)) == 70
    assert sure(said(1, sure=40), said(3)) == 55
    assert sure(said(1, sure=40), said(1, name="silent")) == 50


def test_confidence_is_rounded_down() -> None:
    assert sure(said(1, sure=33), said(2, sure=33)) == 55  # 55.11
    assert sure(said(1, sure=99), said(2, sure=99)) == 99  # 99.99
    assert sure(said(3, sure=1)) == 0


@given(st.lists(st.lists(st.tuples(st.integers(0, 100), st.none() | st.integers(0, 100)), min_size=1), min_size=1))
def test_confidence_is_exact(drawn: list[list[tuple[int, int | None]]]) -> None:
    """100 - prod(100 - c) / 100^(n-1), by fractions, for any number of voices and any trust."""
    policy = a_policy(*(a_source(trust + 1, trust=trust) for trust in {trust for some in drawn for trust, _ in some}))

    def stating(trust: int, said: int | None) -> Any:
        return projection(policy, trust + 1, an_indicator(confidence=said))

    found = confidence({str(n): [stating(*one) for one in some] for n, some in enumerate(drawn)})
    if all(said is None for some in drawn for _, said in some):
        assert found is None
        return
    per_voice = [max(Fraction(t * (50 if said is None else said), 100) for t, said in some) for some in drawn]
    doubt = prod((100 - c for c in per_voice), start=Fraction(1)) / Fraction(100) ** (len(per_voice) - 1)
    assert found == floor(100 - doubt)


@few(400)
@given(claims, claims)
def test_a_further_claim_never_lowers_confidence(some: list[Projection], more: list[Projection]) -> None:
    """INV-17, also where a claim makes the voices others than they were."""
    before = sure(*some)
    for further in more:
        some = [*some, further]
        after = sure(*some)
        assert before is None or (after is not None and after >= before)
        before = after


def test_confidence_stays_where_a_source_speaks_whose_constituent_another_has_relayed() -> None:
    some = [said(1, VENDORS[0], 90), said(2, CONSTITUENT, 90)]
    before, after = sure(*some), sure(*some, said(1))
    assert before is not None
    assert after is not None
    assert after >= before
