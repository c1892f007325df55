"""``/v1/status``: one screen for whoever runs a hub, or feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.catalogue import info
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.doors.version import VERSION
from hub.log.port import INTAKE_PREFIX
from hub.model.policy import Centre
from hub.model.principals import Kind, Principal
from hub.model.step import ReceiptCounts
from hub.model.times import stix_time, to_us
from hub.model.words import Seq, Topic, TopicPartition
from hub.store import reading
from hub.store.port import Filter
from schemas.api import CentreStatus, DoorStatus, Flow, Status

_NOTHING = ReceiptCounts()


def routes(doors: Doors) -> APIRouter:
    """``/v1/status``."""
    router = APIRouter(tags=["operation"], default_response_class=Response)

    @router.get("/v1/status", responses={200: {"model": Status}, **ERRORS})
    async def status(request: Request) -> Response:
        """An operator sees all, a centre its own part of the flow, a member its collections."""
        body = await _status(doors, await doors.gate.required(request))
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return router


async def _status(doors: Doors, principal: Principal) -> Status:
    operator = principal.kind is Kind.OPERATOR
    policy = await doors.store.policy()
    async with doors.store.look() as conn:
        counts = await reading.counts(conn)
        held = await reading.waiting(conn) if operator else 0
    heads = await doors.store.heads()
    seen = [centre for centre in policy.centres.values() if operator or centre.no == principal.no]
    collections = await doors.gate.explainable(principal)
    return Status(
        version=VERSION,
        at=stix_time(to_us(datetime.now(UTC))),
        flow=_flow(_sum(counts)) if operator else None,
        centres=[await _centre(doors, one, counts) for one in sorted(seen, key=lambda centre: centre.name)],
        collections=[info(one, heads.get(one.no)) for one in collections],
        doors=_doors(),
        notes=[f"{held} objects are held and wait for an operator: ctihub held list."] if held else [],
    )


def _sum(counts: Mapping[int, ReceiptCounts]) -> ReceiptCounts:
    every = list(counts.values())
    return ReceiptCounts(
        sum(one.accepted for one in every),
        sum(one.unchanged for one in every),
        sum(one.held for one in every),
        sum(one.rejected for one in every),
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


async def _centre(doors: Doors, centre: Centre, counts: Mapping[int, ReceiptCounts]) -> CentreStatus:
    taken = (await doors.intake()).taken_from(centre.name)
    topic = Topic(INTAKE_PREFIX + centre.name)
    ends = {TopicPartition(topic, partition): end for partition, end in taken.ends.items()}
    reached = await doors.store.positions(list(ends))
    return CentreStatus(
        centre=centre.name,
        suspended=centre.suspended,
        flow=_flow(counts.get(centre.no, _NOTHING)),
        lag=sum(max(0, end - reached.get(at, 0)) for at, end in ends.items()),
        last_received=None if taken.at_us is None else stix_time(taken.at_us),
        last_code=await _last_code(doors, centre),
    )


async def _last_code(doors: Doors, centre: Centre) -> str | None:
    async with doors.store.look() as conn:
        log = await reading.log_number(conn, f"rejected.{centre.name}")
    if log is None:
        return None
    head = await doors.store.head(log)
    if head.seq == 0:
        return None
    rows = await doors.store.read(log, Seq(head.seq - 1), limit=1, limit_bytes=1, by=Filter(log=True))
    return str(orjson.loads(rows[-1].body)["code"]) if rows else None


def _doors() -> list[DoorStatus]:
    return [
        DoorStatus(name="push", state="up"),
        DoorStatus(name="stream", state="up", readers=metrics.stream_readers()),
        DoorStatus(name="taxii", state="up"),
        DoorStatus(name="export", state="up"),
    ]
