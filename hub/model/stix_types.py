"""The types of STIX 2.1, one row each: what identifies a thing, how its claims merge, what its views require.

All stages use this table; no other module lists types for these questions. A custom type has the row ``OTHER``: an
object of its owner, identified by its id.

To add a type: write its row in ``_ROWS`` and its properties in ``hub/core/validate`` (``objects`` or ``observables``);
``tests/core/test_stix_types.py`` compares the two, and both with stix2. If its claims merge in a new way, add a member
to ``MergeRule`` and one function to ``hub/core/merge``, where content is chosen by merge rule. If it is identified in a
new way, add a member to ``Identity`` and one function to ``hub/core/normalise``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import TypeAlias


class Family(Enum):
    """The parts of STIX, which differ in their common properties (STIX 2.1, section 3.2)."""

    DOMAIN = "SDO"
    RELATIONSHIP = "SRO"
    OBSERVABLE = "SCO"
    META = "meta"


class Identity(Enum):
    """What two claims must have in common to be about one thing (docs/semantics.md, section 4)."""

    ID = "the STIX id"
    PATTERN = "the canonical pattern"
    VALUE = "the id that its canonical value gives it"
    ENDS = "both ends and the kind of relationship, where an end is identified by more than its id; else the STIX id"


class MergeRule(Enum):
    """How the claims about one thing become one view (docs/semantics.md, sections 5 and 6)."""

    OWNER = "one claim, shown whole"
    INDICATOR = "each property by its rule"
    RELATIONSHIP = "like an indicator where an end merges, else like an owner's object"
    OBSERVABLE = "the union of the properties"
    MARKING = "one claim, in a collection while something there carries it"


class ViewAuthor(Enum):
    """Who is shown as the author of a view."""

    OWNER = "whom the shown claim names, if it names anybody"
    HUB = "the hub"
    HUB_IF_MERGED = "the hub where the rule merges claims, else whom the shown claim names"


class TimeRole(Enum):
    """The meaning of a timestamp property."""

    BEGINS = "when something begins"
    ENDS = "when something ends"
    NEITHER = "a moment in between, or of no duration"
    OF_ANOTHER = "a time of the object that it refers to"


@dataclass(frozen=True, slots=True)
class Required:
    """What an object must still have after references to objects that the collection does not show are removed;
    otherwise it is not shown.
    """

    all_of: tuple[str, ...] = ()
    """All of these references."""
    some_of: tuple[str, ...] = ()
    """At least one reference in each of these lists, if it has the list."""
    either_of: tuple[str, ...] = ()
    """At least one of these properties, if it has any of them. What they refer to requires nothing itself."""
    own_property: bool = False
    """At least one property besides those that every observable may have."""


REQUIRES_NOTHING = Required()
"""Nothing is required, as for most types."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """The timestamp ``last`` must not be before ``first``; with ``strictly`` it must be after it."""

    first: str
    last: str
    strictly: bool = False


@dataclass(frozen=True, slots=True)
class Excludes:
    """If ``name`` is present (with the value ``when``, if given), ``other`` must be absent."""

    name: str
    other: str
    when: bool | None = None


Clash: TypeAlias = InOrder | Excludes


def _nothing() -> Mapping[str, TimeRole]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StixType:
    """How the hub treats one type. Its properties and their values are defined in ``hub/core/validate``."""

    name: str
    """Empty for ``OTHER``."""
    family: Family
    identity: Identity = Identity.ID
    merge: MergeRule = MergeRule.OWNER
    order: int = 6
    """Its position in a batch, from 1: types that others refer to come first. 0 is for identities that the hub
    defines."""
    versioned: bool = True
    """Whether it has ``modified``."""
    source_is_author: bool = False
    """Whether a claim without ``created_by_ref`` counts as its source's own."""
    view_author: ViewAuthor = ViewAuthor.OWNER
    required: Required = REQUIRES_NOTHING
    times: Mapping[str, TimeRole] = field(default_factory=_nothing)
    """Its own timestamps, without ``created`` and ``modified``. On other types properties with these names are
    custom."""
    inner_times: Mapping[str, TimeRole] = field(default_factory=_nothing)
    """Timestamps in embedded types and extensions."""
    vocabularies: frozenset[str] = frozenset()
    """Its properties with words of an open vocabulary (section 10), kill chains or a country."""
    since_2_1: bool = False
    """Whether STIX 2.0 has no such type."""
    id_from: tuple[str, ...] = ()
    """The properties that determine an observable's deterministic id (section 2.9, and sections 6.1 to 6.18)."""
    value: str = ""
    """The one property that identifies an observable for people."""
    value_must_conform: bool = False
    """Whether a value that is not of its kind makes the object invalid; a pattern may contain it unchanged."""
    clashes: tuple[Clash, ...] = ()
    """Combinations of properties that STIX forbids in one observable, but that two claims may state (section 6)."""
    parts: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Lists of embedded objects; each object must keep one of these properties."""


_BEGINS, _ENDS, _NEITHER = TimeRole.BEGINS, TimeRole.ENDS, TimeRole.NEITHER
_SEEN = {"first_seen": _BEGINS, "last_seen": _ENDS}
_FILE_TIMES = dict.fromkeys(("ctime", "mtime", "atime"), _NEITHER)
_KILL_CHAINS = frozenset({"kill_chain_phases"})
_SOME_OBJECTS = Required(some_of=("object_refs",))
_OWN_PROPERTY = Required(own_property=True)

_domain = partial(StixType, family=Family.DOMAIN)
_relationship = partial(StixType, family=Family.RELATIONSHIP, source_is_author=True)
_meta = partial(StixType, family=Family.META)
_observable = partial(
    StixType,
    family=Family.OBSERVABLE,
    identity=Identity.VALUE,
    merge=MergeRule.OBSERVABLE,
    order=4,
    versioned=False,
)
_named = partial(_observable, id_from=("value",), value="value")
_conforming = partial(_named, value_must_conform=True)

OTHER = _domain("")
"""The row for all custom types."""

_ROWS = (
    # ---------------------------------------------------------------- domain objects, section 4
    _domain("attack-pattern", vocabularies=_KILL_CHAINS),
    _domain("campaign", times=_SEEN),
    _domain("course-of-action"),
    _domain(
        "grouping",
        order=11,
        source_is_author=True,
        required=_SOME_OBJECTS,
        vocabularies=frozenset({"context"}),
        since_2_1=True,
    ),
    _domain("identity", order=3, vocabularies=frozenset({"sectors", "identity_class"})),
    _domain("incident", vocabularies=_KILL_CHAINS, since_2_1=True),
    _domain(
        "indicator",
        identity=Identity.PATTERN,
        merge=MergeRule.INDICATOR,
        order=7,
        source_is_author=True,
        view_author=ViewAuthor.HUB,
        times={"valid_from": _BEGINS, "valid_until": _ENDS},
        vocabularies=_KILL_CHAINS | {"indicator_types", "pattern_type"},
    ),
    _domain("infrastructure", times=_SEEN, vocabularies=_KILL_CHAINS | {"infrastructure_types"}, since_2_1=True),
    _domain(
        "intrusion-set",
        times=_SEEN,
        vocabularies=frozenset({"primary_motivation", "secondary_motivations", "resource_level"}),
    ),
    _domain("location", order=3, vocabularies=frozenset({"region", "country"}), since_2_1=True),
    _domain(
        "malware",
        times=_SEEN,
        vocabularies=_KILL_CHAINS | {"malware_types", "implementation_languages", "architecture_execution_envs"},
    ),
    _domain(
        "malware-analysis",
        order=7,
        required=Required(either_of=("result", "analysis_sco_refs")),
        times={"submitted": _NEITHER, "analysis_started": _BEGINS, "analysis_ended": _ENDS},
        since_2_1=True,
    ),
    _domain("note", order=11, source_is_author=True, required=_SOME_OBJECTS, since_2_1=True),
    _domain(
        "observed-data",
        order=8,
        required=_SOME_OBJECTS,
        times={"first_observed": _BEGINS, "last_observed": _ENDS},
    ),
    _domain("opinion", order=11, source_is_author=True, required=_SOME_OBJECTS, since_2_1=True),
    _domain(
        "report",
        order=11,
        source_is_author=True,
        required=_SOME_OBJECTS,
        times={"published": _NEITHER},
        vocabularies=frozenset({"report_types"}),
    ),
    _domain(
        "threat-actor",
        times=_SEEN,
        vocabularies=frozenset(
            {
                "threat_actor_types",
                "primary_motivation",
                "secondary_motivations",
                "personal_motivations",
                "resource_level",
                "sophistication",
            }
        ),
    ),
    _domain("tool", vocabularies=_KILL_CHAINS | {"tool_types"}),
    _domain("vulnerability"),
    # ---------------------------------------------------------------- relationships, section 5
    _relationship(
        "relationship",
        identity=Identity.ENDS,
        merge=MergeRule.RELATIONSHIP,
        order=9,
        view_author=ViewAuthor.HUB_IF_MERGED,
        required=Required(all_of=("source_ref", "target_ref")),
        times={"start_time": _BEGINS, "stop_time": _ENDS},
    ),
    _relationship("sighting", order=10, required=Required(all_of=("sighting_of_ref",)), times=_SEEN),
    # ---------------------------------------------------------------- observables, section 6
    _observable("artifact", id_from=("hashes", "payload_bin"), clashes=(Excludes("payload_bin", "url"),)),
    _observable("autonomous-system", id_from=("number",)),
    _observable("directory", id_from=("path",), times=_FILE_TIMES),
    _conforming("domain-name"),
    _named("email-addr"),
    _observable(
        "email-message",
        id_from=("from_ref", "subject", "body"),
        times={"date": _NEITHER},
        clashes=(
            Excludes("is_multipart", "body", when=True),
            Excludes("is_multipart", "body_multipart", when=False),
        ),
        parts={"body_multipart": frozenset({"body", "body_raw_ref"})},  # section 6.6.2
    ),
    _observable(
        "file",
        id_from=("hashes", "name", "extensions", "parent_directory_ref"),
        times=_FILE_TIMES,
        inner_times={"time_date_stamp": _NEITHER},
    ),
    _conforming("ipv4-addr"),
    _conforming("ipv6-addr"),
    _conforming("mac-addr"),
    _observable("mutex", id_from=("name",), value="name"),
    _observable(
        "network-traffic",
        id_from=("start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"),
        required=Required(either_of=("src_ref", "dst_ref")),
        times={"start": _BEGINS, "end": _ENDS},
        clashes=(InOrder("start", "end"), Excludes("is_active", "end", when=True)),
    ),
    _observable("process", required=_OWN_PROPERTY, times={"created_time": _BEGINS}),
    _observable("software", id_from=("name", "cpe", "swid", "vendor", "version")),
    _conforming("url"),
    _observable(
        "user-account",
        id_from=("account_type", "user_id", "account_login"),
        required=_OWN_PROPERTY,
        times={
            "account_created": _BEGINS,
            "account_expires": _ENDS,
            "credential_last_changed": _NEITHER,
            "account_first_login": _NEITHER,
            "account_last_login": _NEITHER,
        },
    ),
    _observable(
        "windows-registry-key",
        id_from=("key", "values"),
        value="key",
        required=_OWN_PROPERTY,
        times={"modified_time": _NEITHER},
    ),
    _observable(
        "x509-certificate",
        id_from=("hashes", "serial_number"),
        required=_OWN_PROPERTY,
        times={"validity_not_before": _BEGINS, "validity_not_after": _ENDS},
        inner_times={"private_key_usage_period_not_before": _BEGINS, "private_key_usage_period_not_after": _ENDS},
    ),
    # ---------------------------------------------------------------- meta objects, section 7
    _meta(
        "language-content",
        order=12,
        required=Required(all_of=("object_ref",)),
        times={"object_modified": TimeRole.OF_ANOTHER},
        since_2_1=True,
    ),
    _meta("marking-definition", merge=MergeRule.MARKING, order=2, versioned=False),
    _meta("extension-definition", order=1, required=Required(all_of=("created_by_ref",)), since_2_1=True),
)

STIX_TYPES: Mapping[str, StixType] = {row.name: row for row in _ROWS}
"""Every type that STIX 2.1 defines, except the bundle, by name."""

SCO_TYPES = frozenset(name for name, row in STIX_TYPES.items() if row.family is Family.OBSERVABLE)
"""Cyber-observable objects (section 6)."""


def stix_type(name: str) -> StixType:
    """The row of a type.

    >>> stix_type("sighting").order, stix_type("x-case") is OTHER
    (10, True)
    """
    return STIX_TYPES.get(name, OTHER)


def _between(first: int, last: int) -> frozenset[str]:
    return frozenset(name for name, row in STIX_TYPES.items() if first <= row.order <= last)


FILL_ORDER: tuple[frozenset[str] | None, ...] = (_between(0, 3), None, _between(8, 10), _between(11, 99))
"""The parts in which a collection is filled: types that others refer to come first, so that few views get a second
version because what they refer to comes later. None: all types that are in no other part.
"""


def fill_part(name: str) -> int:
    """The part of ``FILL_ORDER`` that a type is in.

    >>> fill_part("identity"), fill_part("x-case"), fill_part("relationship"), fill_part("report")
    (0, 1, 2, 3)
    """
    parts = (no for no, types in enumerate(FILL_ORDER) if types is not None and name in types)
    return next(parts, FILL_ORDER.index(None))
