"""``/v1/collections/{name}/changes``: what has changed in a collection."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.doors.reads import note_facts
from hub.doors.since import since_of
from hub.model.times import taxii_time
from hub.model.words import Seq
from hub.questions.changes import MOST_CHANGES, ChangesSince, ToldChange, changes_of
from schemas.lookup import CollectionChange, CollectionChanges

_USUAL_CHANGES = 1_000
_CHANGE_BYTES = 2_000
"""The memory of a change besides its object."""


def routes(doors: Doors) -> APIRouter:
    """``/v1/collections/{name}/changes``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get(
        "/v1/collections/{name}/changes", responses={200: {"model": CollectionChanges}, **ERRORS}, name="read_changes"
    )
    async def read_changes(
        request: Request,
        name: str,
        since: Annotated[str, Query(description="A change's number, or an RFC 3339 time", max_length=64)] = "0",
        limit: Annotated[int, Query(ge=1, le=MOST_CHANGES)] = _USUAL_CHANGES,
    ) -> Response:
        """Read what has changed after a change, or after a time; go on with ``since`` = ``next``."""
        collection = await doors.gate.collection(request, name)
        point = since_of(since)
        asked = ChangesSince(point.seq or Seq(0), point.after_us, limit)
        page_bytes = doors.settings.page_bytes
        async with share_of(doors, request, 2 * page_bytes + limit * _CHANGE_BYTES) as share:
            told = await changes_of(doors.store.logs, collection.no, asked, page_bytes)
            note_facts(request.scope, after=asked.seq, reached=told.reached, objects=len(told.changes))
            body = CollectionChanges(changes=[_change(one) for one in told.changes], next=told.next, more=told.more)
            content = body.model_dump_json(exclude_none=True)
            return share.hand_over(Response(content, media_type="application/json", headers=_NOT_KEPT))

    return router


_NOT_KEPT = {"cache-control": "no-store"}


def _change(told: ToldChange) -> CollectionChange:
    return CollectionChange(
        seq=told.seq,
        date_added=taxii_time(told.date_added_us),
        change=told.change,
        id=told.id,
        type=told.type,
        value=told.value,
        confidence=told.confidence,
    )
