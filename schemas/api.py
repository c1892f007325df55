"""The bodies of the hub's HTTP interface, shared by the doors that write them and the clients that read them.

Writing is strict: an unknown field or a wrong type is an error. Clients read with ``read``, which ignores unknown
fields, so that an older client works with a newer hub.

STIX times are text here (RFC 3339, UTC, or a day ``YYYY-MM-DD`` for an anonymous centre): they must be sent as they are
stored, and pydantic would format them again.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
LevelLabel = Literal["clear", "green", "amber", "amber+strict", "red"]
StateLabel = Literal["accepted", "unchanged", "held", "rejected"]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z)?$", max_length=40)]
"""An RFC 3339 time in UTC, or a day if the exact time is hidden."""


class Body(BaseModel):
    """The base of all bodies: no unknown fields, no implicit conversions, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def read(cls, body: bytes | str) -> Self:
        """Parses a body as a client: ignores unknown fields. Raises pydantic.ValidationError."""
        return cls.model_validate_json(body, extra="ignore")


class PushAccepted(Body):
    """The 202 response of ``POST /v1/intake`` and ``POST /v1/withdrawals``: everything received is durable."""

    receipt: str
    received: Count
    """The number of objects (or withdrawals) in the body, including unreadable lines."""
    status_url: str
    """The address of the receipt: an absolute URL, or a path on the same hub."""


class ReceiptProblem(Body):
    """A problem of one object of a push; with the ``state`` accepted it is a warning."""

    index: Count
    """The index of the object in the push, from 0."""
    id: str | None
    """Its STIX id; None if it could not be read."""
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
    """The address of further problems (``ProblemPage``); None if there are none."""


class ProblemPage(Body):
    """The response of ``problems_url``."""

    problems: list[ReceiptProblem]
    next_url: str | None = None


class Withdrawals(Body):
    """The request of ``POST /v1/withdrawals``: the STIX ids of the contributions to withdraw.

    A withdrawal stands: the same version does not count when it comes again, until a newer one comes.
    """

    ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=1_024)]], Field(min_length=1)]
    soft: bool = False
    """The source merely lists these no more: whatever comes after the withdrawal counts."""
    restore: bool = False
    """Take back withdrawals that stand, so that what comes after counts; it shows nothing by itself."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.soft and self.restore:
            raise ValueError("soft and restore exclude each other")
        return self


class OwnClaimInfo(Body):
    """One contribution of the caller."""

    id: str
    """The STIX id under which it was published."""
    type: str
    state: Literal["live", "revoked", "withdrawn"]
    stands: bool
    """Whether it is withdrawn, and the withdrawal stands."""
    modified: Moment | None
    """Of the version that counts; if withdrawn, of the newest version that was withdrawn."""


class OwnClaimPage(Body):
    """``GET /v1/claims?about=…``: the caller's own claims about a value, a pattern or a STIX id."""

    about: str
    claims: list[OwnClaimInfo]
    next_after: str | None
    """The id to continue after; null: there are no more."""


class ShownIn(Body):
    """A collection that shows what a claim is about, and under which id."""

    collection: str
    id: str


class MyClaim(Body):
    """One contribution of the caller, and where it is shown."""

    id: str
    """The STIX id under which it was published."""
    type: str
    state: Literal["live", "revoked", "withdrawn"]
    stands: bool
    """Whether it is withdrawn, and the withdrawal stands."""
    modified: Moment | None
    """Of the version that counts; if withdrawn, of the newest version that was withdrawn."""
    shown: list[ShownIn]
    """The collections, of those that the caller may read, that show what it is about."""
    kept_out: str | None
    """The rule that keeps it out of all of them, such as ``expired``; null: shown, withdrawn, or not decided."""
    message: str | None
    """What that rule says."""


class MyClaimPage(Body):
    """``GET /v1/mine/claims``: in the order of first arrival."""

    claims: list[MyClaim]
    next_after: Count | None
    """The number to continue after; null: there are no more. A page may be empty before the last one."""


class MyHeld(Body):
    """One object or withdrawal of the caller that waits for an operator, or that an operator has refused."""

    id: str
    state: Literal["held", "refused"]
    withdrawal: bool
    """Whether it is a withdrawal."""
    code: str
    message: str
    at: Moment
    """When it was held."""
    receipt: str | None
    """The push: the beginning of the text of its receipt. Null for an object from Kafka."""


class MyHeldPage(Body):
    """``GET /v1/mine/held``: the oldest first."""

    held: list[MyHeld]
    next_after: Count | None
    """The number to continue after; null: there are no more."""


