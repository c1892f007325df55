"""All HTTP doors as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from hub.doors import (
    catalogue,
    changes,
    claims,
    deliveries,
    explain,
    export,
    health,
    lookup,
    openapi,
    problems,
    push,
    rules,
    status,
    stream,
    taxii,
    webhooks,
)
from hub.doors.context import Doors
from hub.doors.methods import HeadAsGet
from hub.doors.parameters import refuse_unknown_parameters
from hub.doors.recorded import Recorded
from hub.doors.representations import Represented
from hub.doors.uses import flush_last, flush_regularly
from schemas.api import Withdrawals, Withdrawn
from schemas.feedback import SightingReports, VerdictReports
from schemas.lookup import LookupValues
from schemas.webhooks import PostedMessage, WebhookRequest

_MODELS = (PostedMessage, LookupValues, SightingReports, VerdictReports, WebhookRequest, Withdrawals, Withdrawn)
"""What handlers read themselves, and what is sent besides answers."""


def make_app(doors: Doors) -> FastAPI:
    """Returns the application. Its lifespan must run: it watches the store for the live streams, and writes when
    tokens were last used.

    The caller closes the adapters after the lifespan has ended. To stop, call ``doors.stop_streams`` first, since
    servers wait for open responses.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=_lifespan(doors))
    # include_router would create each route a second time, at its first request. Routes are tried in order, so those of
    # the most frequent requests come first.
    for door in (
        taxii, push, claims, catalogue, stream, export, lookup, changes, explain, webhooks, status, deliveries, health,
    ):  # fmt: skip
        app.router.routes.extend(door.routes(doors).routes)
    app.router.routes.extend(rules.routes().routes)
    problems.install(app)
    app.add_middleware(Represented)
    app.add_middleware(Recorded, enter=doors.journal.enter, identify=doors.gate.principal, now_s=doors.now_s)
    app.add_middleware(HeadAsGet)  # the outermost
    _publish_openapi(app)
    refuse_unknown_parameters(app.router.routes)
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Returns the OpenAPI document of the doors, as in ``schemas/openapi.json``."""
    return openapi.describe(app, extra_models=_MODELS)


def _publish_openapi(app: FastAPI) -> None:
    document: list[bytes] = []

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def read_openapi() -> Response:
        """The OpenAPI document of this interface."""
        if not document:
            document.append(openapi.dumps(await asyncio.to_thread(openapi_document, app)))
        return Response(document[0], media_type="application/json", headers={"cache-control": "no-cache"})


def _lifespan(doors: Doors) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(doors.log_watch.run()), tasks.create_task(flush_regularly(doors.access.uses))]
            tasks.create_task(doors.journal.run())
            try:
                yield
            finally:
                doors.stop_streams()
                doors.journal.stop()
                for task in running:
                    task.cancel()
        await flush_last(doors.access.uses)

    return lifespan
