"""What the headers of a request tell about its body."""

from __future__ import annotations

from starlette.requests import Request

from hub.intake import Encoding
from hub.model.errors import WrongType


def encoding_of(request: Request) -> Encoding:
    """Returns the compression of a body. Raises WrongType."""
    said = request.headers.get("content-encoding", "").strip().lower() or Encoding.IDENTITY
    try:
        return Encoding("gzip" if said == "x-gzip" else said)
    except ValueError:
        raise WrongType("push.encoding", f"Content-Encoding {said} is not taken.", "Use gzip, zstd, or none.") from None


def length_of(request: Request) -> int | None:
    """Returns the ``Content-Length``, if stated."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None
