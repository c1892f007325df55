"""Liveness, readiness and metrics of this process, for orchestrators and Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from hub.doors.context import Doors
from hub.doors.openapi import raw
from hub.questions.servers import silent

_PLAIN = "text/plain; charset=utf-8"


def routes(doors: Doors) -> APIRouter:
    """``/healthz``, ``/readyz``, ``/metrics``. They need no credentials and show nothing of the content."""
    router = APIRouter(tags=["operation"], default_response_class=Response)

    @router.get("/healthz", responses=raw("text/plain", "The process lives."))
    async def alive() -> Response:
        """Check that the process answers."""
        return Response(b"ok\n", media_type=_PLAIN)

    @router.get("/readyz", responses={**raw("text/plain", "It can serve."), 503: {"description": "Not now, and why."}})
    async def ready() -> Response:
        """Check that the store and the log accept requests."""
        why = [*await silent(doors.store, doors.log), *doors.troubles()]
        if why:
            return Response(f"not ready: {'; '.join(why)}\n", 503, {"retry-after": "1"}, _PLAIN)
        return Response(b"ready\n", media_type=_PLAIN)

    @router.get("/metrics", responses=raw("text/plain", "Prometheus metrics."))
    async def metrics() -> Response:
        """Metrics of this process; METRICS_PORT has all others."""
        return Response(await doors.process.metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    return router
