"""Health of a process that has no doors: a worker or a relay says whether it lives and whether its servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def make_app(why_not: Callable[[], Awaitable[list[str]]], more_metrics: Callable[[], Awaitable[bytes]]) -> Starlette:
    """``/healthz``, ``/readyz``, ``/metrics``. ``why_not`` says what keeps it from its work; ``more_metrics`` gives
    what there is besides what this process counted in the common registry, as text.
    """

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        why = await why_not()
        if why:
            return PlainTextResponse(f"not ready: {'; '.join(why)}\n", 503, {"retry-after": "1"})
        return PlainTextResponse("ready\n")

    async def metrics(_: Request) -> Response:
        body = await asyncio.to_thread(generate_latest, REGISTRY) + await more_metrics()
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)])
