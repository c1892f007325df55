"""The SQLite file of the embedded event log: its tables, how to open it, and what its errors mean to a caller."""

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
"""How long a writer waits for another process's transaction before the append fails with TryAgain."""

# A row's id is the topic's number and the record's offset in one integer: the table's own B-tree is then the index,
# every topic is one contiguous range of it, and no second index has to be written. 2**40 offsets last for centuries.
OFFSET_BITS = 40
TABLES = (
    "CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
    "head INTEGER NOT NULL DEFAULT 0, last_ms INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, ms INTEGER NOT NULL, "
    "key BLOB, value BLOB, headers BLOB)",
)
encode_headers = msgspec.msgpack.Encoder().encode
decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


async def run_in_thread(loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What ``work`` gives in the thread; errors of SQLite as the caller may treat them."""
    try:
        return await loop.run_in_executor(thread, work)
    except sqlite3.Error as error:
        raise hub_error(error) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the calling thread alone."""
    # isolation_level None: no hidden BEGIN by the driver; the transactions here are our own.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hub_error(error: sqlite3.Error) -> HubError:
    """What an error of SQLite means to whoever called: mostly that it may pass by itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the primary code
    match code:
        case sqlite3.SQLITE_FULL:
            return TryAgain("log.full", "The disk of the event log is full.", "Free some space.", retry_after_s=10)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TryAgain("log.busy", "The event log is locked by another process.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Broken("log.damaged", "The event log's file is damaged.", "Restore it from a backup.")
        case _:
            return TryAgain("log.away", f"The event log cannot be used: {error}.", retry_after_s=5)
