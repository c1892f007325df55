"""``/v1/status``: one screen for whoever runs a hub, or feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.asking import answers, asked
from hub.doors.collection_info import collection_info
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.doors.version import VERSION
from hub.log.kafka_topics import COLLECTION_PREFIX
from hub.log.port import INTAKE_PREFIX
from hub.model.policy import Centre, Collection
from hub.model.principals import Kind, Principal
from hub.model.times import stix_time, to_us
from hub.model.words import Positions, Seq, TopicPartition
from hub.model.writes import ReceiptCounts
from hub.store.port import LogEnd, Reached
from schemas.api import CentreStatus, DoorStatus, Flow, Status

_NOTHING = ReceiptCounts()


@dataclass(frozen=True, slots=True)
class _Intake:
    """What came in, and how far the workers are with it."""

    ends: Positions | None
    """Where the event log's partitions end; None while it does not answer."""
    reached: Mapping[TopicPartition, Reached]
    counts: Mapping[int, ReceiptCounts]

    def lag(self, centre: Centre) -> int | None:
        if self.ends is None:
            return None
        waiting = (
            end - (self.reached[at].next if at in self.reached else 0)
            for at, end in self.ends.items()
            if at.topic == INTAKE_PREFIX + centre.name
        )
        return sum(max(0, count) for count in waiting)

    def last_received(self, centre: Centre) -> str | None:
        moved = [at.moved_us for part, at in self.reached.items() if part.topic == INTAKE_PREFIX + centre.name]
        return stix_time(max(moved)) if moved else None


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
    ends = await asked(doors.log.ends)  # before the positions: what they pass meanwhile is no lag
    store = doors.store
    intake = _Intake(ends, await store.intake.reached(), await store.intake.counts())
    held = await store.intake.waiting() if operator else 0
    log_ends = await store.logs.ends()
    seen = [centre for centre in policy.centres.values() if operator or centre.no == principal.no]
    collections = await doors.gate.explainable(principal)
    return Status(
        version=VERSION,
        at=stix_time(to_us(datetime.now(UTC))),
        flow=_flow(_sum(intake.counts)) if operator else None,
        centres=[await _centre(doors, one, intake) for one in sorted(seen, key=lambda centre: centre.name)],
        collections=[collection_info(one, log_ends.get(one.no)) for one in collections],
        doors=[*await _doors(doors, operator=operator), await _kafka(doors, collections, log_ends)],
        notes=[*_notes(doors, held), *await _complaints(doors)] if operator else [],
    )


def _notes(doors: Doors, held: int) -> list[str]:
    waiting = [f"{held:,} objects are held and wait for an operator: ctihub held list."] if held else []
    return waiting + [f"{clause}." for clause in (*doors.troubles(), *doors.process.notes())]


async def _complaints(doors: Doors) -> list[str]:
    """What an operator should change about the servers of the event log."""
    return [f"{each.says} {each.way_out}" for each in await asked(doors.log.complaints) or ()]


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


async def _centre(doors: Doors, centre: Centre, intake: _Intake) -> CentreStatus:
    return CentreStatus(
        centre=centre.name,
        suspended=centre.suspended,
        flow=_flow(intake.counts.get(centre.no, _NOTHING)),
        lag=intake.lag(centre),
        last_received=intake.last_received(centre),
        last_code=await _last_code(doors, centre),
    )


async def _last_code(doors: Doors, centre: Centre) -> str | None:
    logs = doors.store.logs
    log = await logs.number(f"rejected.{centre.name}")
    if log is None:
        return None
    head = await logs.head(log)
    if head.seq == 0:
        return None
    page = await logs.page(log, Seq(head.seq - 1), limit=1, limit_bytes=1)
    return str(orjson.loads(page.bodies[-1])["code"])


async def _doors(doors: Doors, *, operator: bool) -> list[DoorStatus]:
    """The HTTP doors of this process. Those that read are up: the store has just answered.

    How many others read is an operator's to know.
    """
    readers = metrics.stream_readers() if operator else None
    return [
        DoorStatus(name="push", state="up" if await answers(doors.log.ready) else "down"),
        DoorStatus(name="stream", state="up", readers=readers),
        DoorStatus(name="taxii", state="up"),
        DoorStatus(name="export", state="up"),
    ]


async def _kafka(doors: Doors, collections: Sequence[Collection], ends: Mapping[int, LogEnd]) -> DoorStatus:
    """How far the relay is behind the change logs of these collections, whichever process it runs in."""
    if doors.process.relayed is None:
        return DoorStatus(name="kafka", state="off")
    relayed = await asked(doors.process.relayed)
    if relayed is None:
        return DoorStatus(name="kafka", state="down")
    behind = (ends[one.no].seq - relayed.get(COLLECTION_PREFIX + one.name, 0) for one in collections if one.no in ends)
    return DoorStatus(name="kafka", state="up", lag=sum(max(0, count) for count in behind))
