"""The bodies of look-ups and of the changes of a collection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from schemas.api import Body, Count, LevelLabel, Moment, Percent
from schemas.extension import ViewSource

MOST_VALUES = 10_000
"""How many values one request looks up."""
ShownStateLabel = Literal["live", "expired", "withdrawn"]
CutLabel = Literal["found", "network", "name", "url", "related"]


class LookupFound(Body):
    """What one collection shows, or last showed, of the value. Of a withdrawn observable only the id is left."""

    collection: str
    id: str
    type: str
    """The STIX type: ``indicator``, or that of an observable."""
    state: ShownStateLabel
    """``expired``: its ``valid_until`` has passed."""
    confidence: Percent | None = None
    tlp: LevelLabel | None = None
    pap: Literal["clear", "green", "amber", "red"] | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    indicator_types: list[str] = Field(default=[])
    labels: list[str] = Field(default=[])
    sources: list[ViewSource] = Field(default=[])
    voices: Count | None = None
    """How many of the sources are independent."""
    sightings: Count | None = None
    false_positives: Count | None = None
    changed: Moment
    """When the collection last changed it (``date_added``)."""


class LookupNear(LookupFound):
    """Something live around the value."""

    relation: Literal["network", "name", "url"]
    """``network`` or ``name``: it contains the value, or the host of the URL; ``url``: it is on the host."""
    value: str


class LookupRelated(LookupFound):
    """Another digest of the same file; the rest describes the object that gives both."""

    kind: str
    value: str


class LookupProblem(Body):
    """Why there is no answer about a text."""

    code: Literal["lookup.no-value", "lookup.not-utf-8", "lookup.too-large"]
    message: str
    way_out: str


class LookupAnswer(Body):
    """``GET /v1/lookup?value=``, and one line of ``POST /v1/lookup``. What has no value is left out."""

    asked: str
    """The text as it was sent; of a longer text than 1,000 characters the beginning."""
    kind: str | None = None
    """What it was read as, such as ``ipv4-addr`` or ``sha-256``: the likeliest kind."""
    canonical: str | None = None
    """The value as patterns write it."""
    found: list[LookupFound] = Field(default=[])
    """What is live first. At most 50 entries, as in ``related`` and for each relation in ``within``."""
    within: list[LookupNear] = Field(default=[])
    """The narrowest networks first, then names, then URLs."""
    related: list[LookupRelated] = Field(default=[])
    more: list[CutLabel] = Field(default=[])
    """Of which of these there is more."""
    error: LookupProblem | None = None
    """Only in an answer to several values, instead of the rest."""


class LookupValues(RootModel[Annotated[list[str], Field(max_length=MOST_VALUES)]]):
    """The request of ``POST /v1/lookup`` as JSON; as text it has one value on each line."""


class CollectionChange(Body):
    """One change of a collection."""

    seq: Count
    date_added: Moment
    change: Literal["new", "changed", "withdrawn"]
    """``new``: the first version under this id, also of something that has come back."""
    id: str
    type: str
    value: str | None = None
    """The value of an observable, or the only one that an indicator asserts; else its pattern."""
    confidence: Percent | None = None


class CollectionChanges(Body):
    """``GET /v1/collections/{name}/changes``: in the order of numbers. While ``more``, ``since`` = ``next`` goes on."""

    changes: list[CollectionChange]
    next: Count
    more: bool
