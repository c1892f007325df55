"""Who may say what: authors, ceilings, clocks. Source: docs/semantics.md, sections 2 and 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from hub.core.admit import admit
from hub.model.policy import Policy, Source
from hub.model.problems import Code
from hub.model.times import parse_us, stix_time
from hub.model.words import Level, Limits, Naming, SourceName, StixId
from tests.story import TLP, an_indicator, an_object, uid

RO, IT, PL, HUB, VENDOR = (StixId(f"identity--{uid(name)}") for name in ("ro", "it", "pl", "hub", "vendor"))
ro = Source(1, SourceName("ro"), RO, "RO", ceiling=Level.GREEN, default_level=Level.GREEN)
it = Source(2, SourceName("it"), IT, "IT", speaks_for=frozenset({VENDOR}))
pl = Source(3, SourceName("pl"), PL, "PL", naming=Naming.ALIAS, alias="north")
policy = Policy(1, UUID(int=7), HUB, 0, {centre.no: centre for centre in (ro, it, pl)}, {}, {})
AT_US = parse_us("2026-01-01T00:00:00Z")


def codes(obj: dict[str, Any], centre: Source = ro, at_us: int = AT_US) -> list[Code]:
    return [problem.code for problem in admit(obj, centre, policy, at_us, Limits())]


def test_a_centre_relays_third_parties_and_speaks_for_itself() -> None:
    for author in (None, RO, VENDOR):
        assert codes(an_indicator(created_by_ref=author)) == []


def test_nobody_speaks_for_an_alias_that_was_given_up_and_its_centre_does_not_either() -> None:
    named = replace(pl, naming=Naming.NAMED, former_aliases=frozenset({"south", "north"}))
    now = replace(policy, sources={**policy.sources, pl.no: named})
    for alias in ("north", "south"):
        for centre in (ro, named):
            obj = an_indicator(created_by_ref=policy.alias_identity(pl, alias))
            assert [one.code for one in admit(obj, centre, now, AT_US, Limits())] == [Code.AUTHOR_IMPERSONATION]
    again = replace(policy, sources={**policy.sources, pl.no: replace(pl, former_aliases=frozenset({"north"}))})
    assert again.given_up_aliases == frozenset(), "it goes by it again"


def test_nobody_speaks_for_another_centre_its_alias_or_the_hub() -> None:
    for author in (IT, PL, policy.alias_identity(pl), HUB):
        assert codes(an_indicator(created_by_ref=author)) == [Code.AUTHOR_IMPERSONATION]
    assert codes(an_indicator(created_by_ref=policy.alias_identity(pl)), pl) == []


def test_only_the_registry_describes_a_centre() -> None:
    identity = an_object("identity", "x", name="x", identity_class="organization")
    assert codes({**identity, "id": IT}) == [Code.AUTHOR_IMPERSONATION]
    assert codes({**identity, "id": RO}) == [Code.IDENTITY_REGISTRY_SHOWN]
    assert codes({**identity, "id": VENDOR}) == []


def test_the_ceiling_holds_for_markings_labels_and_what_is_not_marked() -> None:
    assert codes(an_indicator(tlp="amber")) == [Code.MARKING_ABOVE_CEILING]
    assert codes(an_indicator(tlp=None, labels=["tlp:red"])) == [Code.MARKING_ABOVE_CEILING]
    assert codes(an_indicator(tlp="green", labels=["tlp:red"])) == []  # the marking counts, not the label
    assert codes(an_indicator(tlp=None)) == []
    strict = Source(1, SourceName("ro"), RO, "RO", ceiling=Level.GREEN, default_level=Level.AMBER)
    assert codes(an_indicator(tlp=None), strict) == [Code.MARKING_ABOVE_CEILING]


def test_a_part_that_is_marked_above_the_ceiling_is_told_and_the_rest_taken() -> None:
    granular = [{"marking_ref": TLP["amber"], "selectors": ["description"]}]
    assert codes(an_indicator(description="x", granular_markings=granular)) == [Code.MARKING_PART_HIDDEN]


def test_a_marking_definition_has_no_level_of_its_own() -> None:
    marking = an_object(
        "marking-definition", "s", tlp="red", definition_type="statement", definition={"statement": "Ask"}
    )
    assert codes(marking) == []


def test_a_version_may_be_ten_minutes_ahead_of_its_receipt_and_no_more() -> None:
    assert codes(an_indicator(modified=stix_time(AT_US + 600_000_000))) == []
    assert codes(an_indicator(modified=stix_time(AT_US + 600_001_000))) == [Code.VERSION_FUTURE]


def test_a_source_that_is_limited_to_some_types_makes_claims_of_these_alone() -> None:
    limited = replace(ro, may_claim=frozenset({"note", "sighting"}))
    assert codes(an_indicator(), limited) == [Code.TYPE_NOT_YOURS]
    assert codes(an_object("note", "n", content="x", object_refs=[an_indicator()["id"]]), limited) == []
