"""Which claim counts from now on, and what becomes of each arrival: docs/semantics.md, sections 1 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.admission import Admitted, admitted
from hub.core.arrivals import released_arrivals
from hub.core.contribution_reads import further_reads, reads_for
from hub.core.contributions import Contributions
from hub.core.merge.facts import indexed_references
from hub.core.outcomes import Outcome, account
from hub.model.claims import Claim, ClaimKey, ClaimState, View, claim_key
from hub.model.policy import Policy
from hub.model.problems import Code
from hub.model.reads import HELD, REPLACED, Answers, HeldRecord, WaitingVersion
from hub.model.words import CanonicalKey, Level, Limits, Seq, State, StixId, Withdrawal
from hub.model.writes import Held, ReceiptCounts, Writes
from tests.core.claims import a_policy, a_source, a_stamp, an_arrival, held_if_named
from tests.examples import few
from tests.memory import MemoryStore
from tests.story import TLP, TakesBack, an_indicator, an_object, malware, marking_of, moment, uid

RO = a_source(1, default_level=Level.GREEN)
IT = a_source(2)
POLICY = a_policy(RO, IT)
OWN = f"marking-definition--{uid('own')}"


class Hub:
    """What a hub knows of what two sources have claimed, batch after batch."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.store = MemoryStore(policy, {})
        self.refused: set[bytes] = set()
        """Digests of what an operator has refused."""
        self.changed: dict[ClaimKey, tuple[Claim | None, Claim]] = {}
        """Of the last batch."""
        self._second = 0

    def batch(self, *said: Any, released: Code | None = None, at: int | None = None) -> list[Outcome]:
        """What becomes of each that a source says, objects and ids to withdraw; ``(source, said)`` for another one.
        ``at``: the second when they came, if it is not the next one.
        """
        arrivals = []
        for one in said:
            source, what = one if isinstance(one, tuple) else (RO, one)
            self._second += 1
            arrivals.append(an_arrival(source, what, self._second if at is None else at, released=released))
        return self.take(admitted(arrivals, self.policy, Limits(), held_if_named))

    def take(self, batch: Sequence[Admitted]) -> list[Outcome]:
        """One batch as a step goes about it."""
        answers = self.store.answer(reads_for(batch, self.policy))
        if further := further_reads(batch, self.policy, answers):
            answers.add(self.store.answer(further))
        held = {at: record._replace(refused=frozenset(self.refused)) for at, record in answers.of(HELD).items()}
        answers.put(HELD, held)
        contributions = Contributions(self.policy, answers)
        outcomes = [contributions.take(one) for one in batch]
        self.changed = dict(contributions.changed)
        writes = Writes(claims=[new for _, new in contributions.changed.values()])
        writes.references = {new.key: indexed_references(new, self.policy) for new in writes.claims}
        contributions.count(writes)
        account(outcomes, writes, 0)
        self.store.write(writes)
        return outcomes

    def released(self, held: Held) -> list[Outcome]:
        """What becomes of something that was held and is released."""
        return self.take(admitted(released_arrivals([held], self.policy), self.policy, Limits(), held_if_named))

    def one(self, said: Any, **how: Any) -> tuple[str, ...]:
        """The state and the codes of the one thing that is said."""
        (outcome,) = self.batch(said, **how)
        return ends(outcome)

    def claim(self, stix_id: str, no: int = 1) -> Claim | None:
        return self.store.tables.claims.get(claim_key(no, stix_id))

    def state(self, stix_id: str, no: int = 1) -> ClaimState | None:
        claim = self.claim(stix_id, no)
        return None if claim is None else claim.state

    @property
    def waiting(self) -> list[str]:
        """The names of what waits for the operator."""
        return sorted(held.stix_id for held in self.store.tables.held.values())


def ends(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.state, *(problem.code for problem in outcome.problems))


