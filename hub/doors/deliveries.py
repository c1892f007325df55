"""``/v1/deliveries``: what readers have got, and how far each is behind."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.model.journal import KEPT_ENTRIES, FetchedUpTo, JournalEntry
from hub.model.times import stix_time
from hub.questions.deliveries import ReaderLag, deliveries
from schemas.deliveries import Deliveries, DeliveryInfo, DoorReached, ReaderLagInfo


def routes(doors: Doors) -> APIRouter:
    """``/v1/deliveries``."""
    router = APIRouter(tags=["operation"], default_response_class=Response)

    @router.get("/v1/deliveries", responses={200: {"model": Deliveries}, **ERRORS}, name="deliveries")
    async def read_deliveries(
        request: Request,
        principal: Annotated[str | None, Query(description="For operators: a name, or anonymous")] = None,
        limit: Annotated[int, Query(ge=1, le=KEPT_ENTRIES, description="At most so many of each list")] = 100,
    ) -> Response:
        """Show what was fetched last, by whom, and who is behind: yours or your token's; operators see everybody's."""
        asker = await doors.gate.required(request)
        found = await deliveries(doors.store, doors.gate.access, asker, principal, limit)
        body = Deliveries(
            deliveries=[_entry(name, one) for name, one in found.entries],
            behind=[_lag(one) for one in found.lags],
            behind_total=found.lag_count,
        )
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


def _entry(reader: str, one: JournalEntry) -> DeliveryInfo:
    return DeliveryInfo(
        principal=reader,
        token=one.token or None,
        at=stix_time(one.at_us),
        began=stix_time(one.began_us),
        door=one.door,
        collection=one.collection,
        asked=one.asked,
        after=one.after,
        reached=one.reached,
        objects=one.objects,
        bytes=one.size_bytes,
        status=one.status or None,
        client=one.client,
        address=one.address,
    )


def _lag(one: ReaderLag) -> ReaderLagInfo:
    return ReaderLagInfo(
        principal=one.reader,
        collection=one.collection,
        last_seq=one.last_seq,
        reached=one.reached,
        behind=one.behind,
        at=None if one.at_us is None else stix_time(one.at_us),
        doors=[_door(door) for door in one.doors],
    )


def _door(one: FetchedUpTo) -> DoorReached:
    return DoorReached(door=one.door, token=one.token or None, reached=one.reached, at=stix_time(one.at_us))
