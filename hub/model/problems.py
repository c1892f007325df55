"""All problem codes of the hub, with the states that they lead to. Each has a page ``docs/rules/<code>.md``.

A code is stable and never reused; a test compares this table with the pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.model.words import State


class Code(StrEnum):
    """The code of a problem of a received object."""

    # hub/core/read: bytes to JSON
    JSON_MALFORMED = "json.malformed"
    JSON_NOT_UTF8 = "json.not-utf8"
    JSON_DUPLICATE_KEY = "json.duplicate-key"
    JSON_NUMBER = "json.number"
    JSON_NESTING = "json.nesting"
    JSON_NOT_OBJECT = "json.not-object"
    OBJECT_TOO_LARGE = "object.too-large"
    BUNDLE_TOO_LARGE = "bundle.too-large"
    BUNDLE_INVALID = "bundle.invalid"
    BUNDLE_TOO_DEEP = "bundle.too-deep"
    RECORD_EMPTY = "record.empty"
    RECORD_NOT_PROCESSED = "record.not-processed"
    RECORD_OF_NOBODY = "record.of-nobody"

    # hub/core/validate: the MUST rules of STIX
    STIX_SPEC_VERSION = "stix.spec-version"
    STIX_TYPE = "stix.type"
    STIX_ID = "stix.id"
    STIX_REQUIRED = "stix.required"
    STIX_PROPERTY_NAME = "stix.property-name"
    STIX_PROPERTY_TYPE = "stix.property-type"
    STIX_TIMESTAMP = "stix.timestamp"
    STIX_TIME_ORDER = "stix.time-order"
    STIX_REFERENCE = "stix.reference"
    STIX_HASH = "stix.hash"
    STIX_VALUE = "stix.value"
    STIX_MARKING = "stix.marking"
    STIX_EXTENSION = "stix.extension"

    # hub/patterns
    PATTERN_SYNTAX = "pattern.syntax"
    PATTERN_TOO_COSTLY = "pattern.too-costly"
    PATTERN_TOO_LONG = "pattern.too-long"
    PATTERN_MEANINGLESS = "pattern.meaningless"
    VALUE_AMBIGUOUS = "value.ambiguous"

    # hub/core/admit: what a source may send
    TYPE_NOT_YOURS = "type.not-yours"
    AUTHOR_IMPERSONATION = "author.impersonation"
    MARKING_ABOVE_CEILING = "marking.above-ceiling"
    MARKING_UNKNOWN = "marking.unknown"
    VERSION_FUTURE = "version.future"
    VERSION_OLDER = "version.older"
    VERSION_SAME = "version.same"
    WITHDRAWAL_UNKNOWN = "withdrawal.unknown"
    WITHDRAWAL_STANDS = "withdrawal.stands"
    WITHDRAWAL_KIND = "withdrawal.kind"
    HELD_REFUSED = "held.refused"
    VALUE_FORGOTTEN = "value.forgotten"
    BREAKER_MASS_WITHDRAWAL = "breaker.mass-withdrawal"

    # held for the operator
    LIST_HIT = "list.hit"
    POISON_NETWORK = "poison.network"
    POISON_RESERVED = "poison.reserved"
    POISON_SUFFIX = "poison.public-suffix"
    POISON_OWN = "poison.own"
    VALUE_NO_TOP_LEVEL = "value.no-top-level-domain"

    # warnings
    VERSION_NOT_INCREMENTED = "version.not-incremented"
    IDENTITY_REGISTRY_SHOWN = "identity.registry-shown"
    VALUE_NOT_OF_ITS_KIND = "value.not-of-its-kind"
    VALUE_WIDE_NETWORK = "value.wide-network"
    URL_CREDENTIALS = "url.credentials"
    STIX_LIFTED = "stix.lifted"
    STIX_EMPTY_PROPERTY = "stix.empty-property"
    STIX_MARKING_PROPERTY = "stix.marking-property"
    MARKING_PART_HIDDEN = "marking.part-hidden"
    REVOCATION_LENIENT = "revocation.lenient"
    WITHDRAWAL_LENIENT = "withdrawal.lenient"
    WITHDRAWAL_PART_STANDS = "withdrawal.part-stands"
    TEXT_OWN_NAME = "text.own-name"
    TEXT_CUSTOM_NAME = "text.custom-name"


_STATES = {
    Code.VERSION_OLDER: State.UNCHANGED,
    Code.VERSION_SAME: State.UNCHANGED,
    Code.WITHDRAWAL_UNKNOWN: State.UNCHANGED,
    Code.WITHDRAWAL_STANDS: State.UNCHANGED,
    Code.HELD_REFUSED: State.UNCHANGED,
    Code.BREAKER_MASS_WITHDRAWAL: State.HELD,
    Code.MARKING_UNKNOWN: State.HELD,
    Code.LIST_HIT: State.HELD,
    Code.POISON_NETWORK: State.HELD,
    Code.POISON_RESERVED: State.HELD,
    Code.POISON_SUFFIX: State.HELD,
    Code.POISON_OWN: State.HELD,
    Code.VALUE_NO_TOP_LEVEL: State.HELD,
    Code.VERSION_NOT_INCREMENTED: State.ACCEPTED,
    Code.IDENTITY_REGISTRY_SHOWN: State.ACCEPTED,
    Code.VALUE_NOT_OF_ITS_KIND: State.ACCEPTED,
    Code.VALUE_WIDE_NETWORK: State.ACCEPTED,
    Code.URL_CREDENTIALS: State.ACCEPTED,
    Code.STIX_LIFTED: State.ACCEPTED,
    Code.STIX_EMPTY_PROPERTY: State.ACCEPTED,
    Code.STIX_MARKING_PROPERTY: State.ACCEPTED,
    Code.MARKING_PART_HIDDEN: State.ACCEPTED,
    Code.REVOCATION_LENIENT: State.ACCEPTED,
    Code.WITHDRAWAL_LENIENT: State.ACCEPTED,
    Code.WITHDRAWAL_PART_STANDS: State.ACCEPTED,
    Code.TEXT_OWN_NAME: State.ACCEPTED,
    Code.TEXT_CUSTOM_NAME: State.ACCEPTED,
}


def state_of(code: Code) -> State:
    """The state that a problem with this code leads to; for a warning it is ``accepted``."""
    return _STATES.get(code, State.REJECTED)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one object."""

    code: Code
    at: str
    """JSON pointer into the object (RFC 6901); ``""`` is the whole object."""
    says: str
    """One sentence to the source: what is wrong and how to correct it."""

    @property
    def state(self) -> State:
        """The state of the object that results from this problem."""
        return state_of(self.code)


def cut(value: object, limit_chars: int = 60) -> str:
    """A value for quoting in a message: shortened, control characters escaped."""
    text = repr(value) if not isinstance(value, str) else ascii(value) if not value.isprintable() else f"'{value}'"
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"
