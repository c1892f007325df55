"""Exceptions for whoever called, grouped by what the catcher does. Data problems are values: see ``problems``."""

from __future__ import annotations


class HubError(Exception):
    """What is wrong (``code``, one sentence) and the way out. Never raised itself."""

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
    """There is no such thing, or none that the caller may see: HTTP 404."""


class TooLarge(Refused):
    """Over a limit: HTTP 413."""


class WrongType(Refused):
    """A media type that is not taken: HTTP 415."""


class WrongUsage(Refused):
    """The words of a command are off: exit 2."""


class TryAgain(HubError):
    """It may pass by itself: HTTP 503 with Retry-After, backoff."""

    def __init__(self, code: str, says: str, way_out: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(code, says, way_out)
        self.retry_after_s = retry_after_s


class Broken(HubError):
    """An operator must act: HTTP 500, exit 1."""
