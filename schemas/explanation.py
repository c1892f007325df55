"""The body of ``GET /v1/explain/{asked}``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.api import Body, Count, LevelLabel, Moment, Percent

RuleLabel = Literal[
    "unclaimed", "withdrawn", "refused", "held", "suspended", "marking", "ceiling", "level", "group", "revoked",
    "expired", "owner", "pin", "other ends", "waiting reference", "turn", "filter", "unused", "change", "access",
]  # fmt: skip
"""The rules that keep something out, in the order in which they are applied (docs/semantics.md, section 11)."""


class ExplainedClaim(Body):
    """One contribution to a view, as the caller may see it."""

    centre: str
    """The name of the centre as shown: its name, its alias, or ``anonymous``."""
    level: LevelLabel
    id: str | None
    """The centre's own STIX id; only in responses to that centre and to operators."""
    created: Moment | None
    modified: Moment | None
    confidence: Percent | None
    """The confidence of the claim; None if it states none."""
    state: str
    """``live``, ``revoked``, ``expired``, ``waiting`` (for a reference), ``held`` …"""


class ExplainedFeedback(Body):
    """A sighting of a thing, or a verdict on it, as the caller may see it."""

    source: str
    """The name of the source as shown: its name, its alias, or ``anonymous``."""
    level: LevelLabel
    kind: Literal["sighting", "false-positive", "confirmed", "outdated"]
    count: Count | None
    """Of a sighting: how often the thing was seen; None if it does not say."""
    first_seen: Moment | None
    last_seen: Moment | None
    modified: Moment | None
    text: str | None
    """The note of a sighting, or the reason of a verdict."""


class ExplainedLink(Body):
    """An object at the other end of a relationship, as the collection shows both."""

    relationship: str
    """``relationship_type``."""
    direction: Literal["to", "from"]
    """``to``: the explained object is the source of the relationship."""
    id: str
    type: str
    name: str | None


class ExplainedView(Body):
    """What one collection shows of a thing, and the claims behind it."""

    collection: str
    id: str | None
    """The STIX id that this collection shows; None while it shows nothing."""
    state: Literal["live", "withdrawn", "none"]
    seq: Count
    """The number of the change that made the current state; 0 if there was none."""
    version: Moment | None
    """``modified`` of the object; None for an object without versions (SCO)."""
    first: Moment | None
    last: Moment | None
    confidence: Percent | None
    how: str
    """The formula of the confidence, with its numbers; ``""`` if there is none."""
    voices: Count
    claims: list[ExplainedClaim]
    """The claims by rank, the best first."""
    feedback: list[ExplainedFeedback]
    """The newest sightings and verdicts, at most 100; only in responses to operators and to centres that claim the
    thing."""
    name: str | None = None
    description: str | None = None
    references: list[dict[str, Any]] = Field(default=[])
    """The ``external_references`` of the object that is shown."""
    linked: list[ExplainedLink] = Field(default=[])
    """What relationships in the collection link it with, at most 50."""
    more_linked: bool = False
    """Whether there are more."""


class AbsentClaim(Body):
    """A claim that a collection does not show, or an object that is held instead of one."""

    centre: str
    id: str
    """The centre's own STIX id."""
    rule: RuleLabel
    code: str | None
    """The code of the rule's page, if it has one."""


class ExplainedAbsence(Body):
    """A collection that does not show a thing to a reader, and the first rule that keeps it out."""

    collection: str
    rule: RuleLabel
    """The rule of the claim that comes furthest; ``access``: the reader does not read the collection."""
    message: str
    claims: list[AbsentClaim]
    """Those that come furthest first, at most 100."""
    more_claims: Count


class ExplainedSource(Body):
    """A source of an object, as the object names it."""

    name: str
    first: Moment
    last: Moment


class ExplainedVersion(Body):
    """What a collection showed of a thing at an earlier change, from its change log."""

    collection: str
    seq: Count
    """The change that made it."""
    date_added: Moment
    state: Literal["live", "withdrawn"]
    is_current: bool
    """Whether the collection still shows it so, and no newer version is put off."""
    sources: list[ExplainedSource]
    voices: Count | None
    confidence: Percent | None
    object: dict[str, Any] | None
    """The object as it was shown; None for a withdrawal without one."""
    claims: list[ExplainedClaim]
    """If it is current, all of its claims. Otherwise those that stand today and had arrived by then; claims that were
    replaced or withdrawn since are not kept, and those of centres that are not shown by name are left out."""


class ExplainedLack(Body):
    """Why it cannot be told what a collection showed."""

    code: Literal["explain.at-before", "explain.at-deleted", "explain.at-far"]
    message: str


class ExplainedThing(Body):
    """One thing: its canonical key and text, and what the collections that the caller may read show of it."""

    key: str | None
    """The canonical key in hexadecimal (``ctihub-key-v1``); null if it would reveal more than the caller may see."""
    type: str
    """The STIX type of its views."""
    text: str
    """The pattern, the value, or the id under which it is shown."""
    views: list[ExplainedView]
    kept_out: list[ExplainedAbsence] = Field(default=[])
    """With ``as``: the collections that do not show it to that reader."""
    then: ExplainedVersion | None = None
    """With ``at``: what the collection showed at that change; ``views`` is what it shows now."""
    lacking: ExplainedLack | None = None
    """With ``at``: why that cannot be told."""


class ExplainedNear(Body):
    """Something live that a collection shows around a value."""

    relation: Literal["network", "name", "url"]
    """``network`` or ``name``: it contains the value, or the host of the URL; ``url``: it is on the host."""
    value: str
    collection: str
    id: str
    type: str
    confidence: Percent | None


class Explanation(Body):
    """``GET /v1/explain/{asked}``, ``asked`` percent-encoded: a STIX id (shown or own), a value, or a pattern.

    A value may name several things: an indicator, an observable, a relationship between two of them.
    """

    asked: str
    things: list[ExplainedThing]
    within: list[ExplainedNear] = Field(default=[])
    """Live networks that contain the address, live names above the name, live URLs on the host: at most 50 of each, the
    narrowest first. Not with ``at``."""
    more_within: list[Literal["network", "name", "url"]] = Field(default=[])
    """Of which of these there is more."""
    reader: str | None = None
    """The ``as`` of the question."""
    at: Count | None = None
