"""``/v1/explain/{asked}``: explains where objects come from, as far as the caller may see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors.context import Doors
from hub.doors.explained import around_fields, seen_thing, then, thing
from hub.doors.openapi import ERRORS
from hub.model.errors import NotFound, Refused
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.questions.explain import explain
from hub.questions.kept_out import Reader, explain_as
from hub.questions.past import explain_at
from schemas.explanation import Explanation

_LONGEST_NAME = 63


def routes(doors: Doors) -> APIRouter:
    """``/v1/explain``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get("/v1/explain/{asked:path}", responses={200: {"model": Explanation}, **ERRORS}, name="explain")
    async def explain_it(
        request: Request,
        asked: str,
        reader: Annotated[str | None, Query(alias="as", max_length=_LONGEST_NAME)] = None,
        at: Annotated[int | None, Query(ge=1)] = None,
        collection: Annotated[str | None, Query(max_length=_LONGEST_NAME)] = None,
    ) -> Response:
        """Explain a STIX id, a value or a pattern: what your collections show of it, and the claims behind it.

        For operators ``as``: what somebody else may see of it, and which rule keeps it out of each collection that does
        not show it. ``at`` and ``collection``: what a collection showed of it at one of its changes.
        """
        if reader is not None:
            body = await _as_seen(doors, request, asked, reader, past=at is not None or collection is not None)
        elif at is not None or collection is not None:
            body = await _as_it_stood(doors, request, asked, at, collection)
        else:
            principal = await doors.gate.required(request)
            found = await explain(doors.store, principal, await doors.gate.explainable(principal), asked)
            body = Explanation(asked=asked, things=[thing(one) for one in found.things], **around_fields(found.around))
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


async def _as_seen(doors: Doors, request: Request, asked: str, name: str, *, past: bool) -> Explanation:
    operator = await doors.gate.operator(request)
    if past:
        raise Refused("explain.both", "Ask either as somebody or at a change.", "Leave out as, or at and collection.")
    principal = await doors.gate.reader(name)
    reader = Reader(name, principal, await doors.gate.explainable(principal))
    found = await explain_as(doors.store, reader, await doors.gate.explainable(operator), asked)
    things = [seen_thing(one) for one in found.things]
    return Explanation(asked=asked, things=things, reader=name, **around_fields(found.around))


async def _as_it_stood(doors: Doors, request: Request, asked: str, at: int | None, name: str | None) -> Explanation:
    principal = await doors.gate.required(request)
    if at is None or name is None:
        raise Refused("explain.at", "A change is named by its number and its collection.", "Give at and collection.")
    collection = await _explainable(doors, principal, name)
    found = await explain_at(doors.store, principal, collection, at, asked)
    return Explanation(asked=asked, things=[then(one, collection) for one in found], at=at)


async def _explainable(doors: Doors, principal: Principal, name: str) -> Collection:
    for collection in await doors.gate.explainable(principal):
        if collection.name == name:
            return collection
    raise NotFound("collection.unknown", "There is no such collection that you may read.", "See /v1/collections.")
