"""The table of types says of each what stix2 and the validation tables know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stix2.exceptions import AtLeastOnePropertyError, STIXError
from stix2.properties import ListProperty, ReferenceProperty, TimestampProperty
from stix2.registry import STIX2_OBJ_MAPS
from stix2.v21.base import _DomainObject, _Observable, _RelationshipObject

from hub.core.merge.references import rewritten
from hub.core.normalise.vocabulary import RESPELLED
from hub.core.validate import TYPES
from hub.core.validate.kinds import AnyOf, Embedded, Extensions, ListOf, OneOf, Reference, Timestamp, ValueKind
from hub.model.references import references_of
from hub.model.stix_types import (
    OTHER,
    SCO_TYPES,
    STIX_TYPES,
    Excludes,
    Family,
    Identity,
    InOrder,
    MergeRule,
    StixType,
    TimeRole,
    stix_type,
)
from tests.core.drawn import objects
from tests.core.verdicts import problems_of

OF_STIX2: Mapping[str, Any] = {**STIX2_OBJ_MAPS["2.1"]["objects"], **STIX2_OBJ_MAPS["2.1"]["observables"]}
ROWS = [pytest.param(row, id=name) for name, row in sorted(STIX_TYPES.items())]
OBSERVABLES = [pytest.param(STIX_TYPES[name], id=name) for name in sorted(SCO_TYPES)]
KNOWN_TO_STIX2 = [pytest.param(row, id=name) for name, row in sorted(STIX_TYPES.items()) if name in OF_STIX2]


def test_every_type_of_the_specification_has_a_row_and_every_row_a_validation_table() -> None:
    assert OF_STIX2.keys() - {"bundle"} <= STIX_TYPES.keys() == TYPES.keys()


def test_a_type_outside_the_specification_is_an_owners_object_named_by_its_id() -> None:
    assert stix_type("x-case") is stix_type("") is OTHER
    assert (OTHER.identity, OTHER.merge) == (Identity.ID, MergeRule.OWNER)


# ---------------------------------------------------------------- what stix2 knows


@pytest.mark.parametrize("row", KNOWN_TO_STIX2)
def test_a_type_is_of_the_family_and_versioned_as_stix2_has_it(row: StixType) -> None:
    bases = {Family.DOMAIN: _DomainObject, Family.RELATIONSHIP: _RelationshipObject, Family.OBSERVABLE: _Observable}
    of_stix2 = OF_STIX2[row.name]
    families = {family for family, base in bases.items() if issubclass(of_stix2, base)} or {Family.META}
    assert families == {row.family}
    assert row.versioned == ("modified" in of_stix2._properties)


@pytest.mark.parametrize("row", KNOWN_TO_STIX2)
def test_stix_2_0_has_what_is_not_new(row: StixType) -> None:
    if row.family is not Family.OBSERVABLE:  # which STIX 2.0 keeps inside observed-data
        assert row.since_2_1 == (row.name not in STIX2_OBJ_MAPS["2.0"]["objects"])


@pytest.mark.parametrize("row", KNOWN_TO_STIX2)
def test_its_times_are_the_timestamps_of_stix2(row: StixType) -> None:
    properties = OF_STIX2[row.name]._properties
    times = {name for name, one in properties.items() if isinstance(one, TimestampProperty)}
    assert row.times.keys() == times - {"created", "modified"}


@pytest.mark.parametrize("row", [one for one in OBSERVABLES if one in KNOWN_TO_STIX2])
def test_an_observables_id_is_made_of_what_stix2_makes_it_of(row: StixType) -> None:
    assert set(row.id_from) == set(OF_STIX2[row.name]._id_contributing_properties)


def _refers(one: Any) -> bool:
    return isinstance(one, ReferenceProperty) or (isinstance(one, ListProperty) and _refers(one.contained))


@pytest.mark.parametrize("row", KNOWN_TO_STIX2)
def test_it_requires_the_references_that_stix2_requires(row: StixType) -> None:
    properties = OF_STIX2[row.name]._properties
    required = {name for name, one in properties.items() if one.required and _refers(one)}
    if row.name == "observed-data":  # stix2 still takes what it observed inside it
        required.add("object_refs")
    assert {*row.required.all_of, *row.required.some_of} == required
    assert not any(isinstance(properties[name], ListProperty) for name in row.required.all_of)


@pytest.mark.parametrize("row", KNOWN_TO_STIX2)
@settings(max_examples=4, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_where_stix2_requires_one_of_some_references_so_does_the_row(row: StixType, data: st.DataObject) -> None:
    of_stix2, obj = OF_STIX2[row.name], data.draw(objects(row.name))
    needed = {name: obj[name] for name, one in of_stix2._properties.items() if one.required and name in obj}
    missing: set[str] = set()
    try:
        of_stix2(**needed)
    except AtLeastOnePropertyError as error:
        missing = set(error.properties)
    except STIXError:
        pass
    if row.required.either_of or any(_refers(of_stix2._properties[name]) for name in missing):
        assert missing == set(row.required.either_of) or row.required.own_property


# ---------------------------------------------------------------- what the validation tables know


def _deeper(kind: ValueKind) -> Iterator[tuple[str, ValueKind]]:
    """The properties of the types and extensions embedded in a property."""
    match kind:
        case ListOf(of):
            yield from _deeper(of)
        case Embedded():
            for name, one in kind.properties.items():
                yield name, one
                yield from _deeper(one)
        case Extensions(known):
            for record in known.values():
                yield from _deeper(record)
        case _:
            return


@pytest.mark.parametrize("row", ROWS)
def test_its_times_are_the_timestamps_of_its_validation_table(row: StixType) -> None:
    properties = TYPES[row.name].properties
    inner = {name for one in properties.values() for name, kind in _deeper(one) if isinstance(kind, Timestamp)}
    assert row.times.keys() == {name for name, one in properties.items() if isinstance(one, Timestamp)}
    assert row.inner_times.keys() == inner


@pytest.mark.parametrize("row", ROWS)
def test_of_two_times_in_order_the_first_begins_and_the_last_ends(row: StixType) -> None:
    for rule in TYPES[row.name].rules:
        if isinstance(rule, InOrder):
            assert (row.times[rule.first], row.times[rule.last]) == (TimeRole.BEGINS, TimeRole.ENDS)


def test_a_time_of_one_name_ends_something_wherever_it_stands_or_nowhere() -> None:
    times = [
        (name, role) for row in STIX_TYPES.values() for name, role in [*row.times.items(), *row.inner_times.items()]
    ]
    ends = {name for name, role in times if role is TimeRole.ENDS}
    assert ends
    assert all(role is TimeRole.ENDS for name, role in times if name in ends)


@pytest.mark.parametrize("row", ROWS)
def test_where_its_validation_table_wants_one_of_some_references_so_does_the_row(row: StixType) -> None:
    properties = TYPES[row.name].properties
    wanted = [set(rule.names) for rule in TYPES[row.name].rules if isinstance(rule, AnyOf)]
    referring = [names for names in wanted if any(name.endswith(("_ref", "_refs")) for name in names)]
    every = [names for names in wanted if names == properties.keys()]
    assert row.required.own_property == bool(every)
    assert [set(row.required.either_of)] * bool(row.required.either_of) == [
        one for one in referring if one not in every
    ]


@pytest.mark.parametrize("row", ROWS)
def test_its_vocabularies_are_those_that_it_has_properties_for(row: StixType) -> None:
    assert row.vocabularies == RESPELLED & TYPES[row.name].properties.keys()


@pytest.mark.parametrize("row", OBSERVABLES)
def test_what_clashes_in_a_union_is_what_makes_one_object_invalid(row: StixType) -> None:
    rules = TYPES[row.name].rules
    orders = {rule for rule in rules if isinstance(rule, InOrder | Excludes)}
    orders |= {Excludes(one, other) for rule in rules if isinstance(rule, OneOf) for one, other in [rule.names]}
    assert set(row.clashes) == orders


@pytest.mark.parametrize("row", ROWS)
def test_an_embedded_object_must_keep_what_one_of_is_required(row: StixType) -> None:
    parts = {
        name: frozenset(rule.names)
        for name, kind in TYPES[row.name].properties.items()
        if isinstance(kind, ListOf) and isinstance(kind.of, Embedded)
        for rule in kind.of.rules
        if isinstance(rule, AnyOf | OneOf) and any(one.endswith("_ref") for one in rule.names)
    }
    assert row.parts == parts


@pytest.mark.parametrize("row", OBSERVABLES)
def test_the_value_of_an_observable_is_required_and_makes_its_id(row: StixType) -> None:
    assert row.value == "" or row.value in row.id_from
    assert not row.value_must_conform or row.value in TYPES[row.name].required


@pytest.mark.parametrize("row", ROWS)
def test_what_it_refers_to_comes_before_it_in_a_batch(row: StixType) -> None:
    assert row.order > 0
    for kind in TYPES[row.name].properties.values():
        one = kind.of if isinstance(kind, ListOf) else kind
        if isinstance(one, Reference):
            assert all(stix_type(name).order <= row.order for name in one.types)


# ---------------------------------------------------------------- what is left of an object


@pytest.mark.parametrize("row", ROWS)
@settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_without_some_of_its_references_an_object_is_valid_or_has_no_view(row: StixType, data: st.DataObject) -> None:
    obj = data.draw(objects(row.name))
    shown = data.draw(st.sets(st.sampled_from([*references_of(obj), ""])))
    if row.name == "extension-definition":
        shown.add(obj["created_by_ref"])  # STIX requires its author, which has rules of its own
    found = rewritten(obj, lambda ref: ref if ref in shown else None)
    if found is not None:
        assert problems_of(found) == []


def test_without_any_of_its_references_it_has_no_view_if_it_requires_one() -> None:
    ref = "file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
    for name, row in STIX_TYPES.items():
        for needed in (*row.required.all_of, *row.required.some_of, *row.required.either_of):
            obj = {"type": name, needed: [ref] if needed.endswith("_refs") else ref}
            lost = rewritten(obj, lambda _: None)
            assert (lost is None) == needed.endswith(("_ref", "_refs")), (name, needed)
        if row.required.own_property:
            assert rewritten({"type": name, "creator_user_ref": ref}, lambda _: None) is None
            assert rewritten({"type": name, "creator_user_ref": ref, "x_own": 1}, lambda _: None) is not None


def test_a_part_that_has_lost_what_it_needs_goes_and_the_others_stay() -> None:
    said, lost = {"body": "x"}, {"body_raw_ref": "file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"}
    message: dict[str, Any] = {"type": "email-message", "is_multipart": True, "body_multipart": [lost, said]}
    found = rewritten(message, lambda _: None)
    assert found is not None
    assert found["body_multipart"] == [said]
    assert "body_multipart" not in (rewritten({**message, "body_multipart": [lost]}, lambda _: None) or {})
