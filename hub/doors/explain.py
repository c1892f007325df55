"""``/v1/explain/{asked}``: explains where objects come from, as far as the caller may see it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.questions.explain import explain
from hub.questions.explained import KnownClaim, KnownFeedback, KnownThing, KnownView
from schemas.api import ExplainedClaim, ExplainedFeedback, ExplainedThing, ExplainedView, Explanation


def routes(doors: Doors) -> APIRouter:
    """``/v1/explain``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get("/v1/explain/{asked:path}", responses={200: {"model": Explanation}, **ERRORS}, name="explain")
    async def explain_it(request: Request, asked: str) -> Response:
        """Explain a STIX id, a value or a pattern: what your collections show of it, and the claims behind it."""
        principal = await doors.gate.required(request)
        things = await explain(doors.store, principal, await doors.gate.explainable(principal), asked)
        body = Explanation(asked=asked, things=[_thing(one) for one in things])
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


def _thing(known: KnownThing) -> ExplainedThing:
    return ExplainedThing(
        key=None if known.key is None else known.key.hex(),
        type=known.type,
        text=known.text,
        views=[_view(view) for view in known.views],
    )


def _view(known: KnownView) -> ExplainedView:
    return ExplainedView(
        collection=known.collection.name,
        id=known.id,
        state=known.state,
        seq=known.seq,
        version=known.version,
        first=known.first,
        last=known.last,
        confidence=known.confidence,
        how=known.how,
        voices=known.voices,
        claims=[_claim(claim) for claim in known.claims],
        feedback=[_feedback(one) for one in known.feedback],
    )


def _claim(known: KnownClaim) -> ExplainedClaim:
    return ExplainedClaim(
        centre=known.source,
        level=known.level.label,  # type: ignore[arg-type] # the labels are the literals
        id=known.id,
        created=known.created,
        modified=known.modified,
        confidence=known.confidence,
        state=known.state,
    )


def _feedback(known: KnownFeedback) -> ExplainedFeedback:
    return ExplainedFeedback(
        source=known.source,
        level=known.level.label,  # type: ignore[arg-type] # the labels are the literals
        kind="sighting" if known.verdict is None else known.verdict.value,
        count=known.count,
        first_seen=known.first_seen,
        last_seen=known.last_seen,
        modified=known.modified,
        text=known.text,
    )
