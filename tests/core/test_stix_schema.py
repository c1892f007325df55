"""The published JSON Schema is what ``validate`` holds to, as far as JSON Schema can say it."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from hub.documents.stix_schema import PATH, document, document_bytes
from hub.model.words import StixObject
from tests.core.test_validate import BAD, GOOD
from tests.core.verdicts import problems_of, sample_objects

SCHEMA = Draft202012Validator(document())

BEYOND_THE_SCHEMA = {
    ("stix.id", "/id"): "the type in a custom object's id, random UUIDs",
    ("stix.marking", "/definition"): "the four TLP 1.0 definitions",
    ("stix.marking", "/granular_markings/0/selectors/0"): "what a selector selects",
    ("stix.marking", "/object_marking_refs"): "a marking of itself",
    ("stix.reference", "/object_marking_refs/0"): "a line break at the end, which Python's $ lets pass",
    ("stix.required", "/definition"): "the statement of a statement marking",
    ("stix.time-order", "/modified"): "two values",
    ("stix.time-order", "/valid_until"): "two values",
    ("stix.timestamp", "/created"): "a day that its month has not",
    ("stix.value", "/external_references/0/external_id"): "the form of a CVE id",
    ("stix.value", "/extension_properties"): "what only extensions of the top level have",
    ("stix.value", "/value"): "a line break at the end",
}
"""Broken objects that JSON Schema cannot tell from good ones, by code and place, and why."""


def test_the_published_schema_is_not_stale() -> None:
    assert PATH.read_bytes() == document_bytes(), "run make docs"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(document())


@pytest.mark.parametrize("obj", GOOD, ids=lambda obj: obj["type"])
def test_good_objects_pass(obj: StixObject) -> None:
    assert list(SCHEMA.iter_errors(obj)) == []


def test_real_objects_that_we_accept_pass() -> None:
    for file, obj in sample_objects("stix21-cti-documentation", "stix21-elevator", "stix21-misp-stix", "stix21-tlp"):
        if not problems_of(obj):
            assert list(SCHEMA.iter_errors(obj)) == [], file


def test_broken_objects_fail_where_a_schema_can_tell() -> None:
    untold = {(code, at) for obj, code, at in BAD if SCHEMA.is_valid(obj)}
    assert untold == BEYOND_THE_SCHEMA.keys()
