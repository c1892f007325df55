"""The list of collections that the caller may read."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors.collection_info import collection_info
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.doors.validators import revalidated
from hub.questions.catalogue import list_collections
from schemas.api import CollectionList


def routes(doors: Doors) -> APIRouter:
    """``/v1/collections``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get("/v1/collections", responses={200: {"model": CollectionList}, **ERRORS}, name="list_collections")
    async def read_collections(request: Request) -> Response:
        """List the collections that you may read; without credentials, the public ones."""
        readable = await doors.gate.readable(await doors.gate.principal(request))
        found = await list_collections(doors.store.logs, readable)
        body = CollectionList(collections=[collection_info(one) for one in found])
        return Response(body.model_dump_json(), media_type="application/json", headers=revalidated(request))

    return router
