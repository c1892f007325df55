"""What an indicator's claims become together, property by property: docs/semantics.md, section 5."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hub.core.merge.feedback import Feedback
from hub.core.merge.hubmade import indicator, relationship
from hub.core.merge.project import Projection
from hub.model.policy import Widths
from hub.model.words import NETWORK, Level, Naming, StixId
from tests.core.claims import a_policy, a_source, projection
from tests.story import EXTENSION, TLP, an_indicator, an_object, malware, marking_of, moment, uid

POLICY = a_policy(
    a_source(1, ceiling=Level.RED),
    a_source(2, widest_blocked=Widths(8, 19)),
    a_source(3, trust=50),
    a_source(4, naming=Naming.ALIAS, alias="north"),
    a_source(5),
)
FIRST, SECOND = 2, 1
"""Sources of the same trust, in the order in which their identities rank."""
VENDOR = f"identity--{uid('vendor')}"


def said(no: int, value: str = "198.51.100.7", name: str = "i", /, **more: Any) -> Projection:
    """What a source claims of an address, for an audience that sees it."""
    return projection(POLICY, no, an_indicator(value, name, **more))


def shown(*claims: Projection, revoked: tuple[Projection, ...] = (), feedback: Feedback | None = None) -> Any:
    """What is shown of these claims, in whatever order they come."""
    more = () if feedback is None else (feedback,)
    rests = {indicator(some, revoked, POLICY, *more).rest for some in (claims, claims[::-1])}
    (rest,) = rests
    return orjson.loads(b"{" + rest)


def hub_says(*claims: Projection, **more: Any) -> Any:
    """What the hub's own extension says of these claims."""
    return shown(*claims, **more)["extensions"][EXTENSION]


# ---------------------------------------------------------------- rank


def test_trust_ranks_before_modified() -> None:
    assert shown(said(3, at=9, name="new"), said(1, at=0, name="trusted"))["name"] == "trusted"


def test_of_equal_trust_the_newest_ranks_first() -> None:
    assert shown(said(FIRST, at=0, name="old"), said(SECOND, at=9, name="new"))["name"] == "new"


def test_of_equally_new_claims_the_first_identity_of_a_centre_ranks_first() -> None:
    assert POLICY.sources[FIRST].identity < POLICY.sources[SECOND].identity
    assert shown(said(SECOND, name="b"), said(FIRST, name="a"))["name"] == "a"


def test_of_equally_new_claims_of_one_centre_the_first_id_ranks_first() -> None:
    claims = [said(1, "198.51.100.7", n, name=n) for n in "abcd"]
    assert shown(*claims)["name"] == min(claims, key=lambda p: p.of[1]).obj["name"]


# ---------------------------------------------------------------- texts


def test_the_name_is_that_of_the_best_ranked_that_has_one_with_its_description_and_language() -> None:
    nameless = said(FIRST, at=9, description="of the first", lang="ro")
    assert shown(nameless, said(SECOND, name="n", description="of n", lang="en")).items() >= {
        "name": "n", "description": "of n", "lang": "en",
    }.items()  # fmt: skip


def test_a_description_that_the_claim_with_the_name_lacks_is_anothers_in_whatever_language() -> None:
    found = shown(said(FIRST, at=9, name="n"), said(SECOND, description="d", lang="ro"))
    assert (found["name"], found["description"]) == ("n", "d")
    assert "lang" not in found


def test_without_a_name_the_observable_is_the_name_and_the_language_that_of_the_description() -> None:
    found = shown(said(FIRST, at=9), said(SECOND, description="d", lang="ro"))
    assert (found["name"], found["description"], found["lang"]) == ("ipv4-addr 198.51.100.7", "d", "ro")
    assert "name" not in shown(said(1, "[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '203.0.113.9']"))


def test_any_other_property_is_of_the_best_ranked_that_has_it() -> None:
    found = shown(said(FIRST, at=9, x_a=1), said(SECOND, x_a=2, x_b=2))
    assert (found["x_a"], found["x_b"]) == (1, 2)


# ---------------------------------------------------------------- lists


def test_lists_are_united_sorted_and_without_repeats() -> None:
    phases = [{"kill_chain_name": "k", "phase_name": name} for name in "ab"]
    found = shown(
        said(FIRST, at=9, indicator_types=["unknown", "benign"], kill_chain_phases=phases[1:]),
        said(SECOND, indicator_types=["benign", "compromised"], kill_chain_phases=phases),
    )
    assert found["indicator_types"] == ["benign", "compromised", "unknown"]
    assert found["kill_chain_phases"] == phases


def test_the_list_of_one_claim_is_sorted_and_without_repeats_as_well() -> None:
    assert shown(said(1, indicator_types=["unknown", "unknown"]))["indicator_types"] == ["unknown"]
    assert shown(said(1, indicator_types=["unknown", "benign"]))["indicator_types"] == ["benign", "unknown"]