def a_definition(said: str) -> dict[str, Any]:
    found = an_object("marking-definition", "m", tlp=None, definition_type="statement", definition={"statement": said})
    del found["modified"]
    return found | {"id": OWN}


M = malware()["id"]
ACCEPTED, UNCHANGED, HELD_, REJECTED = State.ACCEPTED, State.UNCHANGED, State.HELD, State.REJECTED


# ---------------------------------------------------------------- the newest counts


def test_the_first_claim_counts() -> None:
    hub = Hub()
    assert hub.one(malware(name="a")) == (ACCEPTED,)
    claim = hub.claim(M)
    assert claim is not None
    assert (claim.obj["name"], claim.state, claim.since) == ("a", ClaimState.LIVE, a_stamp(1))


@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize(
    ("later", "end", "name"),
    [
        (malware(name="b", at=1), (ACCEPTED,), "b"),
        (malware(name="b", at=-1), (UNCHANGED, Code.VERSION_OLDER), "a"),
        (malware(name="a", at=0), (UNCHANGED, Code.VERSION_SAME), "a"),
        (malware(name="b", at=0), (ACCEPTED, Code.VERSION_NOT_INCREMENTED), "b"),
    ],
)
def test_a_later_version_counts_by_its_modified(
    later: dict[str, Any], end: tuple[str, ...], name: str, in_one_batch: bool
) -> None:
    hub = Hub()
    first = malware(name="a", at=0)
    outcomes = hub.batch(first, later) if in_one_batch else [*hub.batch(first), *hub.batch(later)]
    assert list(map(ends, outcomes)) == [(ACCEPTED,), end]
    claim = hub.claim(M)
    assert claim is not None
    assert claim.obj["name"] == name


def test_of_what_has_no_modified_the_later_counts_and_the_same_is_said_to_stand() -> None:
    hub = Hub()
    hub.batch(a_definition("a"))
    assert hub.one(a_definition("b")) == (ACCEPTED,)
    assert hub.one(a_definition("b")) == (UNCHANGED, Code.VERSION_SAME)


def test_each_source_has_a_claim_of_its_own_under_an_id() -> None:
    hub = Hub()
    assert list(map(ends, hub.batch(malware(name="a"), (IT, malware(name="b", at=-7200))))) == [(ACCEPTED,)] * 2
    found = [hub.claim(M, no) for no in (1, 2)]
    assert [claim.obj["name"] for claim in found if claim is not None] == ["a", "b"]
    assert hub.one((IT, M)) == (ACCEPTED,)
    assert [hub.state(M, no) for no in (1, 2)] == [ClaimState.LIVE, ClaimState.WITHDRAWN]


def test_what_an_object_refers_to_by_an_id_that_the_hub_made_is_read_as_the_thing() -> None:
    hub = Hub()
    thing, made = CanonicalKey(bytes(range(32))), StixId("indicator--c4a0ec0b-4d21-5b0a-8f3c-0d1b5c7c4a11")
    hub.store.write(Writes(views=[View(1, thing, made, "indicator", 0, Seq(1), True, b"", 0, 0, ())]))
    sighting = an_object("sighting", "s", sighting_of_ref=made)
    assert hub.one(sighting) == (ACCEPTED,)
    claim = hub.claim(sighting["id"])
    assert claim is not None
    assert claim.feedback_on == (StixId(f"indicator--key-{thing.hex()}"),)
    assert hub.one(sighting) == (UNCHANGED, Code.VERSION_SAME)


# ---------------------------------------------------------------- withdrawals


