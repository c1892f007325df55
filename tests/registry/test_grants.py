"""Who reads a collection is decided by its group alone."""

from __future__ import annotations

import pytest

from hub.model.principals import Principal, PrincipalKind
from hub.model.words import GroupName, Level
from hub.registry.grants import groups_of, in_group, may_explain, may_read
from tests.registry.builders import a_collection, a_principal, some_groups

MEMBER = a_principal("soc", PrincipalKind.MEMBER)
CENTRE = a_principal("ro-cert", PrincipalKind.CENTRE)
OPERATOR = a_principal("root", PrincipalKind.OPERATOR)
SUSPENDED = a_principal("gone", PrincipalKind.CENTRE, suspended=True)
GROUPS = some_groups(energy=["sector=energy"], listed=[])


@pytest.mark.parametrize(
    ("who", "groups"),
    [
        (None, {"public"}),
        (MEMBER, {"public", "community"}),
        (CENTRE, {"public", "community", "network"}),
        (OPERATOR, {"public"}),
        (SUSPENDED, {"public"}),
    ],
)
def test_the_built_in_groups_follow_from_what_a_principal_is(who: Principal | None, groups: set[str]) -> None:
    assert groups_of(who, GROUPS) == groups


@pytest.mark.parametrize("level", list(Level))
def test_the_level_of_a_collection_does_not_decide_who_reads_it(level: Level) -> None:
    assert may_read(MEMBER, a_collection("community", level), GROUPS)
    assert not may_read(MEMBER, a_collection("network", level), GROUPS)


def test_a_list_takes_in_who_joined_it() -> None:
    inside = a_principal(joined=frozenset({GroupName("listed")}))
    assert may_read(inside, a_collection("listed"), GROUPS)
    assert not may_read(MEMBER, a_collection("listed"), GROUPS)


def test_a_rule_takes_in_who_fits_it() -> None:
    assert in_group(a_principal(sector="energy"), GroupName("energy"), GROUPS)
    assert not in_group(a_principal(sector="water"), GroupName("energy"), GROUPS)
    assert not in_group(a_principal(sector=None), GroupName("energy"), GROUPS)


def test_several_values_of_one_attribute_are_alternatives_and_attributes_all_count() -> None:
    groups = some_groups(east=["country=RO", "country=MD", "sector=energy"])
    assert in_group(a_principal(country="MD", sector="energy"), GroupName("east"), groups)
    assert not in_group(a_principal(country="MD", sector="water"), GroupName("east"), groups)
    assert not in_group(a_principal(country="PL", sector="energy"), GroupName("east"), groups)


def test_who_joined_a_group_with_a_rule_is_in_it_as_well() -> None:
    inside = a_principal(joined=frozenset({GroupName("energy")}))
    assert in_group(inside, GroupName("energy"), GROUPS)


def test_a_group_that_does_not_exist_has_nobody_in_it() -> None:
    assert not in_group(CENTRE, GroupName("nobody"), GROUPS)


def test_an_operator_reads_what_is_public_and_may_ask_why_of_everything() -> None:
    network = a_collection("network", Level.RED)
    assert not may_read(OPERATOR, network, GROUPS)
    assert may_explain(OPERATOR, network, GROUPS)
    assert not may_explain(MEMBER, network, GROUPS)
    assert not may_explain(None, network, GROUPS)
