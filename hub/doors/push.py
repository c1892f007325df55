"""The push interface of sources: objects, withdrawals and feedback in, receipts and rejections out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import orjson
import pydantic
import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.body_headers import encoding_of, length_of
from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS, binary_body
from hub.intake import Encoding, Form, Taken
from hub.model.errors import Refused, WrongType
from hub.model.feedback import Verdict
from hub.model.principals import Principal, PrincipalKind
from hub.model.words import Level, Seq, Withdrawal
from hub.questions import receipts
from hub.questions.feedback import SightingReport, ThingName, VerdictReport, as_objects
from hub.questions.receipts import ProblemPlace
from hub.store.intake_port import ObjectProblem
from schemas.api import ProblemPage, PushAccepted, Receipt, ReceiptProblem, RejectionPage, Withdrawals
from schemas.feedback import NamedThing, SightingReports, VerdictReports

JSON = "application/json"
FORMS = {
    "application/stix+json": Form.DOCUMENT,
    JSON: Form.DOCUMENT,
    "application/x-ndjson": Form.LINES,
    "application/ndjson": Form.LINES,
}
_PAGE_REJECTIONS = 1_000
_log = structlog.get_logger()


def routes(doors: Doors) -> APIRouter:
    """``/v1/intake``, ``/v1/withdrawals``, ``/v1/sightings``, ``/v1/feedback``; receipts and rejections."""
    router = APIRouter(tags=["push"], default_response_class=Response)
    _add_ways_in(router, doors)
    _add_feedback(router, doors)
    _add_receipts(router, doors)
    _add_rejections(router, doors)
    return router


def _add_ways_in(router: APIRouter, doors: Doors) -> None:
    @router.post("/v1/intake", status_code=202, responses=_accepted(), openapi_extra=binary_body(FORMS))
    async def push(request: Request) -> Response:
        """Push STIX: a bundle, an object, or NDJSON, optionally gzip or zstd. The status is 202 when all is durable."""
        source = await doors.gate.source(request)
        form = form_of(request.headers.get("content-type"))
        taken = await doors.intake.push(
            source, request.stream(), form=form, encoding=encoding_of(request), length=length_of(request)
        )
        _note(source, taken)
        return _receipt_for(taken, doors.base_url(request))

    @router.post(
        "/v1/withdrawals", status_code=202, responses=_accepted(), openapi_extra=binary_body({JSON: None}, Withdrawals)
    )
    async def withdraw(request: Request) -> Response:
        """Withdraw contributions by their STIX ids, so that they stay out; softly; or take such a withdrawal back."""
        source = await doors.gate.source(request)
        _require_json(request.headers.get("content-type"))
        body = await doors.intake.read(
            source, request.stream(), encoding=encoding_of(request), length=length_of(request)
        )
        said = await asyncio.to_thread(_withdrawals, body)
        taken = await doors.intake.withdraw(source, said.ids, _kind(said))
        _note(source, taken)
        return _receipt_for(taken, doors.base_url(request))


def _add_feedback(router: APIRouter, doors: Doors) -> None:
    @router.post(
        "/v1/sightings",
        status_code=202,
        responses=_accepted(),
        openapi_extra=binary_body({JSON: None}, SightingReports),
    )
    async def sighting(request: Request) -> Response:
        """Say that you have seen things, named by value, pattern or id; a later sighting of a thing replaces yours."""
        return await _report(doors, request, _sightings)

    @router.post(
        "/v1/feedback", status_code=202, responses=_accepted(), openapi_extra=binary_body({JSON: None}, VerdictReports)
    )
    async def feedback(request: Request) -> Response:
        """Say whether things are false positives, confirmed or outdated; a later verdict on a thing replaces yours."""
        return await _report(doors, request, _verdicts)


FeedbackReport = SightingReport | VerdictReport


async def _report(doors: Doors, request: Request, read: Callable[[bytes], list[FeedbackReport]]) -> Response:
    """Publish reports as objects of the source, and answer with a receipt as for any push."""
    source = await doors.gate.source(request)
    _require_json(request.headers.get("content-type"))
    body = await doors.intake.read(source, request.stream(), encoding=encoding_of(request), length=length_of(request))
    reports = await asyncio.to_thread(read, body)
    collections = await doors.gate.explainable(source)
    objects = await as_objects(doors.store, source, collections, reports, doors.now_us())
    lines = b"\n".join(map(orjson.dumps, objects))
    taken = await doors.intake.push(
        source, _once(lines), form=Form.LINES, encoding=Encoding.IDENTITY, length=len(lines)
    )
    _note(source, taken)
    return _receipt_for(taken, doors.base_url(request))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _named(said: NamedThing) -> ThingName:
    return ThingName(said.value, said.id, said.pattern, said.type)


def _level(said: NamedThing) -> Level | None:
    return None if said.tlp is None else Level.of(said.tlp)


def _sightings(body: bytes) -> list[FeedbackReport]:
    said = _valid(SightingReports, body, "sightings.invalid", 'Send {"value": "…"}, or a list of such objects.').root
    return [
        SightingReport(_named(one), one.count, one.first_seen, one.last_seen, one.note, _level(one))
        for one in (said if isinstance(said, list) else [said])
    ]


def _verdicts(body: bytes) -> list[FeedbackReport]:
    way_out = 'Send {"value": "…", "verdict": "false-positive"}, or a list of such objects.'
    said = _valid(VerdictReports, body, "feedback.invalid", way_out).root
    return [
        VerdictReport(_named(one), Verdict(one.verdict), one.reason, _level(one))
        for one in (said if isinstance(said, list) else [said])
    ]


def _add_receipts(router: APIRouter, doors: Doors) -> None:
    @router.get("/v1/receipts/{receipt}", responses={200: {"model": Receipt}, **ERRORS})
    async def read_receipt(request: Request, receipt: str) -> Response:
        """Read the receipt of your push."""
        source = await doors.gate.source(request)
        codec = doors.intake.codec
        told = await receipts.receipt(doors.store, codec, source, receipt)
        base = doors.base_url(request)
        body = Receipt(
            state="complete" if told.complete else "pending",
            received=told.received,
            accepted=told.counts.accepted,
            unchanged=told.counts.unchanged,
            held=told.counts.held,
            rejected=told.counts.rejected,
            problems=[_problem(one, base) for one in told.first.problems],
            problems_url=_problems_url(base, receipt, told.first.more),
        )
        return Response(body.model_dump_json(), media_type=JSON, headers=_PRIVATE)

    @router.get("/v1/receipts/{receipt}/problems", responses={200: {"model": ProblemPage}, **ERRORS})
    async def read_problems(
        request: Request, receipt: str, after: Annotated[str, Query(pattern=r"^\d{1,10}\.\d{1,10}$")]
    ) -> Response:
        """Read the problems of a receipt that it does not contain itself; follow ``next_url``."""
        source = await doors.gate.source(request)
        codec = doors.intake.codec
        index, _, count = after.partition(".")
        place = ProblemPlace(int(index), int(count))
        told = await receipts.problems(doors.store, codec, source, receipt, after=place)
        base = doors.base_url(request)
        body = ProblemPage(
            problems=[_problem(one, base) for one in told.problems],
            next_url=_problems_url(base, receipt, told.more),
        )
        return Response(body.model_dump_json(), media_type=JSON, headers=_PRIVATE)


def _add_rejections(router: APIRouter, doors: Doors) -> None:
    @router.get("/v1/rejections", responses={200: {"model": RejectionPage}, **ERRORS})
    async def read_rejections(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=_PAGE_REJECTIONS)] = _PAGE_REJECTIONS,
    ) -> Response:
        """Read your rejections after a number. For an operator: those of records without a source."""
        principal = await doors.gate.required(request)
        if principal.kind is not PrincipalKind.OPERATOR:
            principal = await doors.gate.source(request)
        async with share_of(doors, request, 2 * doors.settings.page_bytes) as share:
            body = await _rejections(doors, principal, Seq(after), limit)
            answer = Response(body, media_type=JSON, headers=_PRIVATE)
            return share.hand_over(answer)


_PRIVATE = {"cache-control": "no-store"}


def _accepted() -> dict[int | str, dict[str, Any]]:
    return {202: {"model": PushAccepted, "description": "Everything in the body is durable."}, **ERRORS}


def media_type_of(content_type: str | None) -> str:
    """Returns a ``Content-Type`` without parameters, in small letters."""
    return (content_type or "").partition(";")[0].strip().lower()


def form_of(content_type: str | None) -> Form:
    """Returns the form of a push's body. Raises WrongType."""
    form = FORMS.get(media_type_of(content_type))
    if form is None:
        raise WrongType(
            "push.media-type",
            f"Content-Type {media_type_of(content_type) or 'is missing, which'} is not taken here.",
            f"Use one of {', '.join(FORMS)}.",
        )
    return form


