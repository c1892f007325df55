"""Names, identities, countries, sectors and rules as operators write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.errors import WrongUsage
from hub.model.principals import Attribute, GroupRule
from hub.registry import names


@pytest.mark.parametrize("said", ["a", "0", "ro-cert", "a" * 63, "9-"])
def test_a_name_of_small_letters_digits_and_hyphens_is_taken(said: str) -> None:
    assert names.name(said) == said


@pytest.mark.parametrize("said", ["", "-a", "A", "a_b", "a" * 64, "a b", "a.b", "é", "a\n", "\uff11"])
def test_any_other_name_is_wrong_usage(said: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        names.name(said)
    assert "small letters" in caught.value.way_out


@pytest.mark.parametrize("said", ["intake", "members", "ctihub-placeholder-sewfcgo"])
def test_the_names_of_the_hubs_own_topics_and_of_its_placeholder_user_are_reserved(said: str) -> None:
    with pytest.raises(WrongUsage, match="reserved"):
        names.name(said)


@given(st.text())
def test_any_text_is_a_name_or_wrong_usage(said: str) -> None:
    with suppress(WrongUsage):
        assert names.name(said) == said


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("country=RO", GroupRule(Attribute.COUNTRY, "RO")),
        ("country=ro", GroupRule(Attribute.COUNTRY, "RO")),
        ("Sector = Energy", GroupRule(Attribute.SECTOR, "energy")),
    ],
)
def test_a_rule_is_read_without_regard_to_case(said: str, rule: GroupRule) -> None:
    assert names.rule(said) == rule


@pytest.mark.parametrize("said", ["country", "country=", "country=ROU", "colour=red", "=RO", "sector="])
def test_what_is_no_rule_is_wrong_usage(said: str) -> None:
    with pytest.raises(WrongUsage):
        names.rule(said)


def test_an_identity_is_a_stix_identity_in_small_letters() -> None:
    good = "identity--6ba7b810-9dad-41d1-80b4-00c04fd430c8"
    assert names.identity(good) == good
    for bad in (good.upper(), "malware" + good[8:], good + "\n", "identity--x"):
        with pytest.raises(WrongUsage):
            names.identity(bad)


def test_a_country_is_two_letters_in_any_case() -> None:
    assert names.country("ro") == "RO"
    with pytest.raises(WrongUsage, match="not a country code"):
        names.country("Romania")


def test_levels_and_namings_that_do_not_exist_name_those_that_do() -> None:
    with pytest.raises(WrongUsage, match="clear, green, amber, amber\\+strict, red"):
        names.level("purple")
    with pytest.raises(WrongUsage) as caught:
        names.naming("hidden")
    assert "named, alias, anonymous" in caught.value.way_out


@pytest.mark.parametrize("said", ["indicator", "ipv4-addr", "marking-definition", "x-mitre-tactic", "vehicle"])
def test_types_of_the_standard_and_of_ones_own_make_a_filter(said: str) -> None:
    assert names.object_type(said) == said


@pytest.mark.parametrize(("said", "near"), [("indicators", "indicator"), ("ipv4", "ipv4-addr"), ("Malware", "malware")])
def test_a_type_that_is_nearly_one_is_asked_about(said: str, near: str) -> None:
    with pytest.raises(WrongUsage, match=near):
        names.object_type(said)


@pytest.mark.parametrize("said", ["indicator", "ip", "", "IPv4-Addr"])
def test_what_is_no_kind_of_observable_is_wrong_usage(said: str) -> None:
    with pytest.raises(WrongUsage, match="Did you mean"):
        names.observable_kind(said)
    assert names.observable_kind("x-ours") == "x-ours"
