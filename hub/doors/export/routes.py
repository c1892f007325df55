"""``/v1/collections/{name}/export.{format}`` and ``/v1/exports``, for all formats."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from hub.doors.auth import credentials_of
from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.export.asked import Asked, format_of, kinds_of, limit_of, options_of
from hub.doors.export.blockable import Selection
from hub.doors.export.format import About, Format
from hub.doors.export.formats import FORMATS
from hub.doors.export.listing import Listing
from hub.doors.export.value_checks import ValueChecks
from hub.doors.methods import is_head
from hub.doors.openapi import ERRORS
from hub.doors.validators import etag_of_log, is_current, revalidated
from hub.model.policy import Collection
from schemas.api import ExportInfo, ExportLimits, ExportList

_BELOW = "/v1/collections/{name}/"
_ROOM_BYTES = 8 << 20
"""The memory of an export: a page, its text, and the set of values."""
_ENTRY_BYTES = 1_000
"""The memory per selected entry, with the candidates that are dropped later."""


def routes(doors: Doors, formats: Mapping[str, Format] = FORMATS) -> APIRouter:
    """Returns the routes of all exports, and of the list of formats."""
    router = APIRouter(tags=["collections"], default_response_class=Response)
    checks = ValueChecks(doors)
    for path in dict.fromkeys(one.path for one in formats.values()):
        here = {name: one for name, one in formats.items() if one.path == path}
        export = _export(doors, checks, here)
        answers = {200: _contents(here), **ERRORS}
        described: dict[str, Any] = {"parameters": _parameters(here, path)}
        router.add_api_route(_BELOW + path, export, methods=["GET"], responses=answers, openapi_extra=described)

    @router.get("/v1/exports", responses={200: {"model": ExportList}, **ERRORS})
    async def list_exports() -> Response:
        """List the export formats; no credentials are needed."""
        body = ExportList(exports=[_info(one) for one in formats.values()])
        headers = {"cache-control": "max-age=3600"}
        return Response(body.model_dump_json(), media_type="application/json", headers=headers)

    return router


def _export(doors: Doors, checks: ValueChecks, formats: Mapping[str, Format]) -> Callable[..., Awaitable[Response]]:
    """Returns the handler of the path that these formats share."""

    async def export(
        request: Request,
        name: str,
        type: Annotated[list[str] | None, Query(description="Kinds or hash names, separated by commas")] = None,
        limit: Annotated[int | None, Query(ge=1, description="The best so many by confidence and recency")] = None,
    ) -> Response:
        """Values to block: asserted positively and alone, live, not expired, not marked PAP:RED or PAP:AMBER."""
        collection = await doors.gate.collection(request, name)
        format = format_of(request.path_params.get("format", next(iter(formats))), formats)
        asked = Asked(
            format,
            kinds_of(type or (), format),
            limit_of(limit, format, doors.settings.export_limit),
            options_of({**request.query_params, **request.path_params}, format),
        )
        return await _answer(doors, checks, request, collection, asked)

    return export


async def _answer(
    doors: Doors, checks: ValueChecks, request: Request, collection: Collection, asked: Asked
) -> Response:
    """Returns a list, or 304 if it has not changed."""
    policy = await doors.store.policy()
    head = await doors.store.logs.head(collection.no)
    lists = await checks.lists()
    etag = etag_of_log(collection.id, head, policy.today, lists.version, asked.text)
    headers = {"etag": etag, "x-content-type-options": "nosniff", **revalidated(request)}
    if is_current(request, etag):
        return Response(status_code=304, headers=headers)
    headers["content-type"] = asked.format.media_type
    if is_head(request):
        return StreamingResponse((), headers=headers)  # its length is not known
    released = await checks.released()
    kinds = asked.kinds or asked.format.usual_kinds
    selection = Selection(kinds, policy.today_us, lists=lists, released=released)
    writer = asked.format.begin(About(collection.name, head.seq, head.date_us, asked.kinds, asked.limit, asked.options))
    listing = Listing(doors, collection, asked, writer=writer, selection=selection)
    credentials = credentials_of(request)
    async with share_of(doors, request, _ROOM_BYTES + (asked.most or 0) * _ENTRY_BYTES) as share:
        chunks = listing.chunks(lambda: doors.gate.still_open(credentials, collection))
        begun, is_whole = await _begun(chunks, doors.settings.export_kept_bytes)
        if listing.has_chosen:
            headers["x-ctihub-skipped"] = str(selection.skipped.count)
        body = b"".join(begun)
        answer = (
            Response(body, headers=headers) if is_whole else StreamingResponse(_rest(body, chunks), headers=headers)
        )
        return share.hand_over(answer)


async def _begun(chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[list[bytes], bool]:
    """Returns the first chunks, and whether these are all."""
    found: list[bytes] = []
    async for chunk in chunks:
        found.append(chunk)
        if sum(map(len, found)) >= limit_bytes:
            return found, False
    return found, True


async def _rest(begun: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in chunks:
        yield chunk


# ---------------------------------------------------------------- descriptions of the formats


def _info(format: Format) -> ExportInfo:
    return ExportInfo(
        name=format.name,
        path=_BELOW + format.path.replace("{format}", format.name),
        media_type=format.media_type,
        kinds=sorted(format.kinds),
        one_kind=format.one_kind,
        limits=ExportLimits(lines=format.limits.lines, line_bytes=format.limits.line_bytes),
        options=sorted(format.options.model_fields),
        page=format.page,
    )


def _contents(formats: Mapping[str, Format]) -> dict[str, Any]:
    """Returns the response of a list in OpenAPI: every media type without its parameters."""
    media_types = sorted({one.media_type.partition(";")[0] for one in formats.values()})
    content = {media_type: {"schema": {"type": "string"}} for media_type in media_types}
    return {"description": "The list, in the format's own media type.", "content": content}


def _parameters(formats: Mapping[str, Format], path: str) -> list[dict[str, Any]]:
    """Returns the parameters of a list in OpenAPI that depend on the formats: their names and options."""
    texts: dict[str, list[str]] = {}
    for one in formats.values():
        for name, field in one.options.model_fields.items():
            texts.setdefault(name, []).append(f"{one.name}: {field.description or name}")
    parameters = [_parameter(name, path, {"type": "string"}, "; ".join(said)) for name, said in texts.items()]
    if "{format}" in path:
        parameters.append(_parameter("format", path, {"type": "string", "enum": list(formats)}, "How it is written"))
    return parameters


def _parameter(name: str, path: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    in_path = f"{{{name}}}" in path
    return {
        "name": name, "in": "path" if in_path else "query", "required": in_path, "description": says, "schema": schema,
    }  # fmt: skip
