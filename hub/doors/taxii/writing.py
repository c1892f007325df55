"""Adding and deleting over TAXII: the write-only collection ``intake``, and the statuses of requests.

What is added is processed like any push. The collection is the same for all sources; each source sees its own statuses
alone.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from fastapi import Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.body_headers import encoding_of, length_of
from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.problems import TAXII_JSON
from hub.doors.taxii import statuses
from hub.doors.taxii.query import require_taken
from hub.doors.taxii.resources import STIX_JSON
from hub.doors.validators import revalidated
from hub.intake import TakenWithStatus
from hub.model.errors import NotAllowed, NotFound, Refused
from hub.model.kept_out import KeptOut
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.model.words import StixId
from hub.questions import statuses as told
from hub.questions.own_kept_out import own_kept_out
from hub.registry.grants import may_push

TITLE = "intake"
_BYTES_OF_OBJECT = 1_000
"""The memory of an object of a status: as it is read, as it is told, and as it is written."""
_NAMED_AT_ONCE = 1_000
"""If a request has more objects, its answer does not list them; its status does."""
_FEW_OBJECTS = 100
"""The status of so few takes next to no memory, and is written directly: a thread would cost more than it saves."""
_log = structlog.get_logger()


class TaxiiIntake:
    """The collection ``intake``, and what became of requests to it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._sent = statuses.SentObjects()
        self.id = _uuid_of(doors.key)
        """The same for every source, and other than that of any other hub."""

    def is_open_to(self, principal: Principal) -> bool:
        """Returns whether a principal sees the collection: whether its token lets it claim something."""
        return may_push(principal)

    def resource(self, readable: Sequence[Collection]) -> Mapping[str, Any]:
        """Section 5.2.1."""
        return {
            "id": self.id,
            "title": TITLE,
            "description": (
                "Write-only. What you add is validated and merged with what others say. Usually within seconds it is "
                f"visible in those collections whose level and group admit it; {_of(readable)}. "
                "The status of a request says what became of each object."
            ),
            "can_read": False,
            "can_write": True,
            "media_types": [STIX_JSON],
        }

    def not_readable(self, readable: Sequence[Collection]) -> NotAllowed:
        """Returns the error for reading what can only be written."""
        return NotAllowed(
            "taxii.write-only",
            "The collection intake cannot be read.",
            f"What you add is visible in the other collections; {_of(readable)}.",
        )

    async def add(self, request: Request, source: Principal) -> Response:
        """Section 5.5: add objects. All are durable when this returns, and each is processed for itself."""
        require_taken(request.headers.get("content-type"))
        added = await self._doors.intake.add(
            source,
            request.stream(),
            encoding=encoding_of(request),
            length=length_of(request),
            at_ms=self._doors.now_us() // 1000,
        )
        metrics.PUSHED_OBJECTS.inc(added.status.received)
        _log.info("push.taken", **{source.kind.value: source.name}, status=added.status.id, count=added.status.received)
        return self._answer(request, added, 202)

    async def delete(self, request: Request, source: Principal, object_id: str) -> Response:
        """Section 5.7: withdraw the source's own claim. Raises NotFound if it claims nothing under this id."""
        if any(name.startswith("match[") for name in request.query_params):
            raise Refused("taxii.match", "An object is deleted with all its versions.", "Leave out match.")
        if not await told.has_sent(self._doors.store, source, object_id):
            raise NotFound(
                "taxii.object", "You have added no such object.", "Wait until the status of your request is complete."
            )
        added = await self._doors.intake.delete(source, object_id, at_ms=self._doors.now_us() // 1000)
        return self._answer(request, added, 200)

    async def status(self, request: Request, source: Principal, status_id: str) -> Response:
        """Section 4.3: the status of a request of this source. Raises NotFound."""
        if not self.is_open_to(source):
            raise NotFound("taxii.status", "There is no such status.")
        name = self._doors.intake.statuses.read(source.no, status_id)
        is_short = name.received <= _FEW_OBJECTS
        async with share_of(self._doors, request, 0 if is_short else name.received * _BYTES_OF_OBJECT) as share:
            done = await told.processed(self._doors.store, source, name)
            kept_out: Mapping[StixId, KeptOut | None] = {}
            if len(done) >= name.received:
                self._sent.drop(status_id)
                taken = {StixId(one.id) for one in done if one.id is not None and not statuses.has_failed(one)}
                readable = await self._doors.gate.readable(source)
                kept_out = await own_kept_out(self._doors.store, source, readable, taken)
            sent = self._sent.of(name.id)
            write = functools.partial(statuses.status, name, done, sent, self._rules_url(request), kept_out)
            body = write() if is_short else await asyncio.to_thread(write)
            return share.hand_over(Response(body, 200, revalidated(request), TAXII_JSON))

    def _answer(self, request: Request, added: TakenWithStatus, code: int) -> Response:
        """Returns the status of a request that is durable. It does not wait for memory, so it has no long list."""
        self._sent.add(added)
        sent = added.objects if len(added.objects) <= _NAMED_AT_ONCE else ()
        body = statuses.status(added.status, (), sent, self._rules_url(request), {})
        return Response(body, code, {"cache-control": "no-store"}, TAXII_JSON)

    def _rules_url(self, request: Request) -> str:
        return f"{self._doors.base_url(request)}/rules/"


def _of(readable: Sequence[Collection]) -> str:
    if not readable:
        return "you may read none"
    return f"you may read {', '.join(one.name for one in readable)}"


def _uuid_of(key: bytes) -> str:
    return str(UUID(bytes=hashlib.blake2b(digest_size=16, key=key, person=b"ctihub-intake-co").digest(), version=4))
