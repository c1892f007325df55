"""Lets operators' changes go before the steps of workers, in any process.

SQLite has no queue of writers: whoever waits asks again after up to 100 ms, while a worker with much to do begins its
next step within a millisecond of the last. An operator's change could wait for minutes, until it gave up. So whoever
waits to write holds a shared lock on a file beside the database, and a worker begins no step while anybody holds it.
The kernel releases the lock of a process that dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

_POLL_S = 0.005
GIVES_WAY_S = 10.0
"""How long a worker gives way at most: a process that was stopped while it waits must not stop the hub."""


class Precedence:
    """See the head of this module; one for each open store."""

    def __init__(self, path: Path, *, gives_way_s: float = GIVES_WAY_S) -> None:
        """Open the file, readable by the hub's user only. Raises OSError."""
        self._asking_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._looking_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._asking = 0
        """How many wait to write, in this process."""
        self._gives_way_s = gives_way_s
        self._timed_out = False
        """Whether it has waited for the full time, and another process has been waiting to write since then."""

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Have workers begin no step while the block waits for the write lock."""
        while self._asking == 0 and not _locked(self._asking_fd, fcntl.LOCK_SH):  # noqa: ASYNC110 - a worker is looking
            await asyncio.sleep(_POLL_S)
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if self._asking == 0:
                fcntl.flock(self._asking_fd, fcntl.LOCK_UN)

    async def give_way(self) -> None:
        """Wait until no other process waits to write, for ``gives_way_s`` at most. After a wait that timed out, do not
        wait again before that has happened once.
        """
        until_s = time.monotonic() + self._gives_way_s
        while not self._nobody_asks():
            if self._timed_out or time.monotonic() >= until_s:
                self._timed_out = True
                return
            await asyncio.sleep(_POLL_S)
        self._timed_out = False

    def _nobody_asks(self) -> bool:
        free = self._asking == 0 and _locked(self._looking_fd, fcntl.LOCK_EX)
        if free:
            fcntl.flock(self._looking_fd, fcntl.LOCK_UN)
        return free

    def close(self) -> None:
        """Close the file. May be called again."""
        for fd in (self._asking_fd, self._looking_fd):
            if fd >= 0:
                os.close(fd)
        self._asking_fd = self._looking_fd = -1


def _locked(fd: int, kind: int) -> bool:
    """Take a lock without waiting; returns whether it was granted."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
