"""Exceptions for callers, grouped by how to handle them. Data problems are values: see ``problems``."""

from __future__ import annotations


class HubError(Exception):
    """Base class: a ``code``, one sentence (``says``) and how to resolve it (``way_out``). Never raised itself."""

    def __init__(self, code: str, says: str, way_out: str = "") -> None:
        super().__init__(says)
        self.code = code
        self.says = says
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.says} {self.way_out}".strip()


class Refused(HubError):
    """The caller must change something: HTTP 4xx, exit 1 or 2."""


class NotAuthenticated(Refused):
    """No or wrong credentials: HTTP 401."""


class NotAllowed(Refused):
    """The principal may not do this: HTTP 403."""


class NotFound(Refused):
    """There is no such thing, or the caller may not see it: HTTP 404."""


class TooLarge(Refused):
    """A limit is exceeded: HTTP 413."""


class WrongType(Refused):
    """An unsupported media type: HTTP 415."""


class WrongUsage(Refused):
    """Wrong use of a command or an option: exit 2."""


class TryAgain(HubError):
    """A temporary failure: HTTP 503 with Retry-After, backoff."""

    def __init__(self, code: str, says: str, way_out: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(code, says, way_out)
        self.retry_after_s = retry_after_s


class TooMany(TryAgain):
    """The caller sends more than its share: HTTP 429 with Retry-After."""


class Broken(HubError):
    """An operator must act: HTTP 500, exit 1."""
