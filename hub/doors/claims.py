"""``/v1/claims`` and ``/v1/mine``: what the caller itself claims, about one thing or about all."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.model.claims import ClaimState
from hub.model.held import HeldState
from hub.model.times import exact_time
from hub.questions.mine import MOST_CLAIMS, MOST_HELD, ListedClaim, my_claims, my_held
from hub.questions.own_claims import own_claims
from hub.store.intake_port import OwnHeld
from hub.store.own_port import OwnClaim
from schemas.api import MyClaim, MyClaimPage, MyHeld, MyHeldPage, OwnClaimInfo, OwnClaimPage, ShownIn

_PAGE_CLAIMS = 1_000
_LAST_NO = 2**63 - 1
_HELD: dict[HeldState, Literal["held", "refused"]] = {HeldState.WAITING: "held", HeldState.REFUSED: "refused"}
StateName = Literal["live", "revoked", "withdrawn"]


def routes(doors: Doors) -> APIRouter:
    """``/v1/claims``, ``/v1/mine/claims`` and ``/v1/mine/held``."""
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
        return _private(body)

    _add_mine(router, doors)
    return router


def _add_mine(router: APIRouter, doors: Doors) -> None:
    @router.get("/v1/mine/claims", responses={200: {"model": MyClaimPage}, **ERRORS})
    async def read_my_claims(
        request: Request,
        state: Annotated[list[StateName] | None, Query(description="Only those in these states")] = None,
        after: Annotated[int, Query(ge=0, le=_LAST_NO)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_CLAIMS)] = MOST_CLAIMS,
    ) -> Response:
        """Read all your own claims, with the collections that show each, or the rule that keeps it out."""
        source = await doors.gate.source(request)
        states = [one for one in ClaimState if not state or _name_of(one) in state]
        readable = await doors.gate.readable(source)
        page = await my_claims(doors.store, source, readable, states, after=after, limit=limit)
        return _private(MyClaimPage(claims=[_my_claim(one) for one in page.claims], next_after=page.next_after))

    @router.get("/v1/mine/held", responses={200: {"model": MyHeldPage}, **ERRORS})
    async def read_my_held(
        request: Request,
        state: Annotated[
            list[Literal["held", "refused"]] | None, Query(description="Only those in these states")
        ] = None,
        after: Annotated[int, Query(ge=0, le=_LAST_NO)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_HELD)] = MOST_HELD,
    ) -> Response:
        """Read what of yours waits for an operator, or was refused by one; the oldest first."""
        source = await doors.gate.source(request)
        states = [one for one, name in _HELD.items() if not state or name in state]
        page = await my_held(doors.store, source, states, after=after, limit=limit)
        return _private(MyHeldPage(held=[_my_held(one) for one in page.held], next_after=page.next_after))


def _private(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})


def _claim(own: OwnClaim) -> OwnClaimInfo:
    return OwnClaimInfo(
        id=own.id,
        type=own.type,
        state=_name_of(own.state),
        stands=own.state is ClaimState.WITHDRAWN_STANDING,
        modified=None if own.modified_us is None else exact_time(own.modified_us),
    )


def _name_of(state: ClaimState) -> StateName:
    return "withdrawn" if state.is_withdrawn else "revoked" if state is ClaimState.REVOKED else "live"


def _my_claim(one: ListedClaim) -> MyClaim:
    own, rule = one.own, one.kept_out
    return MyClaim(
        **_claim(own).model_dump(),
        shown=[ShownIn(collection=name, id=object_id) for name, object_id in one.shown],
        kept_out=None if rule is None else rule.label,
        message=None if rule is None else rule.says,
    )


def _my_held(one: OwnHeld) -> MyHeld:
    return MyHeld(
        id=one.stix_id,
        state=_HELD[one.state],
        withdrawal=one.is_withdrawal,
        code=one.code,
        message=one.says,
        at=exact_time(one.at_us),
        receipt=one.receipt,
    )
