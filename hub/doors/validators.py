"""ETags, and the headers of answers that caches and clients may keep and must revalidate.

All ETags are weak: the codings of a body share one, and a change may be committed while an answer is being made.

Source: RFC 9110, sections 8.8.3 (ETag) and 13.1.2 (``If-None-Match``); RFC 9111, section 5.2.2 (``Cache-Control``).
"""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from hub.doors.version import VERSION
from hub.model.writes import Head

_DIGEST_BYTES = 12


def etag_of(content: bytes) -> str:
    """Returns the ETag of what the content of an answer is, or of what determines it."""
    return f'W/"{hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"'


def etag_of_log(collection_id: str, head: Head, *asked: object) -> str:
    """Returns the ETag of an answer made from the rows of one collection. ``asked``: all that the answer depends on
    besides them, as values whose ``repr`` says all of it.

    ``head`` must be read before the rows, so that an answer with this ETag is never older than it says.
    """
    return etag_of(repr((VERSION, collection_id, head.seq, head.date_us, head.edits, *asked)).encode())


def matches(if_none_match: str | None, etag: str) -> bool:
    """Returns whether a client has what has this ETag, by weak comparison. ``*`` matches anything that there is."""
    said = {one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")}
    return "*" in said or etag.removeprefix("W/") in said


def is_current(request: Request, etag: str) -> bool:
    """Returns whether a client has the answer with this ETag. ``*`` does not say that there is an answer."""
    said = request.headers.get("if-none-match")
    return said is not None and said.strip() != "*" and matches(said, etag)


def revalidated(request: Request) -> dict[str, str]:
    """Returns the headers of an answer that depends on the credentials and may be kept if it is revalidated each time:
    by anybody only if there were no credentials.
    """
    private = "authorization" in request.headers
    return {"cache-control": "private, no-cache" if private else "no-cache", "vary": "Authorization"}