def test_labels_that_state_a_level_are_not_united() -> None:
    found = shown(said(FIRST, labels=["b", "tlp:amber", "TLP:mauve"]), said(SECOND, labels=["a"]))
    assert found["labels"] == ["a", "b"]


def test_one_label_states_the_strictest_pap() -> None:
    assert shown(said(FIRST, labels=["PAP:GREEN"]), said(SECOND, labels=["PAP:RED"]))["labels"] == ["PAP:RED"]


# ---------------------------------------------------------------- times


def test_it_is_valid_from_the_earliest_time_until_the_latest() -> None:
    found = shown(
        said(FIRST, valid_from=moment(-9), valid_until=moment(5)),
        said(SECOND, valid_from=moment(-5), valid_until=moment(9)),
    )
    assert (found["valid_from"], found["valid_until"]) == (moment(-9), moment(9))


def test_it_has_no_end_where_one_claim_has_none() -> None:
    assert "valid_until" not in shown(said(FIRST, valid_until=moment(5)), said(SECOND))


# ---------------------------------------------------------------- what the hub adds


def test_the_floor_is_the_least_level_of_the_claims_that_are_for_no_group() -> None:
    for_health = said(1, object_marking_refs=[TLP["green"], marking_of(NETWORK)])
    assert hub_says(for_health, said(5, tlp="amber"))["floor"] == "amber"
    assert hub_says(for_health)["floor"] == "green"


def test_a_revoked_claim_is_counted_if_it_is_marked_no_more_strictly_than_the_view() -> None:
    green = said(1)
    same, stricter = said(2, revoked=True), said(2, revoked=True, tlp="amber")
    of_a_group = said(5, revoked=True, object_marking_refs=[TLP["green"], marking_of(NETWORK)])
    assert hub_says(green, revoked=(same, stricter, of_a_group))["revoked_by"] == 1
    assert "revoked_by" not in hub_says(green, revoked=(stricter, of_a_group))
    assert hub_says(said(1, tlp="amber"), revoked=(same, stricter))["revoked_by"] == 2


def test_a_source_is_told_with_the_first_and_the_last_time_of_its_claims() -> None:
    claims = [said(1, "198.51.100.7", n, created=moment(c), at=m) for n, c, m in (("a", -9, -5), ("b", -8, -2))]
    assert hub_says(*claims)["sources"] == [{"name": "c1", "first": moment(-9), "last": moment(-2)}]


def test_of_a_source_that_does_not_go_by_its_name_the_days_are_told() -> None:
    assert hub_says(said(4))["sources"] == [{"name": "north", "first": "2025-12-31", "last": "2025-12-31"}]


def test_feedback_is_told_in_steps() -> None:
    for count, step in ((1, 1), (2, 2), (4, 2), (5, 5), (19, 10), (20, 20), (99, 50)):
        found = hub_says(said(1), feedback=Feedback(count, count))
        assert (found["sightings"], found["false_positives"]) == (step, step)
    assert not {"sightings", "false_positives"} & hub_says(said(1), feedback=Feedback(0, 0)).keys()


def test_a_network_is_wide_unless_one_source_is_trusted_with_it() -> None:
    assert hub_says(said(1, "203.0.0.0/12"))["observables"][0]["wide"] is True
    assert "wide" not in hub_says(said(1, "203.0.0.0/12"), said(2, "203.0.0.0/12"))["observables"][0]


# ---------------------------------------------------------------- relationships between things that merge

ENDS: dict[str, Any] = {"source_ref": an_indicator()["id"], "target_ref": malware()["id"]}


def related(*times: dict[str, Any]) -> Any:
    """What is shown of a relationship of which each source states these times."""
    claims = [
        projection(POLICY, no, an_object("relationship", "r", relationship_type="indicates", **ENDS, **some))
        for no, some in zip((1, 2, 5), times, strict=False)
    ]
    made = relationship(claims, (), POLICY, *map(StixId, ENDS.values()))
    return orjson.loads(b"{" + made.rest)


def test_a_relationship_lasts_from_the_earliest_start_to_the_latest_stop() -> None:
    found = related(
        {"start_time": moment(1), "stop_time": moment(5)}, {"start_time": moment(2), "stop_time": moment(9)}
    )
    assert (found["start_time"], found["stop_time"]) == (moment(1), moment(9))


@pytest.mark.parametrize("other", [{}, {"start_time": moment(1)}])
def test_a_relationship_has_no_stop_where_one_claim_has_none(other: dict[str, str]) -> None:
    assert "stop_time" not in related({"start_time": moment(1), "stop_time": moment(5)}, other)
