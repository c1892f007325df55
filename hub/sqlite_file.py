"""Writes a SQLite file anew, for the store and for the embedded log, so that it has no trace of what was deleted.

SQLite keeps deleted content in free pages, in the free parts of pages and in its write-ahead log.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from hub.model.errors import TryAgain

_POLL_S = 0.05


def write_anew(path: Path, *, timeout_s: float) -> None:
    """Copy all that is there into new pages, and empty the write-ahead log. Other writers wait; readers do not.

    Raises TryAgain if a reader keeps the write-ahead log for longer than ``timeout_s``, sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as connection:
        connection.execute("vacuum")
        until = time.monotonic() + timeout_s
        while connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
            if time.monotonic() > until:
                says = f"A reader of {path.name} keeps it from being cleaned, such as a verification or a backup."
                raise TryAgain("store.read", says, "Run ctihub forget --resume when that has ended.")
            time.sleep(_POLL_S)
