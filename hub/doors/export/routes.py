"""``/v1/collections/{name}/export.{format}`` and ``/v1/exports``, for all formats."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.export.asked import Asked, collapse_of, format_of, kinds_of, limit_of, options_of
from hub.doors.export.format import About, Format
from hub.doors.export.formats import FORMATS
from hub.doors.export.kept_lines import KeptLines
from hub.doors.export.listing import Listing, Made
from hub.doors.export.misp import MISP_FEED_INFO, misp_feed_routes
from hub.doors.export.selection import Selection
from hub.doors.export.sending import Sending, sent
from hub.doors.export.spool import MOST_FILES, FinishedList, open_file
from hub.doors.export.value_checks import ValueChecks
from hub.doors.kept import KeptValues
from hub.doors.openapi import ERRORS
from hub.doors.parameters import TAKES
from hub.doors.reads import note_facts
from hub.doors.since import Since, since_of
from hub.doors.validators import etag_of_log, is_current, revalidated
from hub.model.policy import Collection
from hub.model.words import PUBLIC
from hub.store.port import LogEnd
from schemas.api import ExportInfo, ExportLimits, ExportList

_BELOW = "/v1/collections/{name}/"
_ROOM_BYTES = 16 << 20
"""The memory of an export: a page, its text, and the set of a million values, which takes 13 MB as it grows."""
_ENTRY_BYTES = 1_000
"""The memory per selected entry, with the candidates that are dropped later."""


def routes(doors: Doors, formats: Mapping[str, Format] = FORMATS) -> APIRouter:
    """Returns the routes of all exports, and of the list of formats."""
    router = APIRouter(tags=["collections"], default_response_class=Response)
    checks = ValueChecks(doors)
    lists = _OpenAndOtherLists(doors)
    for path in dict.fromkeys(one.path for one in formats.values()):
        here = {name: one for name, one in formats.items() if one.path == path}
        export = _export(doors, checks, lists, here)
        answers = {200: _contents(here), **ERRORS}
        described: dict[str, Any] = {"parameters": _parameters(here, path)}
        router.add_api_route(_BELOW + path, export, methods=["GET"], responses=answers, openapi_extra=described)
    misp_feed_routes(router, doors, checks)

    @router.get("/v1/exports", responses={200: {"model": ExportList}, **ERRORS})
    async def list_exports() -> Response:
        """List the export formats; no credentials are needed."""
        exports = [*map(_info, formats.values()), MISP_FEED_INFO]
        body = ExportList(exports=sorted(exports, key=lambda one: one.name))
        headers = {"cache-control": "max-age=3600"}
        return Response(body.model_dump_json(), media_type="application/json", headers=headers)

    return router


def _export(
    doors: Doors, checks: ValueChecks, lists: _OpenAndOtherLists, formats: Mapping[str, Format]
) -> Callable[..., Awaitable[Response]]:
    """Returns the handler of the path that these formats share."""

    async def export(
        request: Request,
        name: str,
        *,
        type: Annotated[list[str] | None, Query(description="Kinds or hash names, separated by commas")] = None,
        limit: Annotated[int | None, Query(ge=1, description="The best so many by confidence and recency")] = None,
        min_confidence: Annotated[int, Query(ge=0, le=100, description="50 counts where none is stated")] = 0,
        since: Annotated[str | None, Query(description="Only what was added after a change or a time")] = None,
        collapse: Annotated[bool, Query(description="Leave out what other networks and names cover")] = False,
    ) -> Response:
        """Values to block: asserted positively and alone, live, not expired, not marked PAP:RED or PAP:AMBER."""
        collection = await doors.gate.collection(request, name)
        format = format_of(request.path_params.get("format", next(iter(formats))), formats)
        asked = Asked(
            format,
            kinds_of(type or (), format),
            limit_of(limit, format, doors.settings.export_limit),
            options_of({**request.query_params, **request.path_params}, format),
            min_confidence,
            Since() if since is None else since_of(since),
            collapse_of(collapse, format) or format.is_collapsed,
        )
        return await _Answer(doors, checks, lists.of(collection), request).of(collection, asked)

    return export


class _OpenAndOtherLists:
    """What this process keeps of lists: half of the room for collections that anybody may read.

    So whoever has no credentials, and asks for ever new lists, has none of the other collections made anew.
    """

    def __init__(self, doors: Doors) -> None:
        self._open, self._others = _Lists(doors), _Lists(doors)

    def of(self, collection: Collection) -> _Lists:
        """Returns where the lists of a collection are kept."""
        return self._open if collection.audience.group == PUBLIC else self._others


class _Lists:
    """What this process keeps of the lists of some collections, on the disk."""

    def __init__(self, doors: Doors) -> None:
        most_bytes = doors.settings.lists_bytes // 2
        self.finished: KeptValues[FinishedList] = KeptValues(most_bytes, most_values=MOST_FILES // 2)
        self._new_lines = partial(KeptLines, doors.settings.lists_folder, most_bytes)
        self.lines = self._new_lines()
        doors.log_watch.tell(self._changed)

    def _changed(self, log: int, before: LogEnd | None, end: LogEnd) -> None:
        self.finished.drop(log)
        if before is not None and before.edits != end.edits:
            self.lines = self._new_lines()  # the old file may have what was erased; it ends with its last list


class _Answer:
    """The answer to one request."""

    def __init__(self, doors: Doors, checks: ValueChecks, lists: _Lists, request: Request) -> None:
        self._doors = doors
        self._checks = checks
        self._lists = lists
        self._request = request

    async def of(self, collection: Collection, asked: Asked) -> Response:
        """Returns a list, or 304 if it has not changed."""
        doors, request = self._doors, self._request
        policy = await doors.store.policy()
        head = await doors.store.logs.head(collection.no)
        lists = await self._checks.lists()
        released = await self._checks.released()
        # each part only rises while the store and the choice of lists stay: so does the sum
        revision = head.seq + head.edits + (policy.today_no or 0) + self._checks.releases + lists.revision
        etag = etag_of_log(collection.id, head, policy.today, lists.version, self._checks.releases, asked.text)
        headers = {
            "etag": etag, "x-content-type-options": "nosniff", "x-ctihub-seq": str(head.seq), **revalidated(request),
        }  # fmt: skip
        note_facts(request.scope, reached=head.seq)
        if is_current(request, etag):
            return Response(status_code=304, headers=headers)
        kinds = asked.kinds or asked.format.usual_kinds
        scratch = partial(open_file, doors.settings.lists_folder)
        about = About(
            collection.name, head.seq, head.date_us, asked.kinds, asked.limit, asked.options, revision, scratch
        )
        made = Made(
            collection,
            head,
            asked,
            about,
            Selection(asked.format, kinds, asked.min_confidence, policy.today_us, lists=lists, released=released),
            repr((collection.id, policy.today, lists.version, hash(released), asked.text)),
        )
        listing = Listing(doors, made, self._lists.lines)
        begun_s = asyncio.get_running_loop().time()
        part_bytes = doors.settings.list_part_bytes
        is_finished = self._lists.finished.find(etag) is not None
        room_bytes = 0 if is_finished else _room_bytes(asked)
        async with share_of(doors, request, max(2 * part_bytes, room_bytes)) as share:
            found = await self._lists.finished.get(etag, collection.no, listing.finish)
            headers["content-type"] = asked.format.media_type
            return await sent(doors, request, Sending(collection, found, share, begun_s), headers)


def _room_bytes(asked: Asked) -> int:
    """Returns the memory that making a list takes."""
    return _ROOM_BYTES + (asked.most or 0) * _ENTRY_BYTES + asked.format.room_bytes(asked.options)


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
        choice = _parameter("format", path, {"type": "string", "enum": list(formats)}, "How it is written")
        takes = {name: sorted(one.options.model_fields) for name, one in formats.items()}
        parameters.append({**choice, TAKES: takes})
    return parameters


def _parameter(name: str, path: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    in_path = f"{{{name}}}" in path
    return {
        "name": name, "in": "path" if in_path else "query", "required": in_path, "description": says, "schema": schema,
    }  # fmt: skip
