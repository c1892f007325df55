"""The settings of the doors, as plain values; ``hub/config.py`` has the options behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hub.core.hold import WarningLists
from hub.doors.targets import TargetRules
from hub.intake import IntakeLimits

MOST_PAGE_OBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How the HTTP doors behave."""

    public_url: str = ""
    """The address under which clients reach the hub, without a slash at the end; empty: from ``Host``."""
    behind_proxy: bool = False
    """Trust ``X-Forwarded-Proto``, ``X-Forwarded-Host`` and ``X-Forwarded-For``, which the operator's proxy sets."""
    page_objects: int = 1_000
    """The number of objects per page, unless the client's ``limit`` says another one, up to ``MOST_PAGE_OBJECTS``."""
    page_bytes: int = 8 << 20
    requests_per_s: int = 1_000
    """Requests per second of each principal, or of each address without credentials; 0: no limit."""
    intake: IntakeLimits = field(default_factory=IntakeLimits)
    heartbeat_s: float = 15.0
    """The interval of comments in a stream without changes."""
    recheck_s: float = 2.0
    """The interval in which the credentials of open connections are checked again."""
    stall_s: float = 60.0
    """A reader that receives nothing for this time is disconnected."""
    export_limit: int = 100_000
    """The greatest ``limit`` of an export, whose entries are sorted in memory."""
    lists_folder: Path | None = None
    """Where lists are written before they are sent; None: the system's folder for temporary files."""
    list_part_bytes: int = 512 << 10
    """A longer list is read from the disk in parts of this size."""
    lists_bytes: int = 1 << 30
    """The total size of finished lists on the disk that are kept in case they are asked for again, half of it for
    collections that anybody may read; that of the lines of lists, likewise; and that of MISP feeds."""
    misp_feed_rest: float = 10.0
    """A MISP feed is used so many times as long as writing it took although its collection changes; see ``rest_of``."""
    warning_lists: Callable[[], WarningLists] = WarningLists
    """Loads the warning lists for the checks of exports; called once, in a thread."""
    answers_bytes: int = 256 << 20
    """The total size of pending responses of this process, without live streams."""
    kept_bytes: int = 64 << 20
    """The total size of TAXII pages that are kept in case they are asked for again, compressed or not."""
    answers_wait_s: float = 20.0
    """How long a request waits for free memory before it gets 503: clients give up after 30 s."""
    targets: TargetRules = field(default_factory=TargetRules)
    """Where webhooks may be sent."""
    webhook_ca_file: Path | None = None
    """Certificates (PEM) that receivers of webhooks may have besides those that the system trusts."""
    webhooks_each: int = 10
    """Webhooks per principal."""
    streams: int = 500
    """Live streams in this process. One with a slow reader takes a few hundred kilobytes."""
    streams_each: int = 50
    """Live streams per principal. All readers without credentials count as one."""

    def __post_init__(self) -> None:
        if not 1 <= self.page_objects <= MOST_PAGE_OBJECTS:
            raise ValueError(f"page_objects is 1 to {MOST_PAGE_OBJECTS}, not {self.page_objects}")