class ProblemDetails(Body):
    """An error on any path except TAXII (RFC 9457, ``application/problem+json``), with a stable ``code``."""

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
    """The STIX types that it shows; empty means all."""
    kinds: list[str]
    """The kinds of observable that it shows; empty means all."""
    min_confidence: Percent
    alert: bool = False
    """Whether it is an alert lane: its changes go first through every door that pushes."""
    last_seq: Count
    """The number of its newest change; 0 if there is none yet."""


class CollectionList(Body):
    """``GET /v1/collections``: in the order of names."""

    collections: list[CollectionInfo]


class ExportLimits(Body):
    """The limits of the products that read a format; null: no limit."""

    lines: Count | None
    """The maximum number of lines. A longer list is reduced to its best entries."""
    line_bytes: Count | None
    """The maximum length of a line. Values with a longer line are left out."""


class ExportInfo(Body):
    """An export format."""

    name: str
    path: str
    """The path of a collection's list; ``{name}`` is the collection's name."""
    media_type: str
    kinds: list[str]
    """The valid values of ``type``; empty means all."""
    one_kind: bool
    """Whether ``type`` is required and must be a single kind."""
    limits: ExportLimits
    options: list[str]
    """Further query parameters."""
    page: str
    """The path of its documentation in the source tree."""


class ExportList(Body):
    """``GET /v1/exports``: in the order of names."""

    exports: list[ExportInfo]


class Withdrawn(Body):
    """The data of the stream's event ``withdrawn``."""

    id: str


class Rejection(Body):
    """A rejection: one numbered entry of a source's log of rejections (a centre's is also in ``rejected.<centre>``)."""

    seq: Annotated[int, Field(ge=1)]
    at: Moment
    """The time of the batch in which it was rejected."""
    centre: str
    """The name of the centre, or member, that sent it."""
    receipt: str | None
    """The push of the object: the beginning of the text of its receipt. None for an object from Kafka."""
    topic: str | None
    partition: Count | None
    offset: Count | None
    """The position of the record in the intake. None for members, whose records share a topic."""
    index: Count
    """The index of the object in its push or, if it was not pushed, in the record, from 0."""
    id: str | None
    """The object's STIX id; None if it could not be read."""
    code: str
    pointer: str
    """JSON pointer into the object (RFC 6901); ``""`` is the whole object."""
    message: str
    rule_url: str
    excerpt: str
    """The beginning of the rejected bytes, as text."""


class RejectionPage(Body):
    """``GET /v1/rejections?after=SEQ``: in order. While ``more``, continue with ``after`` = ``next_after``."""

    rejections: list[Rejection]
    next_after: Count
    more: bool


class Flow(Body):
    """The counts of received objects by their states, since the hub was created."""

    received: Count
    accepted: Count
    unchanged: Count
    held: Count
    rejected: Count


class CentreStatus(Body):
    """The flow of one centre or member. They see their own; an operator those of all centres, and the members' sum."""

    centre: str
    """The name of the centre or member; ``members`` for the sum of all members."""
    suspended: bool
    flow: Flow
    lag: Count | None
    """The number of its records that wait in the intake; None if the event log does not answer, and for a member, whose
    records share a topic."""
    last_received: Moment | None
    """When the hub last processed something from it; None for a member."""
    last_code: str | None = None
    """The code of its newest rejection; None for the sum of all members."""
    tripped: Moment | None = None
    """When its circuit breaker has tripped, if what that holds waits for a confirmation."""


class TaskStatus(Body):
    """A change of an operator that the hub is carrying out, in small steps. Only operators see them."""

    task: Literal["fill", "recompute"]
    """``fill``: a new collection gets what the hub already has; ``recompute``: what is shown of claims may change."""
    collection: str | None
    """The collection; null: all."""
    centre: str | None
    """The centre or member whose claims are computed; null: all."""
    done: Count
    """The number of claims that are computed."""
    total: Count | None
    """The number of claims to compute; null before the first step."""
    per_second: float | None
    """The claims computed per second since the first step; null if not known yet."""
    seconds_left: Count | None
    """The estimated time until it is done; null if not known yet."""


class DoorStatus(Body):
    """The state of one door."""

    name: str
    state: Literal["up", "down", "off"]
    readers: Count | None = None
    """The number of connected readers, if known."""
    lag: Count | None = None
    """The number of changes that it has not sent yet, if it has a position of its own."""


class Status(Body):
    """``GET /v1/status``: the status of the hub."""

    version: str
    at: Moment
    flow: Flow | None
    """The flow of all centres and members; None if the caller may not see it."""
    centres: list[CentreStatus]
    collections: list[CollectionInfo]
    tasks: list[TaskStatus] = []
    """What is being carried out, in this order; empty for others than operators."""
    doors: list[DoorStatus]
    notes: list[str] = []
    """Warnings, one sentence each."""
