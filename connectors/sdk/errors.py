"""Exceptions of connectors and clients, grouped by how the caller handles them.

Each has a stable ``code``, one sentence (``says``) and the ``way_out``, like the hub's own errors, which the SDK does
not import.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """An error with ``code``, one sentence, and what to do. ``exit_code`` is that of a command."""

    exit_code = 1

    def __init__(self, code: str, says: str, way_out: str = "") -> None:
        super().__init__(says)
        self.code = code
        self.says = says
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.says} {self.way_out}".strip()


class WrongSettings(ConnectorError):
    """The settings are invalid: the caller must change them."""

    exit_code = 2


class SourceFailed(ConnectorError):
    """The source (a file, a server, a feed) cannot be read. What was read before the error is published."""


class PublishRefused(ConnectorError):
    """The hub or broker has refused the request, and a retry does not help: credentials, rights, limits."""

    def __init__(self, code: str, says: str, way_out: str = "", *, status: int | None = None) -> None:
        super().__init__(code, says, way_out)
        self.status = status


class TryLater(ConnectorError):
    """A retry may help: no connection, 429, 503. ``retry_after_s`` is what the server requested."""

    def __init__(
        self,
        code: str,
        says: str,
        way_out: str = "",
        *,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code, says, way_out)
        self.retry_after_s = retry_after_s
        self.status = status
