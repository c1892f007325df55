"""``/v1/lookup``: what your collections show of a value, or of thousands of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import orjson
import pydantic
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from hub.doors.body_headers import encoding_of, length_of
from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS
from hub.model.credentials import Credentials
from hub.model.errors import NotAuthenticated, Refused, TooLarge, WrongType
from hub.model.policy import Collection
from hub.model.principals import Principal
from hub.patterns import type_of
from hub.questions.looked_up import RelatedDigest, ShownObject
from hub.questions.lookup import LookupResult, Unanswered, look_up
from schemas.lookup import MOST_VALUES, LookupAnswer, LookupValues

TEXT, JSON, NDJSON = "text/plain", "application/json", "application/x-ndjson"
_ASKED_CHARS = 1_000
_ONE_BYTES, _MANY_BYTES = 1 << 20, 32 << 20
"""The memory of a single look-up, and of a part of one of many values."""
_NOT_KEPT = {"cache-control": "no-store"}
_LINE = re.compile(rb"\S[^\n]*")


def routes(doors: Doors) -> APIRouter:
    """``/v1/lookup``."""
    router = APIRouter(tags=["collections"], default_response_class=Response)

    @router.get("/v1/lookup", responses={200: {"model": LookupAnswer}, **ERRORS}, name="look_up")
    async def look_up_one(
        request: Request, value: Annotated[str, Query(description="In any spelling, also defanged")]
    ) -> Response:
        """Look a value up: what your collections show of it, of what contains it, and other digests of its file."""
        principal = await doors.gate.required(request)
        collections = await doors.gate.explainable(principal)
        async with share_of(doors, request, _ONE_BYTES) as share:
            (found,) = [one async for part in look_up(doors.store, collections, [value]) for one in part]
            if isinstance(found, Unanswered):
                raise _error(found)
            body = orjson.dumps(_answered(found))
            return share.hand_over(Response(body, media_type=JSON, headers=_NOT_KEPT))

    @router.post(
        "/v1/lookup", responses={200: _answers_described(), **ERRORS}, openapi_extra=_values_described(),
        name="look_up_many",
    )  # fmt: skip
    async def look_up_many(request: Request) -> Response:
        """Look up to 10,000 values up, one on each line or as a JSON list; the answers are in the order asked."""
        principal = await doors.gate.required(request)
        form = _form_of(request)
        body = await doors.intake.read(
            principal, request.stream(), encoding=encoding_of(request), length=length_of(request)
        )
        asked = await asyncio.to_thread(_lines_of if form == TEXT else _list_of, body)
        del body
        collections = await doors.gate.explainable(principal)
        size = _MANY_BYTES + sum(map(len, asked))
        async with share_of(doors, request, size) as share:
            lines = _Lines(doors, doors.gate.credentials(request), principal, collections).of(asked)
            first = await anext(lines, b"")
            return share.hand_over(StreamingResponse(_from(first, lines), media_type=NDJSON, headers=_NOT_KEPT))

    return router


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in rest:
        yield part


class _Lines:
    """The answers of one request, while its sender may read the same collections as at its beginning."""

    def __init__(
        self, doors: Doors, credentials: Credentials | None, principal: Principal, collections: Sequence[Collection]
    ) -> None:
        self._doors = doors
        self._credentials = credentials
        self._principal = principal
        self._collections = collections

    async def of(self, asked: Sequence[str]) -> AsyncIterator[bytes]:
        """Yields lines of NDJSON in parts. Raises NotAuthenticated in the middle if the sender loses access."""
        loop = asyncio.get_running_loop()
        checked_s = loop.time()
        async for part in look_up(self._doors.store, self._collections, asked):
            if loop.time() - checked_s > self._doors.settings.recheck_s:
                checked_s = loop.time()
                await self._require_access()
            yield await asyncio.to_thread(_lines, part)

    async def _require_access(self) -> None:
        principal = await self._doors.gate.recognise(self._credentials)
        now = {collection.no for collection in await self._doors.gate.explainable(principal)}
        if any(collection.no not in now for collection in self._collections):
            raise NotAuthenticated("auth.ended", "These credentials do not open the same collections any more.")


# ---------------------------------------------------------------- the request


def _form_of(request: Request) -> str:
    form = request.headers.get("content-type", TEXT).partition(";")[0].strip().lower()
    if form not in (TEXT, JSON):
        raise WrongType("lookup.media-type", f"Content-Type {form} is not taken here.", f"Use {TEXT} or {JSON}.")
    return form


def _lines_of(body: bytes) -> list[str]:
    """The values of a text, one on each line that is not empty; bytes that are not UTF-8 become surrogates (PEP 383).
    Raises TooLarge.
    """
    found: list[str] = []
    for line in _LINE.finditer(body.removeprefix(b"\xef\xbb\xbf")):
        if len(found) == MOST_VALUES:
            raise _too_many()
        found.append(line[0].rstrip().decode("utf-8", "surrogateescape"))
    return found


def _list_of(body: bytes) -> list[str]:
    """The values of a JSON list. Raises Refused, TooLarge."""
    try:
        return LookupValues.model_validate_json(body, strict=True).root
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "too_long":
            raise _too_many() from None
        where = "/".join(str(part) for part in first["loc"])
        says = f"The body is invalid at /{where}: {first['msg']}."
        raise Refused("lookup.body", says, 'Send ["…", "…"], or one value on each line as text/plain.') from None


def _too_many() -> TooLarge:
    says = f"There are more than {MOST_VALUES:,} values."
    return TooLarge("lookup.too-many", says, "Send them in several requests.")


# ---------------------------------------------------------------- the answers


def _lines(answers: Sequence[LookupResult]) -> bytes:
    return b"".join(orjson.dumps(_answered(one), option=orjson.OPT_APPEND_NEWLINE) for one in answers)


def _answered(one: LookupResult) -> dict[str, Any]:
    """A ``schemas.lookup.LookupAnswer`` without what is not known; making thousands of models takes several times as
    long.
    """
    asked = one.asked[:_ASKED_CHARS].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    found: dict[str, Any] = {"asked": asked, "found": [], "within": [], "related": [], "more": []}
    if isinstance(one, Unanswered):
        return {**found, "error": {"code": one.code, "message": one.says, "way_out": one.way_out}}
    return {
        "asked": asked,
        "kind": type_of(one.meant.kind, one.meant.path),
        "canonical": one.meant.value,
        "found": [_fields(shown) for shown in one.found],
        "within": [{"relation": each.relation, "value": each.value, **_fields(each.shown)} for each in one.within],
        "related": [_related(each) for each in one.related],
        "more": one.cut,
    }


def _related(each: RelatedDigest) -> dict[str, Any]:
    digest = each.digest
    return {"kind": type_of(digest.kind, digest.path), "value": digest.value, **_fields(each.shown)}


def _fields(shown: ShownObject) -> dict[str, Any]:
    """The fields of a ``schemas.lookup.LookupFound``."""
    known = {
        "confidence": shown.confidence,
        "tlp": None if shown.level is None else shown.level.label,
        "pap": shown.pap,
        "valid_from": shown.valid_from,
        "valid_until": shown.valid_until,
        "voices": shown.voices,
        "sightings": shown.sightings,
        "false_positives": shown.false_positives,
    }
    return {
        "collection": shown.collection,
        "id": shown.id,
        "type": shown.type,
        "state": shown.state,
        "changed": shown.changed,
        "indicator_types": shown.indicator_types,
        "labels": shown.labels,
        "sources": [{name: source[name] for name in ("name", "first", "last")} for source in shown.sources],
        **{name: value for name, value in known.items() if value is not None},
    }


def _error(one: Unanswered) -> Refused:
    kind = TooLarge if one.code == "lookup.too-large" else Refused
    return kind(one.code, one.says, one.way_out)


# ---------------------------------------------------------------- the description


def _answers_described() -> dict[str, Any]:
    described = {"$ref": "#/components/schemas/LookupAnswer"}
    return {"description": "One answer on each line.", "content": {NDJSON: {"schema": described}}}


def _values_described() -> dict[str, Any]:
    text = {"schema": {"type": "string", "description": "One value on each line."}}
    values = {"schema": {"$ref": "#/components/schemas/LookupValues"}}
    return {"requestBody": {"required": True, "content": {TEXT: text, JSON: values}}}
