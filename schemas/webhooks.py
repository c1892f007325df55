"""The bodies of ``/v1/webhooks``, and of what is posted to a webhook."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.api import Body, Count, Moment, Percent

Name = Annotated[str, Field(min_length=1, max_length=63)]
Word = Annotated[str, Field(min_length=1, max_length=250)]


class WebhookRequest(Body):
    """The request of ``POST /v1/webhooks``."""

    collection: Name
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    """Where to post: https, a public address, no name or password in it."""
    types: list[Word] = Field([], max_length=100)
    """Only objects of these STIX types; empty means all."""
    kinds: list[Word] = Field([], max_length=100)
    """Of observables and indicators only those about these kinds; without ``types`` nothing else."""
    min_confidence: Percent = 0
    """Of indicators only those with at least this confidence."""
    begin: Literal["now", "start"] = Field("now", alias="from")
    """``now``: new changes only; ``start``: the whole change log first."""


class WebhookInfo(Body):
    """A webhook."""

    id: str
    principal: str | None
    """Whose it is; null if that was removed."""
    collection: str
    url: str
    types: list[str]
    kinds: list[str]
    min_confidence: Percent
    state: Literal["active", "failing", "paused"]
    """``failing``: the last attempt has failed, and another will follow."""
    reason: Literal["unreachable", "gone", "no-access", "suspended", "collection-removed"] | None
    """Why it is paused."""
    position: Count
    """The last change that was delivered, or that the filter leaves out."""
    behind: Count
    """The number of changes after that."""
    attempts: Count
    """How many attempts of the current batch have failed."""
    last_failure: str | None
    next_attempt: Moment | None
    """When a failing webhook is tried again."""
    last_delivered: Moment | None
    created: Moment


class AddedWebhook(Body):
    """The response of ``POST /v1/webhooks``."""

    webhook: WebhookInfo
    secret: str
    """``whsec_`` and base64: what messages are signed with. It is shown this once."""


class WebhookList(Body):
    """``GET /v1/webhooks``: the caller's own, oldest first; an operator sees all."""

    webhooks: list[WebhookInfo]


class WebhookTest(Body):
    """The response of ``POST /v1/webhooks/{id}/test``: what came of one message of the type ``webhook.test``."""

    taken: bool
    """Whether the receiver answered 2xx."""
    status: int | None
    """The HTTP status; null without an answer."""
    detail: str


class PostedChange(Body):
    """One change in a message."""

    seq: Annotated[int, Field(ge=1)]
    date_added: Moment
    change: Literal["new", "changed", "withdrawn"]
    """``withdrawn`` also when a new version does not pass the webhook's filter. ``new`` also when it came back."""
    id: str
    type: str
    value: str | None = None
    """The value, if the object is about a single one."""
    confidence: Percent | None = None
    object: dict[str, Any] | None = None
    """The STIX object as the collection shows it; not of what is withdrawn."""


class PostedChanges(Body):
    """``data`` of a message of the type ``collection.changes``."""

    collection: str
    first: Annotated[int, Field(ge=1, alias="from")]
    """The number after the ``to`` of the message before."""
    last: Annotated[int, Field(ge=1, alias="to")]
    """Every change from ``from`` to ``to`` is in the message, or left out by the webhook's filter."""
    changes: list[PostedChange]


class PostedMessage(Body):
    """What is posted to a webhook. Source: Standard Webhooks 1.0."""

    type: Literal["collection.changes"]
    timestamp: Moment
    """``date_added`` of the last change."""
    data: PostedChanges
