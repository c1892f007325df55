"""``/v1/status``: an overview for those who run a hub or publish to it."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.collection_info import collection_info
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.doors.version import VERSION
from hub.model.times import stix_time, to_us
from hub.model.writes import ReceiptCounts
from hub.questions.status import Here, HubStatus, OpenTask, SourceFlow, status
from schemas.api import CentreStatus, DoorStatus, Flow, Status, TaskStatus


def routes(doors: Doors) -> APIRouter:
    """``/v1/status``."""
    router = APIRouter(tags=["operation"], default_response_class=Response)

    @router.get("/v1/status", responses={200: {"model": Status}, **ERRORS}, name="status")
    async def read_status(request: Request) -> Response:
        """Show the status: an operator sees everything, others their own part of the flow."""
        principal = await doors.gate.required(request)
        found = await status(
            doors.store,
            doors.log,
            principal,
            await doors.gate.explainable(principal),
            here=Here(metrics.stream_readers(), [*doors.troubles(), *doors.process.notes()]),
            relayed=doors.process.relayed,
        )
        body = _status(found)
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


def _status(found: HubStatus) -> Status:
    return Status(
        version=VERSION,
        at=stix_time(to_us(datetime.now(UTC))),
        flow=None if found.total is None else _flow(found.total),
        centres=[_centre(one) for one in found.sources],
        collections=[collection_info(one) for one in found.collections],
        tasks=[_task(one) for one in found.tasks],
        doors=_doors(found),
        notes=list(found.notes),
    )


def _flow(counts: ReceiptCounts) -> Flow:
    received = counts.accepted + counts.unchanged + counts.held + counts.rejected
    return Flow(
        received=received,
        accepted=counts.accepted,
        unchanged=counts.unchanged,
        held=counts.held,
        rejected=counts.rejected,
    )


def _centre(one: SourceFlow) -> CentreStatus:
    return CentreStatus(
        centre=one.name,
        suspended=one.suspended,
        flow=_flow(one.counts),
        lag=one.lag,
        last_received=None if one.last_received_us is None else stix_time(one.last_received_us),
        last_code=one.last_code,
        tripped=None if one.tripped_us is None else stix_time(one.tripped_us),
    )


def _task(one: OpenTask) -> TaskStatus:
    progress = one.progress
    return TaskStatus(
        task="recompute" if progress.task.collection is None else "fill",
        collection=one.collection,
        centre=one.source,
        done=progress.done,
        total=progress.total,
        per_second=None if progress.per_s is None else round(progress.per_s, 1),
        seconds_left=progress.left_s,
    )


def _doors(found: HubStatus) -> list[DoorStatus]:
    """Returns the HTTP doors of this process, and the relay. The HTTP doors are up, since the store has answered."""
    return [
        DoorStatus(name="push", state="up" if found.takes_pushes else "down"),
        DoorStatus(name="stream", state="up", readers=found.readers),
        DoorStatus(name="taxii", state="up"),
        DoorStatus(name="export", state="up"),
        DoorStatus(name="kafka", state=found.relay.value, lag=found.relay_lag),
    ]
