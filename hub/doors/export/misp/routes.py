"""``/v1/collections/{name}/misp/``: the files of a collection's feed."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors.budgeted import share_of
from hub.doors.context import Doors
from hub.doors.export.misp.attribute_types import ATTRIBUTE_TYPES
from hub.doors.export.misp.feed import HASHES, MANIFEST
from hub.doors.export.misp.kept_feeds import KeptMispFeeds
from hub.doors.export.sending import Sending, sent
from hub.doors.export.value_checks import ValueChecks
from hub.doors.openapi import ERRORS
from hub.doors.reads import note_facts
from hub.doors.validators import is_current, revalidated
from hub.model.errors import NotFound
from schemas.api import ExportInfo, ExportLimits

_BELOW = "/v1/collections/{name}/misp/"
_JSON, _CSV = "application/json", "text/csv"
_ROOM_BYTES = 48 << 20
"""The memory of a feed that is being written: a page, one event, and the places of a million values."""
MISP_FEED_INFO = ExportInfo(
    name="misp",
    path=_BELOW + MANIFEST,
    media_type=_JSON,
    kinds=sorted(ATTRIBUTE_TYPES),
    one_kind=False,
    limits=ExportLimits(lines=None, line_bytes=None),
    options=[],
    page="docs/formats/misp.md",
)
"""What ``/v1/exports`` says of the feed."""


def misp_feed_routes(router: APIRouter, doors: Doors, checks: ValueChecks) -> None:
    """Add the routes of feeds."""
    feeds = KeptMispFeeds(doors, checks)

    async def manifest(request: Request, name: str) -> Response:
        """The events of the MISP feed, each with the time of its newest change."""
        return await _answer(doors, feeds, request, name, file=MANIFEST)

    async def hashes(request: Request, name: str) -> Response:
        """The MD5 of each live value in the MISP feed, with the event that has it."""
        return await _answer(doors, feeds, request, name, file=HASHES)

    async def event(request: Request, name: str, uuid: str) -> Response:
        """One event of the MISP feed, as the manifest names it."""
        return await _answer(doors, feeds, request, name, file=f"{uuid}.json")

    for path, route, media_type in ((MANIFEST, manifest, _JSON), (HASHES, hashes, _CSV), ("{uuid}.json", event, _JSON)):
        router.add_api_route(_BELOW + path, route, methods=["GET"], responses=_responses(media_type))


def _responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": {"type": "string" if media_type == _CSV else "object"}}}
    return {200: {"description": "The file, as MISP writes it.", "content": content}, **ERRORS}


async def _answer(doors: Doors, feeds: KeptMispFeeds, request: Request, name: str, *, file: str) -> Response:
    """Returns a file of a feed, or 304 if the reader has it."""
    collection = await doors.gate.collection(request, name)
    checked_s = asyncio.get_running_loop().time()
    room_bytes = 0 if feeds.has(collection) else _ROOM_BYTES
    async with share_of(doors, request, max(2 * doors.settings.list_part_bytes, room_bytes)) as share:
        feed = await feeds.of(collection)
        found = feed.file(file)
        if found is None:
            raise NotFound("misp.event", "There is no such event in this feed.", "Events are listed in manifest.json.")
        headers = {"etag": found.etag, "x-content-type-options": "nosniff", **revalidated(request)}
        if file in (MANIFEST, HASHES):  # an event says nothing of the others
            headers["x-ctihub-seq"] = str(feed.seq)
            note_facts(request.scope, reached=feed.seq)
        if is_current(request, found.etag):
            return Response(status_code=304, headers=headers)
        headers["content-type"] = _CSV if file == HASHES else _JSON
        return await sent(doors, request, Sending(collection, found, share, checked_s), headers)
