"""``/rules/{code}``: the pages that ``rule_url`` refers to."""

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
"""The folders in an installed wheel, and in a source tree."""
TEXT = "text/plain; charset=utf-8"


def routes() -> APIRouter:
    """``/rules/{code}``, without credentials, since the pages are public."""
    router = APIRouter(tags=["rules"], default_response_class=Response)

    @router.get("/rules/{code}", responses={**raw("text/plain", "The rule, in Markdown."), **ERRORS})
    async def rule(code: str) -> Response:
        """Explain a problem code, with a good and a bad example."""
        page = await asyncio.to_thread(page_of, code)
        return Response(page, media_type=TEXT, headers={"cache-control": "max-age=3600"})

    return router


def page_of(code: str) -> bytes:
    """Returns the page of a code. Raises NotFound for an unknown code; only known codes are used as file names."""
    if code in set(Code):
        for place in _PLACES:
            path = place / f"{code}.md"
            if path.is_file():
                return path.read_bytes()
    raise NotFound("rule.unknown", "There is no rule with this code.", "See docs/rules.")
