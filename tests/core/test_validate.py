"""The MUST rules of STIX 2.1: each of them with what it lets pass and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.validate import RESERVED_PROPERTIES, TYPES, validate
from hub.core.validate.kinds import Extensions
from hub.core.validate.timestamps import instant, is_timestamp
from hub.model.extensions import OBSERVABLE_EXTENSIONS
from hub.model.problems import Problem
from hub.model.words import Limits, StixObject
from tests.core.verdicts import (
    IDENTITY,
    LIMITS,
    UUID,
    an_indicator,
    an_object,
    codes_of,
    problems_of,
    sample_objects,
    without,
)

MALWARE = f"malware--{UUID}"
MARKING = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
EXTENSION = f"extension-definition--{UUID}"


def an_observable(kind: str, **properties: Any) -> StixObject:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID}"} | properties


GOOD = [
    an_indicator(),
    an_indicator(confidence=0, lang="sr-Latn-RS", labels=[""], revoked=True),
    an_indicator(valid_until="2026-01-31T12:00:00.001Z"),
    an_indicator(pattern="alert tcp any any", pattern_type="snort", pattern_version="2.9"),
    an_indicator(x_acme_score=5, any_custom_property={"deep": [None, {}]}),
    an_indicator(extensions={EXTENSION: {"extension_type": "toplevel-property-extension"}}, rank=1),
    an_indicator(extensions={"x-acme-ext": {"a": 1}}),
    an_indicator(created_by_ref=IDENTITY, object_marking_refs=[MARKING]),
    an_indicator(granular_markings=[{"lang": "de", "selectors": ["name", "indicator_types.[0]"]}]),
    an_indicator(external_references=[{"source_name": "cve", "external_id": "CVE-2024-3094"}]),
    an_indicator(external_references=[{"source_name": "a", "description": "b", "hashes": {"MD5": "a" * 32}}]),
    an_indicator(kill_chain_phases=[{"kill_chain_name": "a", "phase_name": "b"}]),
    an_indicator(modified="2026-01-31T12:00:00.0000000001Z"),
    an_object("malware", is_family=True, name="a"),
    an_object("malware", is_family=False),
    an_object("location", latitude=45, longitude=-180.0, precision=10.5),
    an_object("location", country="RO"),
    an_object("relationship", relationship_type="related-to", source_ref=MALWARE, target_ref=MALWARE),
    an_object("sighting", sighting_of_ref=MALWARE, count=0),
    an_object("sighting", sighting_of_ref=f"x-acme-thing--{UUID}"),
    an_object("report", name="a", published="2026-01-31T12:00:00Z", object_refs=[f"x-acme--{UUID}", MARKING]),
    an_object("identity", name="a"),
    an_object("opinion", opinion="agree", object_refs=[MALWARE]),
    an_object("language-content", object_ref=MALWARE, contents={"de": {"name": "x"}}),
    an_object("x-acme-alert", anything="goes"),
    an_object(
        "extension-definition",
        created_by_ref=IDENTITY,
        name="a",
        schema="b",
        version="1",
        extension_types=["new-sdo"],
    ),
    without(an_object("marking-definition", definition_type="statement", definition={"statement": "a"}), "modified"),
    an_observable("ipv4-addr", value="198.51.100.0/24"),
    without(an_observable("ipv4-addr", value="198.51.100.7"), "spec_version"),
    an_observable("ipv6-addr", value="2001:db8::1"),
    an_observable("domain-name", value="_dmarc.bücher.example."),
    an_observable("url", value="HTTP://example/a b"),
    an_observable("mac-addr", value="D2-FB-49-24-37-18"),
    an_observable("file", name="a", extensions={"pdf-ext": {"version": "1.7"}}),
    an_observable("file", hashes={"SHA-256": "a" * 64, "imphash": "x"}),
    an_observable("artifact", payload_bin="QUJD"),
    an_observable("email-message", is_multipart=True, body_multipart=[{"body": "a"}]),
    an_observable("network-traffic", protocols=["tcp"], dst_ref=f"ipv4-addr--{UUID}", dst_port=65_535),
    an_observable("process", pid=1),
    an_observable("x-acme-thing", value=1),
]


@pytest.mark.parametrize("obj", GOOD, ids=lambda obj: obj["type"])
def test_a_good_object_has_no_problem(obj: StixObject) -> None:
    assert problems_of(obj) == []


BAD: list[tuple[StixObject, str, str]] = [
    ({}, "stix.required", ""),
    ({"type": None}, "stix.type", "/type"),
    ({"type": "ab"}, "stix.type", "/type"),
    ({"type": "a--b"}, "stix.type", "/type"),
    ({"type": "x" * 251}, "stix.type", "/type"),
    ({"type": "action"}, "stix.type", "/type"),
    ({"type": "bundle", "objects": []}, "bundle.too-deep", "/type"),
    (without(an_indicator(), "id"), "stix.required", ""),
    (an_indicator(id=None), "stix.id", "/id"),
    (an_indicator(id=[]), "stix.id", "/id"),
    (an_indicator(id=f"indicator--{UUID}\n"), "stix.id", "/id"),
    (an_indicator(id=f"malware--{UUID}"), "stix.id", "/id"),
    (an_indicator(id="indicator--018f3c2e-7b1a-7cde-8f00-0123456789ab"), "stix.id", "/id"),
    (an_object("x-acme-alert", id=f"x-other--{UUID}"), "stix.id", "/id"),
    (an_indicator(spec_version="2.0"), "stix.spec-version", "/spec_version"),
    (an_indicator(created=1_700_000_000), "stix.timestamp", "/created"),
    (an_indicator(created="2026-01-31T12:00:00.000z"), "stix.timestamp", "/created"),
    (an_indicator(created="2026-02-29T12:00:00.000Z"), "stix.timestamp", "/created"),
    (an_indicator(created="2026-01-31T12:00:00.000Z\n"), "stix.timestamp", "/created"),
    (an_indicator(created="२026-01-31T12:00:00.000Z"), "stix.timestamp", "/created"),
    (an_indicator(modified="2026-01-31T11:59:59.9999Z"), "stix.time-order", "/modified"),
    (an_indicator(valid_until="2026-01-31T12:00:00.000Z"), "stix.time-order", "/valid_until"),
    (an_indicator(pattern=""), "stix.value", "/pattern"),
    (an_indicator(pattern_type=None), "stix.property-type", "/pattern_type"),
    (an_indicator(confidence=101), "stix.value", "/confidence"),
    (an_indicator(confidence=True), "stix.property-type", "/confidence"),
    (an_indicator(lang="de_DE!"), "stix.value", "/lang"),
    (an_indicator(labels=[]), "stix.property-type", "/labels"),
    (an_indicator(labels=["a", 1]), "stix.property-type", "/labels/1"),
    (an_indicator(x_custom=None), "stix.property-type", "/x_custom"),
    (an_indicator(x_custom=[]), "stix.property-type", "/x_custom"),
    (an_indicator(x_raw_bin="not base64!"), "stix.value", "/x_raw_bin"),
    (an_indicator(x_raw_hex="abc"), "stix.value", "/x_raw_hex"),
    (an_indicator(Bad=1), "stix.property-name", "/Bad"),
    (an_indicator(**{"a/b": 1}), "stix.property-name", "/a~1b"),
    (an_indicator(ab=1), "stix.property-name", "/ab"),
    (an_indicator(created_by_ref=f"malware--{UUID}"), "stix.reference", "/created_by_ref"),
    (an_indicator(object_marking_refs=[IDENTITY]), "stix.reference", "/object_marking_refs/0"),
    (an_indicator(object_marking_refs=[f"{MARKING}\n"]), "stix.reference", "/object_marking_refs/0"),
    (
        an_indicator(granular_markings=[{"marking_ref": MARKING, "selectors": ["name.[0]"]}]),
        "stix.marking",
        "/granular_markings/0/selectors/0",
    ),
    (
        an_indicator(granular_markings=[{"marking_ref": MARKING, "selectors": ["indicator_types.[1]"]}]),
        "stix.marking",
        "/granular_markings/0/selectors/0",
    ),
    (
        an_indicator(granular_markings=[{"marking_ref": MARKING, "lang": "de", "selectors": ["name"]}]),
        "stix.required",
        "/granular_markings/0",
    ),
    (an_indicator(extensions={"nonsense": {"a": 1}}), "stix.extension", "/extensions/nonsense"),
    (an_indicator(extensions={EXTENSION: {"a": 1}}), "stix.extension", f"/extensions/{EXTENSION}"),
    (an_indicator(extensions={EXTENSION: {"extension_type": ["a"]}}), "stix.extension", f"/extensions/{EXTENSION}"),
    (an_observable("url", value="http://a.example/", labels=5), "stix.property-type", "/labels"),
    (an_observable("url", value="http://a.example/", labels=[5]), "stix.property-type", "/labels/0"),
    (an_observable("url", value="http://a.example/", created_by_ref=["x"]), "stix.reference", "/created_by_ref"),
    (an_observable("url", value="http://a.example/", modified="soon"), "stix.timestamp", "/modified"),
    (an_observable("url", value="http://a.example/", lang={}), "stix.property-type", "/lang"),
    (
        an_observable("file", name="a", extensions={"raster-image-ext": {"exif_tags": {"make": "a"}}}),
        "stix.property-name",
        "/extensions/raster-image-ext/exif_tags/make",
    ),
    (an_object("location", latitude=1, longitude=1, precision=-1), "stix.value", "/precision"),
    (
        an_indicator(external_references=[{"source_name": "cve", "external_id": "2024-3094"}]),
        "stix.value",
        "/external_references/0/external_id",
    ),
    (
        an_indicator(external_references=[{"source_name": "a", "url": "b", "hashes": {"MD5": "c"}}]),
        "stix.hash",
        "/external_references/0/hashes/MD5",
    ),
    (an_object("malware", is_family=True), "stix.required", ""),
    (an_object("location"), "stix.required", ""),
    (an_object("location", latitude=45), "stix.required", ""),
    (an_object("location", latitude=91, longitude=0), "stix.value", "/latitude"),
    (
        an_object("relationship", relationship_type="Uses it", source_ref=MALWARE, target_ref=MALWARE),
        "stix.value",
        "/relationship_type",
    ),
    (
        an_object("relationship", relationship_type="uses", source_ref=f"sighting--{UUID}", target_ref=MALWARE),
        "stix.reference",
        "/source_ref",
    ),
    (an_object("sighting", sighting_of_ref=f"file--{UUID}"), "stix.reference", "/sighting_of_ref"),
    (an_object("opinion", opinion="maybe", object_refs=[MALWARE]), "stix.value", "/opinion"),
    (an_object("x-acme-alert", labels="a"), "stix.property-type", "/labels"),
    (without(an_object("x-acme-alert"), "modified"), "stix.required", ""),
    (
        an_object("marking-definition", definition_type="tlp", definition={"tlp": "red"}),
        "stix.marking",
        "/definition",
    ),
    (an_object("marking-definition", definition_type="statement", definition={"a": "b"}), "stix.required", "/definition"),  # noqa: E501
    (an_object("marking-definition", definition={"a": "b"}), "stix.required", ""),
    (
        an_object(
            "marking-definition",
            definition_type="statement",
            definition={"statement": "b"},
            object_marking_refs=[f"marking-definition--{UUID}"],
        ),
        "stix.marking",
        "/object_marking_refs",
    ),
    (
        an_object(
            "extension-definition", created_by_ref=IDENTITY, name="a", schema="b", version="1",
            extension_types=["new-sdo"], extension_properties=["x"],
        ),
        "stix.value",
        "/extension_properties",
    ),
    (
        an_object(
            "observed-data", first_observed="2026-01-31T12:00:00Z", last_observed="2026-01-31T12:00:00Z",
            number_observed=1, object_refs=[MALWARE],
        ),
        "stix.reference",
        "/object_refs/0",
    ),
    (an_observable("ipv4-addr", value="999.1.1.1"), "stix.value", "/value"),
    (an_observable("ipv4-addr", value="198.51.100.7\n"), "stix.value", "/value"),
    (an_observable("ipv6-addr", value="fe80::1%eth0"), "stix.value", "/value"),
    (an_observable("domain-name", value="http://a.example/"), "stix.value", "/value"),
    (an_observable("url", value="just words"), "stix.value", "/value"),
    (an_observable("email-addr", value="nobody"), "stix.value", "/value"),
    (an_observable("file", size=5), "stix.required", ""),
    (an_observable("file", name="a", hashes={"SHA-256": "abcd"}), "stix.hash", "/hashes/SHA-256"),
    (an_observable("file", name="a", extensions={"pdf-ext": {"version": 1}}), "stix.property-type", "/extensions/pdf-ext/version"),  # noqa: E501
    (an_observable("file", name="a", extensions={"windows-pebinary-ext": {"pe_type": "dll"}}), "stix.required", "/extensions/windows-pebinary-ext"),  # noqa: E501
    (an_observable("file", name="a", contains_refs=[f"bundle--{UUID}"]), "stix.reference", "/contains_refs/0"),
    (an_observable("artifact", url="https://a.example/"), "stix.required", ""),
    (an_observable("artifact", payload_bin="QUJD", url="https://a.example/", hashes={"MD5": "a" * 32}), "stix.required", ""),  # noqa: E501
    (an_observable("email-message", is_multipart=True, body="a"), "stix.value", "/body"),
    (an_observable("email-message", is_multipart=False, body_multipart=[{"body": "a"}]), "stix.value", "/body_multipart"),  # noqa: E501
    (an_observable("network-traffic", protocols=["tcp"]), "stix.required", ""),
    (an_observable("process"), "stix.required", ""),
    (an_observable("process", id="process--96329ca7-78dc-5cff-9d64-0f70dfa2ca47", pid=1), "stix.id", "/id"),
    (an_observable("x-acme-thing", extensions={}), "stix.extension", "/extensions"),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "code", "at"), BAD)
def test_a_broken_rule_is_named_with_its_place(obj: StixObject, code: str, at: str) -> None:
    found = problems_of(obj)
    assert (code, at) in {(problem.code.value, problem.at) for problem in found}


@pytest.mark.parametrize("name", sorted(RESERVED_PROPERTIES))
def test_a_reserved_name_is_no_custom_property(name: str) -> None:
    assert codes_of(an_indicator(**{name: "x"})) == ["stix.property-name"]


def test_every_problem_of_an_object_is_told_up_to_twenty() -> None:
    assert len(problems_of(an_indicator(labels=[1], confidence="x", name=5))) == 3
    assert len(problems_of(an_indicator(**{f"Bad{number}": 1 for number in range(50)}))) == 20


def test_a_sentence_quotes_the_value_cut_to_size() -> None:
    (problem,) = problems_of(an_indicator(created="x" * 10_000))
    assert "xxx" in problem.says
    assert len(problem.says) < 200


def test_a_pattern_longer_than_the_limit_is_refused_whatever_its_type() -> None:
    limits = Limits(pattern_chars=10)
    found = validate(an_indicator(pattern="rule " + "x" * 10, pattern_type="yara"), limits)
    assert [problem.code.value for problem in found] == ["pattern.too-long"]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_each_required_property_is_missed(name: str) -> None:
    obj = {"type": name, "id": f"{name}--{UUID}"}
    missing = {problem.says for problem in problems_of(obj) if problem.code.value == "stix.required"}
    for required in TYPES[name].required:
        assert f"The property {required} is missing." in missing


@pytest.mark.parametrize("name", sorted(TYPES))
def test_no_property_of_any_type_takes_null(name: str) -> None:
    for one in TYPES[name].properties:
        obj = {"type": name, "id": f"{name}--{UUID}", one: None}
        assert any(problem.at == f"/{one}" for problem in problems_of(obj)), one


@given(st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_every_moment_of_the_calendar_is_a_timestamp(text: str) -> None:
    assert is_timestamp(text)


@given(st.datetimes(), st.datetimes(), st.integers(0, 9))
def test_instants_sort_as_time_goes_whatever_the_digits(one: Any, other: Any, zeros: int) -> None:
    def written(moment: Any) -> str:
        return f"{moment.isoformat(timespec='microseconds')}{'0' * zeros}Z"

    assert (instant(written(one)) < instant(f"{other.isoformat(timespec='microseconds')}Z")) == (one < other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
REAL = [obj for _, obj in sample_objects("stix21-cti-documentation", "stix21-misp-stix")][::7]


def damaged(obj: Any, data: st.DataObject) -> Any:
    """The object with one value, somewhere in it, replaced by any JSON."""
    if isinstance(obj, dict) and obj and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(obj)))
        return {**obj, name: damaged(obj[name], data)}
    if isinstance(obj, list) and obj and data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(obj) - 1))
        return [*obj[:index], damaged(obj[index], data), *obj[index + 1 :]]
    return data.draw(JSON)


@given(st.sampled_from(REAL), st.data())
def test_any_damage_to_a_real_object_gives_problems_or_none_never_an_exception(obj: StixObject, data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(obj)))
    for problem in validate({**obj, name: damaged(obj[name], data)}, LIMITS):
        assert isinstance(problem, Problem)


@given(st.dictionaries(st.sampled_from(["type", "id", "created", "spec_version", "objects", "x"]), JSON))
def test_any_object_gets_a_verdict(obj: StixObject) -> None:
    assert all(isinstance(problem, Problem) for problem in validate(obj, LIMITS))


@pytest.mark.parametrize(("obj", "word"), [({"Event": {"info": "x"}}, "MISP"), ({"document": {}}, "CSAF")])
def test_what_is_surely_another_format_is_called_by_its_name(obj: StixObject, word: str) -> None:
    (problem,) = problems_of(obj)
    assert problem.code == "stix.required"
    assert word in problem.says


def test_the_extensions_that_stix_defines_are_known_by_name() -> None:
    kinds = [kind for one in TYPES.values() for kind in one.properties.values() if isinstance(kind, Extensions)]
    assert {name for kind in kinds for name in kind.known} == OBSERVABLE_EXTENSIONS
