"""Shows the progress of a long step: in a terminal as one updated line, elsewhere as a line from time to time."""

from __future__ import annotations

import shutil
import sys
import time

EVERY_S = 10.0
"""The interval of lines outside of a terminal, in seconds."""


class Step:
    """One step on standard error. At the end it is one line with the result and the time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._told = time.monotonic()
        self._lively = sys.stderr.isatty()
        if not self._lively:
            self._line(f"{what} …")

    def at(self, detail: str) -> None:
        """Show the current action."""
        now = time.monotonic()
        if self._lively:
            text = f"{self._what}, {now - self._began:.0f} s: {detail}"
            sys.stderr.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
            sys.stderr.flush()
        elif now - self._told >= EVERY_S:
            self._told = now
            self._line(f"  {now - self._began:.0f} s: {detail}")

    def done(self, result: str = "done") -> None:
        """End the step."""
        if self._lively:
            sys.stderr.write("\r\x1b[K")
        self._line(f"{self._what}: {result} in {time.monotonic() - self._began:.0f} s")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
