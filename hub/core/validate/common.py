"""The properties that STIX 2.1 gives to many types, and the types embedded in them. Source: sections 2, 3.2 and 7."""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.validate.kinds import (
    AnyOf,
    Embedded,
    Extensions,
    Flag,
    Hashes,
    Integer,
    ListOf,
    OneOf,
    Reference,
    Text,
    Timestamp,
    ValueKind,
)
from hub.model.stix_types import SCO_TYPES, STIX_TYPES, Family, InOrder

TEXT = Text()
TIME = Timestamp()
FLAG = Flag()
TEXTS = ListOf(TEXT)
SELECTOR = r"(?:id|[a-z0-9_-]{3,250})(?:\.(?:\[\d{1,9}\]|[a-zA-Z0-9_-]{1,250}))*"
LANGUAGE_TAG = r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*"
"""The general form of RFC 5646: a primary subtag and further ones. Whether a subtag is registered is not checked."""

MIME_TYPE = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:\s*;.*)?"
RELATIONSHIP_NAME = r"[a-z0-9-]+"

LANGUAGE = Text(LANGUAGE_TAG, "an RFC 5646 language tag")
KILL_CHAIN_PHASES = ListOf(
    Embedded("kill-chain-phase", {"kill_chain_name": TEXT, "phase_name": TEXT}, ("kill_chain_name", "phase_name"))
)
EXTERNAL_REFERENCE = Embedded(
    "external-reference",
    {"source_name": TEXT, "description": TEXT, "url": TEXT, "hashes": Hashes(), "external_id": TEXT},
    ("source_name",),
    (AnyOf(("description", "url", "external_id")),),
)
GRANULAR_MARKING = Embedded(
    "granular-marking",
    {
        "lang": LANGUAGE,
        "marking_ref": Reference(frozenset({"marking-definition"})),
        "selectors": ListOf(Text(SELECTOR, "a selector such as labels.[0]")),
    },
    ("selectors",),
    (OneOf(("lang", "marking_ref")),),
)
MARKING_REFS = ListOf(Reference(frozenset({"marking-definition"})))

NOT_OBSERVED = frozenset(STIX_TYPES) - SCO_TYPES | {"bundle"}
"""Types of the specification that are not observables."""

NO_OBSERVABLES = NOT_OBSERVED - {name for name, row in STIX_TYPES.items() if row.family is Family.RELATIONSHIP}
"""Types of the specification that are neither observables nor relationships between them (sections 4 and 7)."""

_EVERYWHERE: Mapping[str, ValueKind] = {
    "object_marking_refs": MARKING_REFS,
    "granular_markings": ListOf(GRANULAR_MARKING),
    "extensions": Extensions(),
}
_VERSIONED: Mapping[str, ValueKind] = {
    "created_by_ref": Reference(frozenset({"identity"})),
    "created": TIME,
    "modified": TIME,
    "revoked": FLAG,
    "labels": TEXTS,
    "confidence": Integer(0, 100),
    "lang": LANGUAGE,
    "external_references": ListOf(EXTERNAL_REFERENCE),
    **_EVERYWHERE,
}

PROPERTIES: Mapping[Family, Mapping[str, ValueKind]] = {
    Family.DOMAIN: _VERSIONED,
    Family.RELATIONSHIP: _VERSIONED,
    Family.META: _VERSIONED,
    Family.OBSERVABLE: {**_EVERYWHERE, "defanged": FLAG},
}
"""The common properties of each family, without ``type``, ``spec_version`` and ``id`` (section 3.2)."""

SAME_EVERYWHERE = _VERSIONED
"""Checked also where STIX does not define them, such as ``labels`` on an observable: all readers, including the hub's
own stages, expect an author, a time and labels under these names."""

REQUIRED: Mapping[Family, tuple[str, ...]] = {
    Family.DOMAIN: ("spec_version", "created", "modified"),
    Family.RELATIONSHIP: ("spec_version", "created", "modified"),
    Family.META: ("spec_version", "created", "modified"),
    Family.OBSERVABLE: (),
}
"""The properties that each family requires besides ``type`` and ``id``."""

VERSIONED_RULES = (InOrder("created", "modified"),)
SEEN = (InOrder("first_seen", "last_seen"),)
