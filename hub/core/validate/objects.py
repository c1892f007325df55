"""The tables of STIX 2.1's domain, relationship and meta objects. Source: sections 4, 5 and 7."""

from __future__ import annotations

from hub.core.validate.common import (
    FLAG,
    KILL_CHAIN_PHASES,
    NO_OBSERVABLES,
    NOT_OBSERVED,
    RELATIONSHIP_NAME,
    SEEN,
    TEXT,
    TEXTS,
    TIME,
)
from hub.core.validate.kinds import (
    AnyOf,
    Dictionary,
    EnumValue,
    Integer,
    ListOf,
    Needs,
    Number,
    ObjectType,
    OneOf,
    Reference,
    Text,
)
from hub.model.stix_types import SCO_TYPES, InOrder

_NO_THING = frozenset({"relationship", "sighting", "bundle", "marking-definition", "language-content"})
"""Types that neither end of a relationship may have (section 5.1)."""

_SOFTWARE = Reference(frozenset({"software"}))
_OBJECTS = ListOf(Reference(but=frozenset({"bundle"})))
_NAMED = {"name": TEXT, "description": TEXT}
_SEEN = {"first_seen": TIME, "last_seen": TIME}
OPINIONS = frozenset({"strongly-disagree", "disagree", "neutral", "agree", "strongly-agree"})
EXTENSION_TYPES = frozenset({"new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"})

