"""Reads of collections, as the journal enters them: what a request reads, and how far its answer reaches.

What is done while a read is answered delays it. So of a read that differs from an earlier one of the same second in its
times only, nothing but these is kept (``SameReads``). The rest is done when the journal is written.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from starlette.types import Scope

from hub.doors.auth import PRINCIPAL, address_of
from hub.model.journal import ANONYMOUS
from hub.model.words import Seq

_COLLECTION = re.compile(r"/v1/collections/\{name\}/([a-z-]+)")
_TAXII = re.compile(r"(?:/taxii2)?/root/collections/\{collection_id\}/.")
_SINGLE = re.compile(r"/v1/(lookup|explain)(?:/|$)")
_READING = frozenset({"GET", "HEAD"})
_TEXT_CHARS, _QUERY_BYTES = 200, 2_000
ANSWER_FACTS = "ctihub.answer_facts"
"""The key of what a door has stated of its answer, in the ASGI scope of the request."""
_PROCESS, _numbers = os.urandom(8).hex(), itertools.count()
"""Both make keys that no other process makes."""


# ---------------------------------------------------------------- what a door states of its answer


class AnswerFacts(NamedTuple):
    """What only the door knows of an answer."""

    after: Seq | None = None
    """The change after which it starts."""
    reached: Seq | None = None
    """The last change that its reader has with all of it; of a live answer, with what is sent next."""
    objects: int | None = None
    """The number of its objects; of a live answer, up to now."""
    key: str = ""
    """The key of the entry of a live answer, see ``new_live_key``: it is entered again with each part."""


NO_FACTS = AnswerFacts()


def note_facts(scope: Scope, **facts: Any) -> None:
    """State what is now known of the answer to a request: fields of ``AnswerFacts``. Others stay as they were."""
    scope[ANSWER_FACTS] = scope[ANSWER_FACTS]._replace(**facts) if ANSWER_FACTS in scope else AnswerFacts(**facts)


def new_live_key() -> str:
    """Returns a key for a live answer."""
    return f"{_PROCESS}{next(_numbers):016x}"


SentAnswer = tuple[int, int, bool, AnswerFacts]
"""An answer, as far as it is: its status; the size of its body in bytes, as it was sent; whether all of it has been
sent, of a live answer whether some of it has; what the door had stated before the last part was sent.

It has no names, since making it would take several times as long.
"""


def is_success(status: int) -> bool:
    """Returns whether something was read, or has not changed."""
    return 0 < status < 400


# ---------------------------------------------------------------- what a request reads


class ReadRequest(NamedTuple):
    """A request that reads a collection, or looks something up in all of them."""

    reader: int
    """The number of its principal; ``ANONYMOUS`` without credentials."""
    token: str
    """The name of the reader's token."""
    door: str
    template: str
    """The path of the route."""
    format: str
    name: str
    """The name or the id of the collection."""
    query: bytes
    client: str
    """How the program calls itself: the last field of that name, or its end if it is long."""
    address: str


def read_request(scope: Scope, *, behind_proxy: bool) -> ReadRequest | None:
    """Returns what a request reads that has a route and a principal, who may be None; None if it does not read. Of long
    fields it has as much as is ever shown.
    """
    template, parameters, principal = scope["route"].path, scope["path_params"], scope[PRINCIPAL]
    if not (door := door_of(scope["method"], template)):
        return None
    reader, token = (ANONYMOUS, "") if principal is None else (principal.no, principal.token)
    name = parameters.get("name") or parameters.get("collection_id") or ""
    client = dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
    address = address_of(scope, behind_proxy=behind_proxy) or ""
    return ReadRequest(
        reader,
        token,
        door,
        template,
        parameters.get("format", "")[:_TEXT_CHARS],
        name[:_TEXT_CHARS],
        scope["query_string"][:_QUERY_BYTES],
        client[-_TEXT_CHARS:],
        address[-_TEXT_CHARS:],
    )


@dataclass(slots=True)
class SameReads:
    """Reads of one second that differ in their times only."""

    request: ReadRequest
    answer: SentAnswer
    times_s: list[tuple[float, float]]
    """When each ended or last got something, and when it began; in seconds of a clock that knows no date."""


@lru_cache(maxsize=1024)
def door_of(method: str, template: str) -> str:
    """Returns the name of the door of a route; empty if it reads no collection.

    >>> door_of("GET", "/v1/collections/{name}/export.{format}"), door_of("POST", "/v1/intake")
    ('export', '')
    """
    if found := _SINGLE.match(template):
        return found[1]
    if method not in _READING:
        return ""
    if found := _COLLECTION.match(template):
        return found[1]
    return "taxii" if _TAXII.match(template) else ""
