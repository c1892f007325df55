"""``/rules/{code}``: the page behind every ``rule_url``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from hub.doors.openapi import ERRORS, raw
from hub.model.errors import NotFound
from hub.model.problems import Code

_HERE = Path(__file__).parent
_PLACES = (_HERE / "rule_pages", _HERE.parent.parent / "docs" / "rules")
"""In an installed wheel, and in a source tree."""
TEXT = "text/plain; charset=utf-8"


def routes() -> APIRouter:
    """``/rules/{code}``; open to anyone, as it says the same to everyone."""
    router = APIRouter(tags=["rules"], default_response_class=Response)

    @router.get("/rules/{code}", responses={**raw("text/plain", "The rule, in Markdown."), **ERRORS})
    async def rule(code: str) -> Response:
        """What a code means, with a good and a bad example."""
        page = await asyncio.to_thread(page_of, code)
        return Response(page, media_type=TEXT, headers={"cache-control": "max-age=3600"})

    return router


def page_of(code: str) -> bytes:
    """The page of a code. Raises NotFound for a code that is not in the table, before it is any file's name."""
    if code in set(Code):
        for place in _PLACES:
            path = place / f"{code}.md"
            if path.is_file():
                return path.read_bytes()
    raise NotFound("rule.unknown", "There is no rule with this code.", "See docs/rules.")