_OBJECTS_TABLE = (
    ObjectType(
        "attack-pattern",
        {**_NAMED, "aliases": TEXTS, "kill_chain_phases": KILL_CHAIN_PHASES},
        ("name",),
        section="4.1",
    ),
    ObjectType("campaign", {**_NAMED, "aliases": TEXTS, **_SEEN, "objective": TEXT}, ("name",), SEEN, section="4.2"),
    ObjectType("course-of-action", _NAMED, ("name",), section="4.3"),
    ObjectType(
        "grouping",
        {**_NAMED, "context": TEXT, "object_refs": _OBJECTS},
        ("context", "object_refs"),
        section="4.4",
    ),
    ObjectType(
        "identity",
        {**_NAMED, "roles": TEXTS, "identity_class": TEXT, "sectors": TEXTS, "contact_information": TEXT},
        ("name",),
        section="4.5",
    ),
    ObjectType("incident", {**_NAMED, "kill_chain_phases": KILL_CHAIN_PHASES}, ("name",), section="4.6"),
    ObjectType(
        "indicator",
        {
            **_NAMED,
            "indicator_types": TEXTS,
            "pattern": Text(filled=True),
            "pattern_type": Text(filled=True),
            "pattern_version": TEXT,
            "valid_from": TIME,
            "valid_until": TIME,
            "kill_chain_phases": KILL_CHAIN_PHASES,
        },
        ("pattern", "pattern_type", "valid_from"),
        (InOrder("valid_from", "valid_until", strictly=True),),
        section="4.7",
    ),
    ObjectType(
        "infrastructure",
        {**_NAMED, "infrastructure_types": TEXTS, "aliases": TEXTS, "kill_chain_phases": KILL_CHAIN_PHASES, **_SEEN},
        ("name",),
        SEEN,
        section="4.8",
    ),
    ObjectType(
        "intrusion-set",
        {
            **_NAMED,
            "aliases": TEXTS,
            **_SEEN,
            "goals": TEXTS,
            "resource_level": TEXT,
            "primary_motivation": TEXT,
            "secondary_motivations": TEXTS,
        },
        ("name",),
        SEEN,
        section="4.9",
    ),
    ObjectType(
        "location",
        {
            **_NAMED,
            "latitude": Number(-90, 90),
            "longitude": Number(-180, 180),
            "precision": Number(0),
            "region": TEXT,
            "country": TEXT,
            "administrative_area": TEXT,
            "city": TEXT,
            "street_address": TEXT,
            "postal_code": TEXT,
        },
        (),
        (
            AnyOf(("region", "country", "latitude")),
            Needs("latitude", ("longitude",)),
            Needs("longitude", ("latitude",)),
            Needs("precision", ("latitude", "longitude")),
        ),
        section="4.10",
    ),
    ObjectType(
        "malware",
        {
            **_NAMED,
            "malware_types": TEXTS,
            "is_family": FLAG,
            "aliases": TEXTS,
            "kill_chain_phases": KILL_CHAIN_PHASES,
            **_SEEN,
            "operating_system_refs": ListOf(_SOFTWARE),
            "architecture_execution_envs": TEXTS,
            "implementation_languages": TEXTS,
            "capabilities": TEXTS,
            "sample_refs": ListOf(Reference(frozenset({"artifact", "file"}))),
        },
        ("is_family",),
        (*SEEN, Needs("is_family", ("name",), when=True)),
        section="4.11",
    ),
    ObjectType(
        "malware-analysis",
        {
            "product": TEXT,
            "version": TEXT,
            "host_vm_ref": _SOFTWARE,
            "operating_system_ref": _SOFTWARE,
            "installed_software_refs": ListOf(_SOFTWARE),
            "configuration_version": TEXT,
            "modules": TEXTS,
            "analysis_engine_version": TEXT,
            "analysis_definition_version": TEXT,
            "submitted": TIME,
            "analysis_started": TIME,
            "analysis_ended": TIME,
            "result_name": TEXT,
            "result": TEXT,
            "analysis_sco_refs": ListOf(Reference(but=NOT_OBSERVED)),
            "sample_ref": Reference(frozenset({"artifact", "file", "network-traffic"})),
        },
        ("product",),
        (AnyOf(("result", "analysis_sco_refs")),),
        section="4.12",
    ),
    ObjectType(
        "note",
        {"abstract": TEXT, "content": TEXT, "authors": TEXTS, "object_refs": _OBJECTS},
        ("content", "object_refs"),
        section="4.13",
    ),
    ObjectType(
        "observed-data",
        {
            "first_observed": TIME,
            "last_observed": TIME,
            "number_observed": Integer(1, 999_999_999),
            "objects": Dictionary(Dictionary()),
            "object_refs": ListOf(Reference(but=NO_OBSERVABLES)),
        },
        ("first_observed", "last_observed", "number_observed"),
        (InOrder("first_observed", "last_observed"), OneOf(("objects", "object_refs"))),
        section="4.14",
    ),
    ObjectType(
        "opinion",
        {"explanation": TEXT, "authors": TEXTS, "opinion": EnumValue(OPINIONS), "object_refs": _OBJECTS},
        ("opinion", "object_refs"),
        section="4.15",
    ),
    ObjectType(
        "report",
        {**_NAMED, "report_types": TEXTS, "published": TIME, "object_refs": _OBJECTS},
        ("name", "published", "object_refs"),
        section="4.16",
    ),
    ObjectType(
        "threat-actor",
        {
            **_NAMED,
            "threat_actor_types": TEXTS,
            "aliases": TEXTS,
            **_SEEN,
            "roles": TEXTS,
            "goals": TEXTS,
            "sophistication": TEXT,
            "resource_level": TEXT,
            "primary_motivation": TEXT,
            "secondary_motivations": TEXTS,
            "personal_motivations": TEXTS,
        },
        ("name",),
        SEEN,
        section="4.17",
    ),
    ObjectType(
        "tool",
        {
            **_NAMED,
            "tool_types": TEXTS,
            "aliases": TEXTS,
            "kill_chain_phases": KILL_CHAIN_PHASES,
            "tool_version": TEXT,
        },
        ("name",),
        section="4.18",
    ),
    ObjectType("vulnerability", _NAMED, ("name",), section="4.19"),
    ObjectType(
        "relationship",
        {
            "relationship_type": Text(RELATIONSHIP_NAME, "a word of a-z, 0-9 and hyphens"),
            "description": TEXT,
            "source_ref": Reference(but=_NO_THING),
            "target_ref": Reference(but=_NO_THING),
            "start_time": TIME,
            "stop_time": TIME,
        },
        ("relationship_type", "source_ref", "target_ref"),
        (InOrder("start_time", "stop_time", strictly=True),),
        section="5.1",
    ),
    ObjectType(
        "sighting",
        {
            "description": TEXT,
            **_SEEN,
            "count": Integer(0, 999_999_999),
            "sighting_of_ref": Reference(but=_NO_THING | SCO_TYPES),
            "observed_data_refs": ListOf(Reference(frozenset({"observed-data"}))),
            "where_sighted_refs": ListOf(Reference(frozenset({"identity", "location"}))),
            "summary": FLAG,
        },
        ("sighting_of_ref",),
        SEEN,
        section="5.2",
    ),
    ObjectType(
        "language-content",
        {
            "object_ref": Reference(but=frozenset({"bundle", "language-content"})),
            "object_modified": TIME,
            "contents": Dictionary(Dictionary()),
        },
        ("object_ref", "contents"),
        without=frozenset({"lang"}),
        section="7.1",
    ),
    ObjectType(
        "marking-definition",
        {"name": TEXT, "definition_type": TEXT, "definition": Dictionary()},
        (),
        (
            AnyOf(("definition", "extensions")),
            Needs("definition", ("definition_type",)),
        ),
        without=frozenset({"modified", "revoked", "labels", "confidence", "lang"}),
        section="7.2",
    ),
    ObjectType(
        "extension-definition",
        {
            **_NAMED,
            "schema": TEXT,
            "version": TEXT,
            "extension_types": ListOf(EnumValue(EXTENSION_TYPES)),
            "extension_properties": TEXTS,
        },
        ("created_by_ref", "name", "schema", "version", "extension_types"),
        without=frozenset({"confidence", "lang", "extensions"}),
        section="7.3",
    ),
)

OBJECTS = {one.name: one for one in _OBJECTS_TABLE}
"""Domain, relationship and meta objects by their type."""
