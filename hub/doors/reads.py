"""Reads of collections, as the journal enters them: what a request reads, and how far its answer reaches.

What is done while a read is answered delays it. So ``hub/doors/recorded.py`` only keeps what it has at hand
(``KeptRequest``, ``SentAnswer``). The journal interprets it when it is written, together with many others
(``request_of``).
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from starlette.types import Scope

from hub.doors.auth import PRINCIPAL, address_of
from hub.model.journal import ANONYMOUS
from hub.model.words import Seq

_COLLECTION = re.compile(r"/v1/collections/\{name\}/([a-z-]+)")
_TAXII = re.compile(r"(?:/taxii2)?/root/collections/\{collection_id\}/.")
_SINGLE = re.compile(r"/v1/(lookup|explain)(?:/|$)")
_READING = frozenset({"GET", "HEAD"})
_TEXT_BYTES = 200
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


# ---------------------------------------------------------------- what is kept of an answer


KeptRequest = tuple[int, str, str, Any, Mapping[str, str], str, bytes, tuple[str, int] | None, bytes, bytes]
"""What is kept of a request: the number of its principal and the name of its token, the method, the route, the
parameters of the path, the path, the query, whom the connection comes from, the end of the last ``User-Agent``, and
that of the last ``X-Forwarded-For``.

It is little, since it outlives the request: whole requests would cost more than all else of the journal, in the garbage
collector. It has no names, since making it would take several times as long.
"""
_most_of = itemgetter("method", "route", "path_params", "path", "query_string", "client")


def kept_request(scope: Scope) -> KeptRequest:
    """Returns what is kept of a request that has a route and a principal, who may be None."""
    principal, fields = scope[PRINCIPAL], dict(scope["headers"])
    reader, token = (ANONYMOUS, "") if principal is None else (principal.no, principal.token)
    user_agent, forwarded = fields.get(b"user-agent", b""), fields.get(b"x-forwarded-for", b"")
    return reader, token, *_most_of(scope), user_agent[-_TEXT_BYTES:], forwarded[-_TEXT_BYTES:]


class SentAnswer(NamedTuple):
    """An answer, as far as it is."""

    began_s: float
    ended_s: float
    """When it ended or last got something, by the same clock, which knows no date."""
    status: int
    size_bytes: int
    """Of the body, as it was sent."""
    is_sent: bool
    """Whether all of it has been sent; of a live answer, whether some of it has."""
    facts: AnswerFacts
    """What the door had stated before the last part was sent."""

    @property
    def is_success(self) -> bool:
        """Whether something was read, or has not changed."""
        return 0 < self.status < 400


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


def request_of(kept: KeptRequest, *, behind_proxy: bool) -> ReadRequest | None:
    """Returns what a request reads; None if it does not read."""
    reader, token, method, route, parameters, _, query, client, user_agent, forwarded = kept
    if not (door := door_of(method, route.path)):
        return None
    name = parameters.get("name") or parameters.get("collection_id") or ""
    scope = {"headers": [(b"x-forwarded-for", forwarded)] if forwarded else [], "client": client}
    address = address_of(scope, behind_proxy=behind_proxy) or ""
    return ReadRequest(
        reader, token, door, route.path, parameters.get("format", ""), name, query, str(user_agent, "latin-1"), address
    )


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
