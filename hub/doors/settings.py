"""The settings of the doors, as plain values; ``hub/config.py`` has the options behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hub.core.hold import WarningLists
from hub.intake import IntakeLimits

MOST_PAGE_OBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How the HTTP doors behave."""

    public_url: str = ""
    """Under which address clients reach the hub, without a slash at its end; empty: as they say in ``Host``."""
    behind_proxy: bool = False
    """Believe ``X-Forwarded-Proto`` and ``X-Forwarded-Host``, which only a proxy of ours can have set."""
    page_objects: int = 1_000
    """Of one page; a client's ``limit`` may only lower it."""
    page_bytes: int = 8 << 20
    intake: IntakeLimits = field(default_factory=IntakeLimits)
    heartbeat_s: float = 15.0
    """A stream that has nothing to say says a comment so often."""
    recheck_s: float = 2.0
    """So often a live connection's credentials are looked at again: who is suspended is out after that."""
    stall_s: float = 60.0
    """A reader that takes nothing for so long is let go."""
    export_limit: int = 100_000
    """The greatest ``limit`` of an export, which is kept in memory to be sorted."""
    export_kept_bytes: int = 1 << 20
    """A list is kept back until so much of it is made: of a shorter one the head can say what is not in it."""
    warning_lists: Callable[[], WarningLists] = WarningLists
    """Loads the lists against which exports check each value again; called once, in a thread."""
    answers_bytes: int = 256 << 20
    """Of all answers of this process that wait for their readers, live streams aside."""
    answers_wait_s: float = 20.0
    """How long a request waits for the others, before it is asked to come again: clients give up at 30 s."""
    streams: int = 500
    """Live streams at once in this process, a few hundred kilobytes each where their readers are slow."""
    streams_each: int = 50
    """Of one principal; of all who have no credentials together."""

    def __post_init__(self) -> None:
        if not 1 <= self.page_objects <= MOST_PAGE_OBJECTS:
            raise ValueError(f"page_objects is 1 to {MOST_PAGE_OBJECTS}, not {self.page_objects}")
