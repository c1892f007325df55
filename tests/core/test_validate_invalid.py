"""Every line of the invalid corpus: what is broken is refused with the right code, what is only odd is not.

``tests/data/invalid``: ``stix`` breaks a MUST of the specification, ``json`` is JSON that must not be taken, ``trap``
is valid or disputable and easily handled wrongly, ``policy`` is for later stages to judge.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hub.model.problems import Problem
from tests.core.verdicts import DATA, outcome, verdict

OBJECTS = [json.loads(line) for line in (DATA / "invalid" / "objects.ndjson").read_text().splitlines()]
RAW = [json.loads(line) for line in (DATA / "invalid" / "raw.ndjson").read_text().splitlines()]

VERDICTS: dict[str, tuple[str, ...]] = {
    "accepted": (
        "id: UUID in capitals (RFC 4122: lower case on output; tools differ)",
        "modified in the year 2999",
        "more than 6 fraction digits in modified (allowed by STIX; precision must not be lost in comparisons)",
        "pattern: regular expression that does not compile (grammar accepts it)",
        "pattern: regular expression that can take exponential time (valid; costs too much)",
        "pattern_type unknown",
        "pattern_type yara with a STIX pattern_version (not a STIX pattern: cannot be canonicalised)",
        'labels: [""]',
        "object_marking_refs: unknown marking (well formed; the hub cannot know its meaning and must fail closed)",
        "object_marking_refs: TLP 1.0 red and TLP 2.0 green together (contradiction: the stricter must win or be refused)",  # noqa: E501
        "marking-definition: the id of TLP:GREEN with the meaning clear",
        "granular_markings: RED on the description of an object that is otherwise CLEAR (valid; a hub that ignores it leaks)",  # noqa: E501
        "created_by_ref: another centre's identity",
        "type unknown",
        "bundle: spec_version 2.0 on the bundle, 2.1 objects in it",
        "bundle: the same id and modified twice with different content",
        "relationship to itself",
        "0.0.0.0/0 (valid STIX; would block everyone)",
        "private address (valid STIX)",
        "the top-level domain com (valid STIX)",
        "name with NUL",
        "name with right-to-left override",
        "name is 200 KiB",
        "2,000 labels",
        "5,000 custom properties",
        "labels is null",
        "confidence is null",
        "labels: []",
        "indicator_types: []",
        "kill_chain_phases: []",
        "external_references: []",
        "extensions: []",
        "type bundle inside a bundle",
        "list instead of an object",
    ),
    "bundle.invalid": (
        "bundle: objects is empty",
        "bundle: objects is an object",
        "bundle: no id",
    ),
    "json.nesting": (
        "nesting of 40",
        "nesting of 500",
    ),
    "json.not-object": ("scalar instead of an object",),
    "json.not-utf8": ("name with a lone surrogate (valid JSON escape, not UTF-8)",),
    "json.number": ("integer beyond 2^53",),
    "pattern.meaningless": ("pattern: AND over two object types (stix2 refuses it, the grammar accepts it)",),
    "pattern.syntax": (
        "pattern: a bare value",
        "pattern: not closed",
        "pattern: no brackets",
        "pattern: double quotes",
        "pattern: lower-case and",
        "pattern: hyphenated key not quoted",
        "pattern: typographic quotes",
        "pattern: quote not escaped",
        "pattern: unknown unit",
        "pattern: operand missing",
        "pattern: value not quoted",
    ),
    "pattern.too-costly": ("pattern: 3,000 nested parentheses",),
    "pattern.too-long": ("pattern: 20,000 OR operands",),
    "stix.extension": ("extensions: {}",),
    "stix.hash": ("file: hash of the wrong length",),
    "stix.id": (
        "id is null",
        "id: not a UUID",
        "id: empty UUID",
        "id: no type prefix",
        "id: one hyphen",
        "id: capital letter in the prefix",
        "id: prefix of another type",
        "id: nil UUID",
        "id: braces",
        "id: no hyphens",
        "id: leading blank",
        "id: trailing line break",
        "id: a number",
        "id: a list",
    ),
    "stix.marking": (
        "marking-definition: own id with the TLP 1.0 definition 'red'",
        "granular_markings: selector that selects nothing",
    ),
    "stix.property-name": (
        "property name with a capital letter",
        "property name with a blank",
        "property name of 300 characters",
        "custom property without prefix (2.1: deprecated; must be an extension)",
    ),
    "stix.property-type": (
        "revoked is null",
        'confidence: "high"',
        "confidence: 50.5",
        "confidence: true",
        'labels: "phishing"',
        "labels: [1]",
        'revoked: "false"',
        "revoked: 1",
        "name: 5",
        'name: ["a"]',
        'indicator_types: "malicious-activity"',
        'external_references: ["https://a.example/"]',
        "object_marking_refs: []",
        "granular_markings: []",
        "lang: 5",
        "description: {}",
        "object_marking_refs: a string instead of a list",
    ),
    "stix.reference": (
        "object_marking_refs: label instead of an id",
        "object_marking_refs: not a UUID",
        "object_marking_refs: id of another type",
        "created_by_ref: not an identity",
        "created_by_ref: not an id",
        "sighting_of_ref points at an observable",
    ),
    "stix.required": (
        "created is null",
        "pattern is null",
        "valid_from is null",
        "required property type is missing",
        "required property id is missing",
        "required property created is missing",
        "required property modified is missing",
        "required property pattern is missing",
        "required property pattern_type is missing",
        "required property valid_from is missing",
        "malware: required property is_family is missing",
        "identity: required property name is missing",
        "relationship: required property relationship_type is missing",
        "relationship: required property source_ref is missing",
        "relationship: required property target_ref is missing",
        "sighting: required property sighting_of_ref is missing",
        "report: required property published is missing",
        "report: required property object_refs is missing",
        "note: required property content is missing",
        "opinion: required property opinion is missing",
        "observed-data: required property number_observed is missing",
        "observed-data: required property first_observed is missing",
        "attack-pattern: required property name is missing",
        "vulnerability: required property name is missing",
        "marking-definition: required property created is missing",
        'kill_chain_phases: [{"kill_chain_name": "x"}]',
        'external_references: [{"url": "https://a.example/"}]',
        'external_references: [{"source_name": "a"}]',
        "marking-definition: definition without definition_type",
        "file: neither hashes nor name",
        "empty object",
    ),
    "stix.spec-version": (
        "required property spec_version is missing",
        'spec_version: "3.0"',
        'spec_version: "2.2"',
        'spec_version: "1.2"',
        'spec_version: "2"',
        "spec_version: 2.1",
        'spec_version: ""',
        "spec_version: null",
        'spec_version: ["2.1"]',
    ),
    "stix.time-order": (
        "modified before created",
        "valid_until before valid_from",
        "valid_until equal to valid_from",
        "relationship: stop_time before start_time",
        "sighting: last_seen before first_seen",
    ),
    "stix.timestamp": (
        "created: month 13",
        "created: 30 February",
        "created: a date only",
        "created: no zone",
        "created: an offset instead of Z",
        "created: a blank for T",
        "created: lower-case t and z",
        "created: hour 24",
        "created: second 60",
        "created: empty fraction",
        "created: no seconds",
        "created: basic format",
        "created: seconds since 1970 as text",
        "created: a number",
        "created: empty",
        "created: a word",
        "created: year 0",
        "created: five-digit year",
        "valid_from: 5",
    ),
    "stix.type": ("type with a capital letter",),
    "stix.value": (
        "pattern: empty",
        "confidence: 101",
        "confidence: -1",
        "sighting: count -1",
        "observed-data: number_observed 0",
        "ipv4-addr: value is not an address",
        "ipv6-addr: zone index",
        "domain-name: value is a URL",
    ),
    "value.ambiguous": ("ipv4-addr: value with leading zeros",),
}

RAW_VERDICTS: dict[str, tuple[str, ...]] = {
    "accepted": (
        "UTF-8 BOM",
        "UTF-16",
        "CRLF after the object",
    ),
    "json.duplicate-key": (
        "duplicate key with the same value",
        "duplicate key with another value (last wins in most parsers: can smuggle a marking)",
        "duplicate key written with an escape",
    ),
    "json.malformed": (
        "truncated",
        "trailing comma",
        "single quotes",
        "comment",
        "unquoted key",
        "leading zero",
        "plus sign",
        "raw line break inside a string",
        "raw tab inside a string",
        "two objects on one line",
        "text after the object",
        "NDJSON with an empty line between",
        "NUL after the object",
        "HTML error page",
        "CSV",
    ),
    "json.nesting": (
        "10,000 opening brackets",
        "100,000 opening braces",
    ),
    "json.not-utf8": (
        "not UTF-8 (Latin-1 e acute)",
        "overlong UTF-8",
        "UTF-8 encoded surrogate",
        "gzip bytes without Content-Encoding",
    ),
    "json.number": (
        "NaN",
        "Infinity",
        "1e999",
        "number of 5,000 digits",
    ),
    "record.empty": (
        "empty",
        "only blanks",
    ),
}


SURELY_MEANT = {
    "labels is null",
    "confidence is null",
    "labels: []",
    "indicator_types: []",
    "kill_chain_phases: []",
    "external_references: []",
    "extensions: []",
    "type bundle inside a bundle",
    "list instead of an object",
    "UTF-16",
}
"""What STIX or JSON do not allow and the hub takes: it has one meaning only."""


def _expected(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {why: code for code, whys in table.items() for why in whys}


def _bytes(line: dict[str, Any]) -> bytes:
    if "repeat" in line:
        piece, times = line["repeat"]
        return bytes(piece.encode() * times)
    return base64.b64decode(line["base64"])


@pytest.mark.parametrize("line", OBJECTS, ids=lambda line: line["why"][:60])
def test_each_object_gets_the_verdict_that_is_written_down(line: dict[str, Any]) -> None:
    assert verdict(line["object"]) == _expected(VERDICTS)[line["why"]]


@pytest.mark.parametrize("line", RAW, ids=lambda line: line["why"][:60])
def test_each_piece_of_bytes_gets_the_verdict_that_is_written_down(line: dict[str, Any]) -> None:
    found = outcome(_bytes(line))
    assert (found.code.value if isinstance(found, Problem) else "accepted") == _expected(RAW_VERDICTS)[line["why"]]


@pytest.mark.parametrize("level", ["stix", "json"])
def test_nothing_of_these_levels_is_expected_to_be_accepted(level: str) -> None:
    whys = {line["why"] for line in OBJECTS + RAW if line["level"] == level}
    accepted = {*VERDICTS["accepted"], *RAW_VERDICTS["accepted"]}
    assert whys & accepted <= SURELY_MEANT


def test_two_objects_on_lines_of_their_own_are_two_objects_only_when_cut_at_the_lines() -> None:
    value = next(_bytes(line) for line in RAW if line["why"] == "NDJSON with an empty line between")
    lines = [line for line in value.splitlines() if line.strip()]
    assert [isinstance(outcome(line), list) for line in lines] == [True, True]


def test_every_problem_of_the_corpus_points_into_the_object_and_is_one_short_sentence() -> None:
    for line in OBJECTS:
        found = outcome(json.dumps(line["object"]).encode())
        if isinstance(found, Problem):
            assert found.at == "" or found.at.startswith("/")
            assert "\n" not in found.says
            assert len(found.says) < 400
