"""Whose a record of the event log is, and what a member may send."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hub.core.admission import admitted, no_hold
from hub.core.arrivals import arrivals_in
from hub.core.outcomes import Outcome, rejections
from hub.model.event_log import MEMBERS_TOPIC, StoredRecord
from hub.model.policy import NOBODY, Policy, Source
from hub.model.principals import Principal, PrincipalKind, source_of_member
from hub.model.problems import Code
from hub.model.words import Limits, Naming, SourceName, State, StixId, Topic
from tests.story import START_US, an_indicator, an_object, uid

RO = Source(1, SourceName("ro"), StixId(f"identity--{uid('ro')}"), "RO")
SOC, BANK = (
    source_of_member(Principal(no, name, PrincipalKind.MEMBER, StixId(f"identity--{uid(name)}")), Naming.ANONYMOUS, RO)
    for no, name in ((2, "soc"), (3, "bank"))
)
POLICY = Policy(1, UUID(int=7), StixId(f"identity--{uid('hub')}"), 0, {one.no: one for one in (RO, SOC, BANK)}, {}, {})


def a_record(topic: str, obj: object = None, **headers: bytes) -> StoredRecord:
    value = orjson.dumps(an_indicator() if obj is None else obj)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return StoredRecord(Topic(topic), 0, 0, when, None, value, tuple(headers.items()))


def source_of(record: StoredRecord) -> Source:
    (arrival,) = arrivals_in([record], POLICY, Limits(), START_US)
    assert (arrival.source is NOBODY) == (arrival.refused is not None)
    return arrival.source


def test_a_record_of_the_members_is_whose_its_header_says() -> None:
    assert source_of(a_record(MEMBERS_TOPIC, source=b"soc")) is SOC
    assert source_of(a_record(MEMBERS_TOPIC, source=b"bank")) is BANK


def test_a_record_of_the_members_without_a_member_is_nobodys() -> None:
    assert source_of(a_record(MEMBERS_TOPIC)) is NOBODY
    for name in (b"", b"ro", b"SOC", b"soc ", b"\xff"):
        assert source_of(a_record(MEMBERS_TOPIC, source=name)) is NOBODY


@given(st.binary(max_size=8) | st.sampled_from([b"soc", b"bank", b"ro"]))
def test_a_record_in_a_centres_topic_is_the_centres_whatever_its_headers_say(name: bytes) -> None:
    assert source_of(a_record("intake.ro", source=name)) is RO


def test_a_topic_with_the_name_of_a_member_is_nobodys() -> None:
    assert source_of(a_record("intake.soc", source=b"soc")) is NOBODY


def test_a_member_is_not_told_where_in_the_shared_topic_its_records_are() -> None:
    arrivals = arrivals_in([a_record(MEMBERS_TOPIC, source=b"soc"), a_record("intake.ro", {})], POLICY, Limits(), 0)
    refused = [Outcome(one, State.REJECTED, one.problems) for one in admitted(arrivals, POLICY, Limits(), no_hold)]
    (of_member,), (of_centre,) = rejections(refused, "/rules/").values()
    where = ("topic", "partition", "offset")
    assert [of_member[name] for name in where] == [None, None, None]
    assert [of_centre[name] for name in where] == ["intake.ro", 0, 0]


def test_a_member_claims_three_types_and_revokes_no_other() -> None:
    seen = an_indicator()
    for obj, refused in (
        (an_object("sighting", "s", sighting_of_ref=seen["id"]), False),
        (an_object("opinion", "o", opinion="disagree", object_refs=[seen["id"]]), False),
        (an_object("note", "n", content="x", object_refs=[seen["id"]], revoked=True), False),
        (seen, True),
        (seen | {"revoked": True}, True),
        ({"type": "indicator", "id": seen["id"], "modified": seen["modified"], "revoked": True}, True),
    ):
        arrivals = arrivals_in([a_record(MEMBERS_TOPIC, obj, source=b"soc")], POLICY, Limits(), START_US)
        (found,) = admitted(arrivals, POLICY, Limits(), no_hold)
        assert (not found.claims) == refused
        assert (Code.TYPE_NOT_YOURS in [problem.code for problem in found.problems]) == refused
