"""Shows the progress of a run on stderr: a bar with rate and ETA on a terminal, log lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

import structlog

_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """Receives the progress of a runner."""

    def advance(self, objects: int, size_bytes: int, share: float | None) -> None:
        """Add published objects and bytes; ``share`` is the part of the source that was read (0 to 1), if known."""
        ...

    def note(self, text: str) -> None:
        """Show one sentence, such as a retry."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


class Quiet:
    """Shows no progress; notes are plain lines."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to = to

    def advance(self, objects: int, size_bytes: int, share: float | None) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Print a line, if there is a stream."""
        if self._to:
            self._to.write(f"{text}\n")

    def close(self) -> None:
        """Nothing."""


class Bar:
    """A progress bar of rich: objects, rate, share, time left."""

    def __init__(self, what: str, to: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._objects = 0
        self._began = time.monotonic()
        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[objects]:>11,} objects"),
            TextColumn("{task.fields[rate]:>9,.0f}/s"),
            TimeRemainingColumn(),
            console=Console(file=to),
            transient=False,
        )
        self._task = self._bar.add_task(what, total=None, objects=0, rate=0.0)
        self._bar.start()

    def advance(self, objects: int, size_bytes: int, share: float | None) -> None:
        """Move the bar."""
        del size_bytes
        self._objects += objects
        rate = self._objects / max(time.monotonic() - self._began, 1e-3)
        total, done = (None, 0.0) if share is None else (1.0, share)
        self._bar.update(self._task, objects=self._objects, rate=rate, total=total, completed=done)

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._bar.console.print(text, style="yellow", markup=False, highlight=False)

    def close(self) -> None:
        """End the bar and leave it visible."""
        self._bar.stop()


class LogLines:
    """A structured line every ten seconds and at the end."""

    def __init__(self, what: str, to: TextIO, kind: str = "connector") -> None:
        """``kind``: what ``what`` is; it begins the names of the events."""
        self._kind = kind
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(to),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
            ],
            wrapper_class=structlog.BoundLogger,
        ).bind(**{kind: what})
        self._objects = 0
        self._bytes = 0
        self._share: float | None = None
        self._began = self._line_at = time.monotonic()

    def advance(self, objects: int, size_bytes: int, share: float | None) -> None:
        """Count, and print a line from time to time."""
        self._objects += objects
        self._bytes += size_bytes
        self._share = share
        if time.monotonic() - self._line_at >= _LINE_EVERY_S:
            self._say("progress")

    def note(self, text: str) -> None:
        """Print a separate line."""
        self._log.warning(f"{self._kind}.note", says=text)

    def close(self) -> None:
        """Print the totals, if anything was published."""
        if self._objects:
            self._say("finished")

    def _say(self, event: str) -> None:
        self._line_at = time.monotonic()
        took = max(self._line_at - self._began, 1e-3)
        percent = {} if self._share is None else {"percent": round(self._share * 100)}
        size = {"bytes": self._bytes} if self._bytes else {}
        self._log.info(
            f"{self._kind}.{event}",
            count=self._objects,
            **size,
            per_s=round(self._objects / took),
            took_ms=round(took * 1_000),
            **percent,
        )


def shown(what: str, *, quiet: bool = False, to: TextIO | None = None, kind: str = "connector") -> Progress:
    """Returns the suitable display for stderr. ``kind``: see ``LogLines``."""
    to = to or sys.stderr
    if quiet:
        return Quiet(to)
    return Bar(what, to) if to.isatty() else LogLines(what, to, kind)
