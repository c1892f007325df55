"""Progress of a long step: in a terminal one line that is updated, elsewhere a line now and then."""

from __future__ import annotations

import shutil
import sys
import time

EVERY_S = 10.0
"""Where nobody sees a line change, as in a log, there is a new one this often."""


class Step:
    """One step on standard error; ends as one line that says what was done and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._told = time.monotonic()
        self._lively = sys.stderr.isatty()
        if not self._lively:
            self._line(f"{what} …")

    def at(self, detail: str) -> None:
        """What is being done just now."""
        now = time.monotonic()
        if self._lively:
            text = f"{self._what}, {now - self._began:.0f} s: {detail}"
            sys.stderr.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
            sys.stderr.flush()
        elif now - self._told >= EVERY_S:
            self._told = now
            self._line(f"  {now - self._began:.0f} s: {detail}")

    def done(self, result: str = "done") -> None:
        """The step has ended."""
        if self._lively:
            sys.stderr.write("\r\x1b[K")
        self._line(f"{self._what}: {result} in {time.monotonic() - self._began:.0f} s")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