def _require_json(content_type: str | None) -> None:
    if media_type_of(content_type) != JSON:
        raise WrongType("push.media-type", "This body is JSON.", f"Use Content-Type: {JSON}.")


M = TypeVar("M", bound=pydantic.BaseModel)


def _valid(model: type[M], body: bytes, code: str, way_out: str) -> M:
    """Parses a body. Raises Refused."""
    try:
        return model.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Refused(code, f"The body is invalid at /{where}: {first['msg']}.", way_out) from None


def _withdrawals(body: bytes) -> Withdrawals:
    return _valid(Withdrawals, body, "withdrawals.invalid", 'Send {"ids": […]}.')


def _kind(said: Withdrawals) -> Withdrawal:
    if said.restore:
        return Withdrawal.RESTORE
    return Withdrawal.SOFT if said.soft else Withdrawal.STANDS


def _note(source: Principal, taken: Taken) -> None:
    metrics.PUSHED_OBJECTS.inc(taken.received)
    _log.info("push.taken", **{source.kind.value: source.name}, receipt=taken.receipt, count=taken.received)


def _receipt_for(taken: Taken, base: str) -> Response:
    url = f"{base}/v1/receipts/{taken.receipt}"
    body = PushAccepted(receipt=taken.receipt, received=taken.received, status_url=url)
    return Response(body.model_dump_json(), 202, {"location": url, **_PRIVATE}, JSON)


def _problems_url(base: str, text: str, after: ProblemPlace | None) -> str | None:
    return None if after is None else f"{base}/v1/receipts/{quote(text)}/problems?after={after}"


def _problem(said: ObjectProblem, base: str) -> ReceiptProblem:
    return ReceiptProblem(
        index=said.index,
        id=said.id,
        state=said.state,  # type: ignore[arg-type] # the states are the literals
        code=said.code,
        message=said.message,
        rule_url=f"{base}/rules/{said.code}",
    )


async def _rejections(doors: Doors, principal: Principal, after: Seq, limit: int) -> bytes:
    """Returns a ``RejectionPage``, composed of the stored bytes."""
    limit_bytes = doors.settings.page_bytes
    told = await receipts.rejections(doors.store, principal, after, limit=limit, limit_bytes=limit_bytes)
    more = b"true" if told.more else b"false"
    return b'{"rejections":[%s],"next_after":%d,"more":%s}' % (b",".join(told.rejections), told.next_after, more)
