"""The bodies of the hub's HTTP interface, once, for the doors that write them and for the clients that read them.

We are strict in what we write: an unknown field or a wrong type is an error. A client reads with ``read``, which
ignores fields that it does not know, so that an older client goes on working with a newer hub.

STIX times are text here (RFC 3339, UTC, or a day ``YYYY-MM-DD`` for an anonymous centre): a date must leave as it is
stored, and pydantic would write it anew.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
LevelLabel = Literal["clear", "green", "amber", "amber+strict", "red"]
StateLabel = Literal["accepted", "unchanged", "held", "rejected"]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z)?$", max_length=40)]
"""An RFC 3339 time in UTC, or a day where the exact time is not to be known."""


class Body(BaseModel):
    """What every body shares: nothing unknown, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def read(cls, body: bytes | str) -> Self:
        """As a client reads it: fields that are not known here are ignored. Raises pydantic.ValidationError."""
        return cls.model_validate_json(body, extra="ignore")


class PushAccepted(Body):
    """The 202 answer of ``POST /v1/intake`` and ``POST /v1/withdrawals``: what came in is durable."""

    receipt: str
    received: Count
    """How many objects (or withdrawals) were read from the body, unreadable lines included."""
    status_url: str
    """Where the receipt is read: an absolute URL, or a path on the same hub."""


class ReceiptProblem(Body):
    """What is said of one object of a push; ``state`` accepted means a warning."""

    index: Count
    """Which object of the push, from 0."""
    id: str | None
    """Its STIX id; None where it could not be read."""
    state: StateLabel
    code: str
    message: str
    rule_url: str


class Receipt(Body):
    """``GET /v1/receipts/{receipt}``. When ``complete``: received = accepted + unchanged + held + rejected."""

    state: Literal["pending", "complete"]
    received: Count
    accepted: Count
    unchanged: Count
    held: Count
    rejected: Count
    problems: list[ReceiptProblem]
    """The first 1,000, by index."""
    problems_url: str | None = None
    """Where the further ones are read (``ProblemPage``); None when there are none."""


class ProblemPage(Body):
    """What ``problems_url`` answers."""

    problems: list[ReceiptProblem]
    next_url: str | None = None


class Withdrawals(Body):
    """The request of ``POST /v1/withdrawals``: the contributions that a centre takes back, by STIX id."""

    ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=1_024)]], Field(min_length=1)]


class ProblemDetails(Body):
    """Every error that is not on a TAXII path (RFC 9457, ``application/problem+json``), with a stable ``code``."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    """One sentence: what is wrong."""
    code: str
    way_out: str | None = None
    """What to do about it."""
    instance: str | None = None


class CollectionInfo(Body):
    """One collection that the caller may read."""

    name: str
    id: str
    """Its TAXII collection id, a UUIDv4."""
    tlp: LevelLabel
    group: str
    types: list[str]
    """STIX types that pass its filter; empty means all."""
    kinds: list[str]
    """Kinds of observable that pass; empty means all."""
    min_confidence: Percent
    last_seq: Count
    """The number of its newest change; 0 when there is none yet."""


class CollectionList(Body):
    """``GET /v1/collections``: by name."""

    collections: list[CollectionInfo]


class ExportLimits(Body):
    """What the products that read a format can take; null: as much as there is."""

    lines: Count | None
    """Of a longer list they get the best."""
    line_bytes: Count | None
    """Values whose line is longer are left out."""


class ExportInfo(Body):
    """One format of exports."""

    name: str
    path: str
    """Where a collection's list is; ``{name}`` stands for the collection."""
    media_type: str
    kinds: list[str]
    """What ``type`` may be; empty means all."""
    one_kind: bool
    """``type`` must be one of them."""
    limits: ExportLimits
    options: list[str]
    """Further query parameters."""
    page: str
    """Where it is described, from the root of the source tree."""


class ExportList(Body):
    """``GET /v1/exports``: by name."""

    exports: list[ExportInfo]


class Withdrawn(Body):
    """The data of the stream's event ``withdrawn``."""

    id: str


