"""Null and empty lists say nothing where nothing may be said, and are refused where that would mean less protection."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from hub.core.judge import check, judge, objects_in
from hub.core.normalise.nothing import without_nothing
from hub.core.validate import TYPES
from tests.core.verdicts import DATA, LIMITS, an_indicator, an_object

REAL = DATA / "real-life"
NOTHING: list[Any] = [None, []]
MARKING = an_object("marking-definition", definition_type="statement", definition={"statement": "x"})
del MARKING["modified"]


def codes(obj: Any) -> list[str]:
    return [problem.code.value for problem in check(json.dumps(obj).encode(), LIMITS)]


def shown(obj: Any) -> Any:
    found = judge(json.dumps(obj).encode(), LIMITS)
    assert isinstance(found, list), found
    return found[0].obj


OPTIONAL = [
    "created_by_ref", "labels", "confidence", "lang", "external_references", "extensions", "name", "description",
    "indicator_types", "pattern_version", "valid_until", "kill_chain_phases", "x_score", "x_data_sources",
]  # fmt: skip


@given(said=st.dictionaries(st.sampled_from(OPTIONAL), st.sampled_from(NOTHING), min_size=1))
def test_an_optional_property_that_says_nothing_is_left_out_with_one_warning(said: dict[str, Any]) -> None:
    obj = an_indicator(**said)
    assert codes(obj) == ["stix.empty-property"]
    assert shown(obj) == shown({name: value for name, value in obj.items() if name not in said})
    (warning,) = check(json.dumps(obj).encode(), LIMITS)
    assert sum(f"'{name}'" in warning.says for name in said) == min(len(said), 5)


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize(
    "name", ["object_marking_refs", "granular_markings", "revoked", "pattern", "pattern_type", "valid_from", "created"]
)
def test_where_nothing_would_mean_less_protection_it_is_refused(name: str, nothing: Any) -> None:
    for obj in (an_indicator(**{name: nothing}), an_indicator(**{name: nothing}, labels=[])):
        assert codes(obj)[0] not in ("stix.empty-property", "revocation.lenient")


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("name", ["definition", "definition_type", "extensions"])
def test_what_a_marking_decides_by_is_never_left_out(name: str, nothing: Any) -> None:
    assert codes({**MARKING, "name": nothing}) == ["stix.empty-property"]
    extension = {"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"extension_type": "property-extension"}}
    by_extension = {name: value for name, value in MARKING.items() if not name.startswith("definition")}
    for obj in ({**MARKING, name: nothing}, {**by_extension, "extensions": {**extension, "x-ext": {"a": nothing}}}):
        assert "stix.empty-property" not in codes(obj)


@pytest.mark.parametrize("nothing", NOTHING)
def test_nothing_is_left_out_at_any_depth(nothing: Any) -> None:
    extension = {"extension_type": "property-extension", "score": nothing, "kept": 1}
    name = "extension-definition--f82dae75-1890-5e4a-907d-b8105061ee17"
    reference = {"source_name": "x", "url": "https://x.example/", "description": nothing, "hashes": nothing}
    obj = an_indicator(external_references=[reference], extensions={name: extension})
    assert codes(obj) == ["stix.empty-property"]
    found = shown(obj)
    assert found["external_references"] == [{"source_name": "x", "url": "https://x.example/"}]
    assert found["extensions"] == {name: {"extension_type": "property-extension", "kept": 1}}


@pytest.mark.parametrize("nothing", NOTHING)
def test_an_object_in_which_nothing_else_is_says_nothing_either(nothing: Any) -> None:
    named = an_object("file", name="a.exe", hashes={"MD5": nothing, "SHA-1": nothing})
    named["extensions"] = {"pdf-ext": {"version": nothing}}
    assert codes(named) == ["stix.empty-property"]
    assert not {"hashes", "extensions"} & shown(named).keys()
    del named["name"]
    assert codes(named) == ["stix.required"]


def test_objects_inside_observed_data_are_read_without_what_says_nothing() -> None:
    observed = an_object(
        "observed-data",
        first_observed="2026-01-31T12:00:00Z",
        last_observed="2026-01-31T12:00:00Z",
        number_observed=1,
        objects={"0": {"type": "file", "name": "a", "hashes": None, "parent_directory_ref": None}},
    )
    assert codes(observed) == ["stix.lifted", "stix.empty-property"]
    assert codes({**observed, "objects": {"0": {"type": "file", "name": None}}}) == ["stix.required"]


def test_what_must_be_said_one_way_or_the_other_is_still_asked_for() -> None:
    assert codes(an_indicator(external_references=[{"source_name": "x", "url": None}])) == ["stix.required"]
    assert codes(an_indicator(external_references=[{}])) == ["stix.property-type"]
    assert codes(an_indicator(labels=[None])) == ["stix.property-type"]
    assert codes(an_object("report", name="r", published="2026-01-31T12:00:00Z", object_refs=[])) == ["stix.required"]


@given(st.data())
def test_what_is_taken_without_a_word_is_never_changed(data: st.DataObject) -> None:
    obj = an_indicator(x_deep={"a": data.draw(st.sampled_from([None, [], {}, 1]))})
    if codes(obj) == []:
        assert shown(obj)["x_deep"] == obj["x_deep"]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_is_left_out_is_never_what_decides(kind: str) -> None:
    names = [*TYPES[kind].properties, "object_marking_refs", "granular_markings", "revoked"]
    found, left_out = without_nothing({"type": kind, **dict.fromkeys(names)})
    assert {"object_marking_refs", "granular_markings", "revoked"} <= found.keys()
    assert not {"/object_marking_refs", "/granular_markings", "/revoked"} & set(left_out)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nothing-said.json", [["stix.empty-property"], ["stix.property-type"], []]),
        ("nothing-said-custom.json", [["stix.empty-property"], ["stix.empty-property"]]),
    ],
)
def test_what_real_tools_write_is_taken(name: str, expected: list[list[str]]) -> None:
    slices = objects_in((REAL / name).read_bytes(), LIMITS)
    assert isinstance(slices, list)
    assert [[problem.code.value for problem in check(one, LIMITS)] for one in slices] == expected


@pytest.mark.parametrize(
    "more",
    [{"modified": "2026-02-01T12:00:00.000Z"}, {"labels": ["a"], "lang": "en"}, {"confidence": 3}, {"revoked": False}],
)
def test_a_marking_definition_is_shown_without_what_none_has(more: dict[str, Any]) -> None:
    assert codes({**MARKING, **more}) == ["stix.marking-property"]
    assert shown({**MARKING, **more}) == shown(MARKING)
    stix2.parse(shown({**MARKING, **more}), allow_custom=False)
