"""Exceptions for those who run a connector or a client, grouped by what the catcher does.

Each carries a stable ``code``, one sentence (``says``) and the ``way_out``, like the hub's own, which the SDK does not
import.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """What is wrong (``code``, one sentence) and the way out. ``exit_code`` is what a command ends with."""

    exit_code = 1

    def __init__(self, code: str, says: str, way_out: str = "") -> None:
        super().__init__(says)
        self.code = code
        self.says = says
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.says} {self.way_out}".strip()


class WrongSettings(ConnectorError):
    """What the connector was told makes no sense: the caller must change its words."""

    exit_code = 2


class SourceFailed(ConnectorError):
    """The source cannot be read: a file, a server, a feed. What was read before it is published."""


class PublishRefused(ConnectorError):
    """The hub (or broker) will not take it, and would not take it again: credentials, rights, limits."""

    def __init__(self, code: str, says: str, way_out: str = "", *, status: int | None = None) -> None:
        super().__init__(code, says, way_out)
        self.status = status


class TryLater(ConnectorError):
    """It may pass by itself: no connection, 429, 503. ``retry_after_s`` is what the other side asked for."""

    def __init__(self, code: str, says: str, way_out: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(code, says, way_out)
        self.retry_after_s = retry_after_s
