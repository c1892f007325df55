"""``GET /v1/claims``: what the caller itself claims about a thing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.model.claims import ClaimState
from hub.model.times import exact_time
from hub.questions.own_claims import own_claims
from hub.store.thing_port import OwnClaim
from schemas.api import OwnClaimInfo, OwnClaimPage

_PAGE_CLAIMS = 1_000


def routes(doors: Doors) -> APIRouter:
    """``/v1/claims``."""
    router = APIRouter(tags=["push"], default_response_class=Response)

    @router.get("/v1/claims", responses={200: {"model": OwnClaimPage}, **ERRORS})
    async def read_own_claims(
        request: Request,
        about: str,
        after: Annotated[str, Query(max_length=255)] = "",
        limit: Annotated[int, Query(ge=1, le=_PAGE_CLAIMS)] = _PAGE_CLAIMS,
    ) -> Response:
        """Read your own claims about a value, a pattern or a STIX id, withdrawn ones included."""
        source = await doors.gate.source(request)
        collections = await doors.gate.explainable(source)
        found = await own_claims(doors.store, source, collections, about, after=after, limit=limit)
        claims = [_claim(one) for one in found.claims]
        body = OwnClaimPage(about=about, claims=claims, next_after=claims[-1].id if found.more else None)
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


def _claim(own: OwnClaim) -> OwnClaimInfo:
    return OwnClaimInfo(
        id=own.id,
        type=own.type,
        state="withdrawn" if own.state.is_withdrawn else "revoked" if own.state is ClaimState.REVOKED else "live",
        stands=own.state is ClaimState.WITHDRAWN_STANDING,
        modified=None if own.modified_us is None else exact_time(own.modified_us),
    )
