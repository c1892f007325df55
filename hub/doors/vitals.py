"""Health and metrics without doors: for the port of a worker or a relay, and for METRICS_PORT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def make_app(why_not: Callable[[], Awaitable[list[str]]], shown: Callable[[], Awaitable[bytes]]) -> Starlette:
    """``/healthz``, ``/readyz``, ``/metrics``. ``why_not`` returns the reasons why the process is not ready; ``shown``
    returns the metrics as text.
    """

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        why = await why_not()
        if why:
            return PlainTextResponse(f"not ready: {'; '.join(why)}\n", 503, {"retry-after": "1"})
        return PlainTextResponse("ready\n")

    async def metrics(_: Request) -> Response:
        return Response(await shown(), headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)])
