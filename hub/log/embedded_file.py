"""The SQLite file of the embedded event log: its tables, connections, and the translation of its errors."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from hub.model.errors import Broken, HubError, TryAgain

T = TypeVar("T")

BUSY_TIMEOUT_S = 30.0
"""How many seconds a writer waits for another process's transaction before the append fails with TryAgain."""

# A row's id combines the number of the topic and the offset of the record in one integer. So the table's B-tree is the
# only index, and every topic is one contiguous range of it. 2**40 offsets last for centuries.
OFFSET_BITS = 40
TABLES = (
    "CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
    "head INTEGER NOT NULL DEFAULT 0, last_ms INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, ms INTEGER NOT NULL, "
    "key BLOB, value BLOB, headers BLOB)",
)
encode_headers = msgspec.msgpack.Encoder().encode
decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


async def run_in_thread(loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
    """Returns the result of ``work`` in the thread; raises errors of SQLite as errors of the hub."""
    try:
        return await loop.run_in_executor(thread, work)
    except sqlite3.Error as error:
        raise hub_error(error) from error


def connect(path: Path) -> sqlite3.Connection:
    """Returns a connection for the calling thread only."""
    # isolation_level None: the driver sends no implicit BEGIN.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def fsync_folder(folder: Path) -> None:
    """Make the entries of a directory durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hub_error(error: sqlite3.Error) -> HubError:
    """Translates an error of SQLite to one of the hub, mostly TryAgain."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the primary result code
    match code:
        case sqlite3.SQLITE_FULL:
            return TryAgain("log.full", "The disk of the event log is full.", "Free some space.", retry_after_s=10)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TryAgain("log.busy", "The event log is locked by another process.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Broken("log.damaged", "The event log's file is damaged.", "Restore it from a backup.")
        case _:
            return TryAgain("log.away", f"The event log cannot be used: {error}.", retry_after_s=5)