def test_a_withdrawal_cancels_what_stands_before_it_and_is_the_last_word_until_another() -> None:
    hub = Hub()
    hub.batch(malware(at=5))
    assert hub.one(M) == (ACCEPTED,)
    assert hub.state(M) is ClaimState.WITHDRAWN
    assert hub.one(M) == (UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
    assert hub.one(malware(at=0)) == (ACCEPTED,)  # only compared with what stands after it
    assert hub.state(M) is ClaimState.LIVE


def test_what_is_unknown_cannot_be_withdrawn_nor_what_another_source_says() -> None:
    hub = Hub()
    hub.batch((IT, malware()))
    assert hub.one(M) == (UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
    assert hub.state(M, 2) is ClaimState.LIVE


@pytest.mark.parametrize("said", [f"malware--{M[9:].upper()}", f'"{M}"', f"  {M} "])
def test_a_withdrawal_reaches_an_id_in_another_spelling(said: str) -> None:
    hub = Hub()
    hub.batch(malware())
    assert hub.one(said) == (ACCEPTED, Code.WITHDRAWAL_LENIENT)
    assert hub.state(M) is ClaimState.WITHDRAWN


def test_a_withdrawal_of_what_waits_for_the_operator_is_accepted() -> None:
    hub = Hub()
    assert hub.one(malware(name="held")) == (HELD_, Code.LIST_HIT)
    assert hub.waiting == [M]
    assert hub.one(M) == (ACCEPTED,)
    assert hub.waiting == []
    assert hub.one(M) == (UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
    assert list(map(ends, hub.batch(malware(name="held"), M, M))) == [
        (HELD_, Code.LIST_HIT), (ACCEPTED,), (UNCHANGED, Code.WITHDRAWAL_UNKNOWN),
    ]  # fmt: skip


# ---------------------------------------------------------------- held and refused


def test_what_is_held_is_no_claim_and_leaves_what_stands() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    assert hub.one(malware(name="held", at=1)) == (HELD_, Code.LIST_HIT)
    claim = hub.claim(M)
    assert claim is not None
    assert (claim.state, claim.obj["name"]) == (ClaimState.LIVE, "a")


@pytest.mark.parametrize(
    ("marks", "state"),
    [([TLP["green"]], ClaimState.LIVE), ([TLP["amber"]], ClaimState.WITHDRAWN), ([TLP["clear"]], ClaimState.WITHDRAWN)],
)
def test_what_is_held_takes_back_what_stands_if_it_is_marked_otherwise(marks: list[str], state: ClaimState) -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    assert hub.one(malware(name="held", at=1, object_marking_refs=marks)) == (HELD_, Code.LIST_HIT)
    assert hub.state(M) is state


def test_what_an_operator_has_released_counts_and_is_not_held_again() -> None:
    hub = Hub()
    hub.batch(malware(name="held"))
    assert hub.one(malware(name="held"), released=Code.LIST_HIT) == (ACCEPTED,)
    assert hub.one(malware(name="held")) == (UNCHANGED, Code.VERSION_SAME)
    assert hub.one(malware(name="held", at=-7000)) == (UNCHANGED, Code.VERSION_OLDER)
    assert hub.one(malware(name="held", at=1)) == (HELD_, Code.LIST_HIT)


def test_what_is_released_counts_by_when_it_came() -> None:
    for later in (M, malware(name="b")):
        hub = Hub()
        hub.batch(malware(name="a", at=-7100))
        hub.batch(later)
        assert hub.one(malware(name="held"), released=Code.LIST_HIT, at=1) == (UNCHANGED, Code.VERSION_OLDER)


def test_a_withdrawal_that_came_before_the_claim_withdraws_nothing() -> None:
    hub = Hub()
    hub.batch(malware(), at=5)
    assert hub.one(M, at=4) == (UNCHANGED, Code.WITHDRAWAL_UNKNOWN)
    assert hub.state(M) is ClaimState.LIVE


def test_what_an_operator_has_refused_stays_out_and_takes_back_what_is_marked_otherwise() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    (held,) = hub.batch(malware(name="held", tlp="amber", at=1))
    hub.refused.add(held.admitted.would_claim[0].digest)
    hub.batch(malware(name="a", at=-100))
    assert hub.state(M) is ClaimState.LIVE
    assert hub.one(malware(name="held", tlp="amber", at=1)) == (UNCHANGED, Code.HELD_REFUSED)
    assert hub.state(M) is ClaimState.WITHDRAWN
    assert hub.one(malware(name="held and other", tlp="amber", at=1)) == (HELD_, Code.LIST_HIT)


def test_a_newer_version_overtakes_what_waits() -> None:
    hub = Hub()
    hub.batch(malware(name="held", at=1))
    hub.batch(malware(name="b", at=2))
    assert hub.waiting == []
    hub.batch(malware(name="held", at=3))
    hub.batch(malware(name="b", at=2.5))
    assert hub.waiting == [M]


def test_what_is_refused_changes_nothing() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    for wrong, code in (
        (malware(at=1, name=7), Code.STIX_PROPERTY_TYPE),
        (malware(at=1, created_by_ref=IT.identity), Code.AUTHOR_IMPERSONATION),
        (b"{", Code.JSON_MALFORMED),
    ):
        assert hub.one(wrong) == (REJECTED, code)
    assert hub.state(M) is ClaimState.LIVE
    assert hub.changed == {}


def test_above_the_ceiling_it_is_rejected_and_takes_back_what_it_would_replace() -> None:
    hub = Hub()
    hub.batch(malware(at=0))
    assert hub.one(malware(at=-1, tlp="red")) == (REJECTED, Code.MARKING_ABOVE_CEILING)
    assert hub.state(M) is ClaimState.LIVE  # it would replace nothing
    assert hub.one(malware(at=1, tlp="red")) == (REJECTED, Code.MARKING_ABOVE_CEILING)
    assert hub.state(M) is ClaimState.WITHDRAWN_STANDING


# ---------------------------------------------------------------- markings that hide


def test_a_label_that_states_no_level_hides_what_is_accepted_all_the_same() -> None:
    hub = Hub()
    assert hub.one(malware(tlp=None, labels=["tlp:mauve"])) == (HELD_, Code.MARKING_UNKNOWN)
    assert hub.state(M) is ClaimState.LIVE  # it stands, and nobody sees it
    assert hub.one(malware(tlp=None, labels=["tlp:mauve"], revoked=True, at=1))[0] == ACCEPTED


@pytest.mark.parametrize(
    ("definition", "end"),
    [
        (None, (HELD_, Code.MARKING_UNKNOWN)),
        ("TLP:MAUVE", (HELD_, Code.MARKING_UNKNOWN)),
        ("TLP:RED", (HELD_, Code.MARKING_UNKNOWN)),
        ("TLP:GREEN", (ACCEPTED,)),
        ("Ask first", (ACCEPTED,)),
    ],
)
@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize("granular", [True, False])
def test_a_marking_of_its_own_must_be_one_that_the_source_has_defined(
    definition: str | None, end: tuple[str, ...], in_one_batch: bool, granular: bool
) -> None:
    hub = Hub()
    marked = malware(object_marking_refs=[TLP["green"], OWN])
    if granular:
        marked = malware(granular_markings=[{"marking_ref": OWN, "selectors": ["name"]}])
    before = [] if definition is None else [a_definition(definition)]
    outcomes = hub.batch(*before, marked) if in_one_batch else [*hub.batch(*before), *hub.batch(marked)]
    assert ends(outcomes[-1]) == end
    if end[0] == HELD_:
        at = "/granular_markings" if granular else "/object_marking_refs"
        assert outcomes[-1].problems[0].at == at
    assert hub.state(M) is ClaimState.LIVE


def test_another_sources_definition_decides_nothing_and_a_withdrawn_one_neither() -> None:
    hub = Hub()
    marked = malware(object_marking_refs=[TLP["green"], OWN])
    assert ends(hub.batch((IT, a_definition("Ask")), marked)[-1]) == (HELD_, Code.MARKING_UNKNOWN)
    assert ends(hub.batch(a_definition("Ask"), OWN, marked | {"modified": moment(1)})[-1]) == (
        HELD_, Code.MARKING_UNKNOWN,
    )  # fmt: skip


def test_a_group_s_marking_needs_no_definition() -> None:
    assert Hub().one(malware(object_marking_refs=[TLP["green"], marking_of("health")])) == (ACCEPTED,)


# ---------------------------------------------------------------- revocations


def test_a_revocation_is_a_version_and_ends_the_run() -> None:
    hub = Hub()
    hub.batch(malware(at=0))
    assert hub.one(malware(at=1, revoked=True)) == (ACCEPTED,)
    assert hub.state(M) is ClaimState.REVOKED
    hub.batch(malware(at=2))
    claim = hub.claim(M)
    assert claim is not None
    assert (claim.state, claim.since) == (ClaimState.LIVE, a_stamp(3))


def test_a_revocation_counts_whatever_else_is_wrong_and_shows_the_content_that_stood() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    assert hub.one({**malware(at=1, revoked=True), "name": 7}) == (ACCEPTED, Code.REVOCATION_LENIENT)
    claim = hub.claim(M)
    assert claim is not None
    assert (claim.state, claim.obj["name"], claim.obj["modified"]) == (ClaimState.REVOKED, "a", moment(1))


def test_a_revocation_of_what_is_unknown_stands_and_is_seen_by_nobody() -> None:
    hub = Hub()
    assert hub.one({**malware(at=1, revoked=True), "name": 7}) == (ACCEPTED, Code.REVOCATION_LENIENT)
    claim = hub.claim(M)
    assert claim is not None
    assert claim.obj["object_marking_refs"] == [TLP["red"]]
    assert hub.one(malware(at=0)) == (UNCHANGED, Code.VERSION_OLDER)


def test_a_lenient_revocation_is_told_once_whatever_hides_what_stood() -> None:
    hub = Hub()
    hub.batch(malware(object_marking_refs=[TLP["green"], OWN]))
    assert hub.one({**malware(at=1, revoked=True), "name": 7}) == (ACCEPTED, Code.REVOCATION_LENIENT)


def test_a_revocation_under_a_marking_that_is_not_defined_is_accepted_with_a_warning() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    revoking = malware(at=1, revoked=True, object_marking_refs=[TLP["green"], OWN])
    assert hub.one(revoking) == (ACCEPTED, Code.REVOCATION_LENIENT)
    assert hub.state(M) is ClaimState.REVOKED


def test_a_revocation_at_a_higher_level_keeps_the_groups_of_what_stood() -> None:
    hub = Hub()
    hub.batch(malware(object_marking_refs=[TLP["green"], marking_of("network")]))
    assert hub.one({**malware(at=1, revoked=True, tlp="amber"), "name": 7}) == (ACCEPTED, Code.REVOCATION_LENIENT)
    claim = hub.claim(M)
    assert claim is not None
    assert claim.obj["object_marking_refs"] == [TLP["amber"], marking_of("network")]


# ---------------------------------------------------------------- in another's name, and counted once


def test_what_comes_in_anothers_name_takes_nothing_back_whatever_its_marking() -> None:
    hub = Hub()
    hub.batch(malware())
    assert hub.one(malware(at=1, tlp="red", created_by_ref=IT.identity)) == (REJECTED, Code.AUTHOR_IMPERSONATION)
    assert hub.state(M) is ClaimState.LIVE


def test_what_is_released_was_counted_when_it_came() -> None:
    hub = Hub()
    assert hub.one(malware(name="held")) == (HELD_, Code.LIST_HIT)
    (held,) = hub.store.tables.held.values()
    hub.store.tables.held.clear()
    assert [ends(each) for each in hub.released(held)] == [(ACCEPTED,)]
    assert hub.store.tables.counts[1] == ReceiptCounts(held=1)


# ---------------------------------------------------------------- observed-data with its objects inside


def observed(at: float = 0, /, *values: str, **more: Any) -> dict[str, Any]:
    objects = {str(n): {"type": "ipv4-addr", "value": value} for n, value in enumerate(values)}
    return an_object(
        "observed-data", "o", at=at, first_observed=moment(-60), last_observed=moment(-50), number_observed=1,
        **{"objects": objects, **more},
    )  # fmt: skip


OBSERVED = observed()["id"]


def parts(hub: Hub) -> dict[str, str]:
    """The parts that are claimed, by what they say."""
    return {
        claim.obj["value"]: claim.id
        for claim in hub.store.tables.claims.values()
        if claim.type == "ipv4-addr" and claim.state is ClaimState.LIVE
    }


def test_the_objects_inside_are_claims_of_their_own_that_come_and_go_with_the_whole() -> None:
    hub = Hub()
    assert hub.one(observed(0, "198.51.100.7", "198.51.100.8")) == (ACCEPTED, Code.STIX_LIFTED)
    assert parts(hub).keys() == {"198.51.100.7", "198.51.100.8"}
    assert hub.one(observed(1, "198.51.100.8", "198.51.100.9")) == (ACCEPTED, Code.STIX_LIFTED)
    assert parts(hub).keys() == {"198.51.100.8", "198.51.100.9"}
    assert hub.one(OBSERVED) == (ACCEPTED,)
    assert parts(hub) == {}


def test_a_part_is_another_claim_than_the_same_object_sent_alone() -> None:
    hub = Hub()
    alone = {"type": "ipv4-addr", "spec_version": "2.1", "value": "198.51.100.7", "object_marking_refs": [TLP["green"]]}
    hub.batch(observed(0, "198.51.100.7"), alone | {"id": f"ipv4-addr--{uid('a')}"})
    assert len(hub.store.tables.claims) == 3
    hub.batch(OBSERVED)
    assert list(parts(hub).values()) == [f"ipv4-addr--{uid('a')}"]


def test_an_older_whole_leaves_the_parts_as_they_are() -> None:
    hub = Hub()
    hub.batch(observed(1, "198.51.100.7"))
    assert hub.one(observed(0, "198.51.100.8")) == (UNCHANGED, Code.VERSION_OLDER)
    assert parts(hub).keys() == {"198.51.100.7"}


def test_a_whole_that_comes_again_brings_back_the_parts_that_were_withdrawn() -> None:
    hub = Hub()
    hub.batch(observed(0, "198.51.100.7"))
    (part,) = parts(hub).values()
    assert hub.one(part) == (ACCEPTED,)
    assert parts(hub) == {}
    assert hub.one(observed(0, "198.51.100.7")) == (ACCEPTED, Code.STIX_LIFTED, Code.VERSION_NOT_INCREMENTED)
    assert parts(hub).keys() == {"198.51.100.7"}


def test_the_parts_of_a_whole_that_counts_are_there_whatever_came_between_and_go_with_it() -> None:
    hub = Hub()
    hub.batch(observed(0, "198.51.100.7"), at=3)
    (part,) = parts(hub).values()
    hub.batch(part, at=5)
    assert parts(hub) == {}
    hub.batch(observed(1, "198.51.100.7"), released=Code.LIST_HIT, at=2)
    assert parts(hub).keys() == {"198.51.100.7"}
    assert hub.one(OBSERVED, at=4) == (ACCEPTED,)
    assert parts(hub) == {}


@pytest.mark.parametrize(
    ("more", "state"), [({"tlp": "red"}, REJECTED), ({"tlp": "amber", "description": "held"}, HELD_)]
)
def test_what_takes_back_the_whole_takes_back_its_parts(more: dict[str, Any], state: State) -> None:
    hub = Hub()
    hub.batch(observed(0, "198.51.100.7"))
    assert hub.one(observed(1, "198.51.100.7", **more))[0] == state
    whole = hub.claim(OBSERVED)
    assert whole is not None
    assert whole.state.is_withdrawn
    assert parts(hub) == {}


# ---------------------------------------------------------------- division into batches


MARKS = [[TLP["green"]], [TLP["green"]], [TLP["amber"]], [TLP["red"]], [TLP["green"], OWN]]


@st.composite
def words(draw: st.DrawFn) -> Any:
    """Something that a source says under one of few ids, with few contents, so that much of it collides."""
    what = draw(st.sampled_from(["malware", "malware", "malware", "withdrawal", "observed", "marking", "indicator"]))
    at = draw(st.sampled_from([0, 1, 2]))
    if what == "withdrawal":
        stix_id = draw(st.sampled_from([M, M, OBSERVED, OWN, f'"{M}"']))
        return TakesBack(stix_id, draw(st.sampled_from(Withdrawal)))
    if what == "marking":
        return a_definition(draw(st.sampled_from(["Ask", "TLP:AMBER", "TLP:MAUVE", "TLP:RED"])))
    if what == "observed":
        values = draw(st.sets(st.sampled_from(["198.51.100.7", "198.51.100.8"]), min_size=1))
        return observed(at, *sorted(values), tlp=draw(st.sampled_from(["green", "amber", "red"])))
    if what == "indicator":
        return an_indicator("198.51.100.7", at=at, created_by_ref=draw(st.sampled_from([None, IT.identity])))
    obj = malware(
        at=at,
        name=draw(st.sampled_from(["a", "b", "held", "held too"])),
        object_marking_refs=draw(st.sampled_from(MARKS)),
        revoked=draw(st.sampled_from([None, None, None, True])),
    )
    return obj | draw(st.sampled_from([{}, {}, {}, {"is_family": 7}]))


@few(400)
@given(st.lists(words(), min_size=1, max_size=8), st.data())
def test_what_becomes_of_a_batch_is_the_same_in_two(said: list[Any], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(said)))
    whole, parted = Hub(), Hub()
    in_one = list(map(ends, whole.batch(*said)))
    in_two = list(map(ends, [*parted.batch(*said[:cut]), *parted.batch(*said[cut:])]))
    assert in_two == in_one
    assert parted.store.tables.claims == whole.store.tables.claims
    assert parted.waiting == whole.waiting


def test_what_waits_is_not_forgotten_for_an_older_version_in_the_same_batch() -> None:
    """The version above the ceiling is older than what waits, so that this waits still, and can be withdrawn."""
    said = malware(name="held", at=2), malware(tlp="red", at=1), M
    whole, parted = Hub(), Hub()
    in_two = [*parted.batch(*said[:2]), *parted.batch(said[2])]
    assert list(map(ends, whole.batch(*said))) == list(map(ends, in_two))


def test_a_claim_that_was_there_is_given_with_what_replaces_it() -> None:
    hub = Hub()
    hub.batch(malware(name="a"))
    before = hub.claim(M)
    hub.batch(malware(name="b", at=1), malware(name="c", at=2))
    assert before is not None
    assert list(hub.changed.values()) == [(before, hub.claim(M))]


def test_nothing_is_asked_about_held_objects_where_none_is_held_or_withdrawn() -> None:
    batch = admitted([an_arrival(RO, malware())], POLICY, Limits(), held_if_named)
    assert reads_for(batch, POLICY).about(HELD) == set()
    held = admitted([an_arrival(RO, malware(name="held")), an_arrival(RO, OWN)], POLICY, Limits(), held_if_named)
    assert reads_for(held, POLICY).about(HELD) == {(1, M), (1, OWN)}
    answers = Answers()
    answers.put(REPLACED, {})
    answers.put(HELD, {(1, StixId(M)): HeldRecord((WaitingVersion(a_stamp(-1), None, b""),), frozenset())})
    (one,) = admitted([an_arrival(RO, M)], POLICY, Limits(), held_if_named)
    assert ends(Contributions(POLICY, answers).take(replace(one))) == (ACCEPTED,)
