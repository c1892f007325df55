"""Ends the servers of a session that was itself killed: nothing runs on, and no folder stays behind.

A process of its own that reads names from a pipe; when the pipe closes, its parent is gone, however that happened.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path


class Reaper:
    """Started by a session; to be told of each process group and folder to clear away."""

    def __init__(self) -> None:
        words = [sys.executable, str(Path(__file__).resolve())]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, *, group: int) -> None:
        """Kill this process group at the end, if it still runs."""
        self._tell(f"group {group}")

    def forget(self, *, group: int) -> None:
        """This group has ended by itself: its number may be somebody else's by now."""
        self._tell(f"forget {group}")

    def clear(self, folder: Path) -> None:
        """Remove this folder at the end."""
        self._tell(f"folder {folder}")

    def close(self) -> None:
        """Clear away and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "group":
            groups.add(int(rest))
        elif word == "forget":
            groups.discard(int(rest))
        else:
            folders.append(rest)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main()