class Rejection(Body):
    """What was refused, and why: one numbered entry of a centre's log of rejections (also on ``rejected.<centre>``)."""

    seq: Annotated[int, Field(ge=1)]
    at: Moment
    """The time of the batch that refused it."""
    centre: str
    receipt: str | None
    """The push it came with: what the text of its receipt begins with. None for what came through Kafka."""
    topic: str
    partition: Count
    offset: Count
    """Where the offending record stands in the intake."""
    index: Count
    """Which object of the record, from 0."""
    id: str | None
    """The object's STIX id; None where it could not be read."""
    code: str
    pointer: str
    """JSON pointer into the object (RFC 6901); ``""`` is the whole object."""
    message: str
    rule_url: str
    excerpt: str
    """The beginning of the refused bytes, as text, cut to size."""


class RejectionPage(Body):
    """``GET /v1/rejections?after=SEQ``: in order; ask again with ``after`` = ``next_after`` while ``more``."""

    rejections: list[Rejection]
    next_after: Count
    more: bool


class ExplainedClaim(Body):
    """One contribution behind a view, as the asker may see it."""

    centre: str
    """The name under which it is shown: the centre's name, its alias, or ``anonymous``."""
    level: LevelLabel
    id: str | None
    """The centre's own STIX id; only in answers to that centre and to operators."""
    created: Moment | None
    modified: Moment | None
    confidence: Percent | None
    """As claimed; None where nothing was stated."""
    state: str
    """``live``, ``revoked``, ``expired``, ``waiting`` (for a reference), ``held`` …"""


class ExplainedView(Body):
    """What one collection shows of a thing, and out of what it was made."""

    collection: str
    id: str | None
    """The STIX id that this collection shows; None while it shows nothing."""
    state: Literal["live", "withdrawn", "none"]
    seq: Count
    """The change that made the present state; 0 when there never was one."""
    version: Moment | None
    """``modified`` of what is shown; None for what has no versions (SCO)."""
    first: Moment | None
    last: Moment | None
    confidence: Percent | None
    how: str
    """How the confidence came about, as a formula with the numbers put in; ``""`` where there is none."""
    voices: Count
    claims: list[ExplainedClaim]
    """By rank, the best first."""


class ExplainedThing(Body):
    """One thing: its canonical key and text, and what the collections that the asker may read show of it."""

    key: str | None
    """The canonical key in hexadecimal (``ctihub-key-v1``); null where it would tell more than what is shown."""
    type: str
    """The STIX type of its views."""
    text: str
    """What names it: a pattern, a value, or the id under which it is shown."""
    views: list[ExplainedView]


class Explanation(Body):
    """``GET /v1/explain/{asked}``, ``asked`` percent-encoded: a STIX id (shown or own), a value, or a pattern.

    A value may name several things: an indicator, an observable, a relationship between two of them.
    """

    asked: str
    things: list[ExplainedThing]


class Flow(Body):
    """What came in and how it ended, since the hub was made."""

    received: Count
    accepted: Count
    unchanged: Count
    held: Count
    rejected: Count


class CentreStatus(Body):
    """One centre's part of the flow. A centre sees itself, an operator all, a member none."""

    centre: str
    suspended: bool
    flow: Flow
    lag: Count | None
    """How many of its records wait in the intake, whatever way they came; None while the event log does not answer."""
    last_received: Moment | None
    """When the hub last took up something that it sent."""
    last_code: str | None = None
    """The code of its newest rejection."""


class DoorStatus(Body):
    """One way out (or in) of the hub."""

    name: str
    state: Literal["up", "down", "off"]
    readers: Count | None = None
    """Who is connected now, where the door knows."""
    lag: Count | None = None
    """Changes that it has not passed on yet, where it keeps a position of its own."""


class Status(Body):
    """``GET /v1/status``: one screen."""

    version: str
    at: Moment
    flow: Flow | None
    """Of all centres; None for who may not see it."""
    centres: list[CentreStatus]
    collections: list[CollectionInfo]
    doors: list[DoorStatus]
    notes: list[str] = []
    """What somebody should look at, one sentence each."""
