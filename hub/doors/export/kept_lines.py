"""Keeps the parts of lists in a file without a name, up to a size, in this process.

The file is freed with the process, and when rows of a log have been edited: it may have what was erased.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import pickle
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

from hub.doors.export.parts import ListPart
from hub.doors.export.spool import disk_error
from hub.model.errors import Broken

_TABLES = """
create table kept (no integer primary key, key blob unique, seq integer, used integer) strict;
create table parts (list integer, part integer, content blob, primary key (list, part)) strict;
"""


_MOST_LISTS = 256
"""Anybody may ask for ever new lists of ``public``, and a list without a line takes room as well."""


class AsOfRow(NamedTuple):
    """A list as its parts were kept last."""

    no: int
    seq: int
    """They have what the log showed when this was its last row."""
    used: int = 0
    """When it was found. What is written for a list that has been found again since is dropped: the request was
    cancelled while a thread was writing."""


class KeptLines:
    """See the head of this module. All methods are for threads, and raise Broken when the disk is full."""

    def __init__(self, folder: Path | None, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._updates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._active = 0
        self._is_stale = False
        self._one_at_a_time = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., KeptLines] | None = None
        self._clock = 0

    @contextlib.asynccontextmanager
    async def updating(self, key: str) -> AsyncIterator[None]:
        """While the parts of a list are brought up to date and read; one request for each list at a time."""
        lock = self._updates.setdefault(key, asyncio.Lock())
        async with lock:
            self._active += 1
            try:
                yield
            finally:
                self._active -= 1
                self._clear_if_stale()

    def clear(self) -> None:
        """Drop everything, as soon as no list is being made: what has been erased must be in no file."""
        self._is_stale = True
        self._clear_if_stale()

    def _clear_if_stale(self) -> None:
        if self._is_stale and not self._active:
            self._is_stale = False
            with self._one_at_a_time:
                self._close()

    def _close(self) -> None:
        self._opened = None
        if self._closing is not None:
            self._closing()

    def find(self, key: str) -> AsOfRow:
        """Returns the list that is kept under a key, which names all that its lines depend on but the rows of the log;
        a new one, as of row 0, if there is none. Lists that were not used for longest are dropped for it.
        """
        with self._database() as db:
            self._drop_some(db)
            self._clock += 1
            name = hashlib.sha256(key.encode()).digest()  # a key is as long as a request may be
            db.execute("insert or ignore into kept (key, seq, used) values (?, 0, 0)", (name,))
            db.execute("update kept set used = ? where key = ?", (self._clock, name))
            return AsOfRow._make(db.execute("select no, seq, used from kept where key = ?", (name,)).fetchone())

    def drop(self, kept: AsOfRow, changed: Iterable[int], start: int) -> None:
        """Drop the parts with these numbers, and all from ``start`` on."""
        with self._database() as db:
            if _is_last(db, kept):
                db.execute("delete from parts where list = ? and part >= ?", (kept.no, start))
                db.executemany("delete from parts where list = ? and part = ?", [(kept.no, part) for part in changed])

    def keep(self, kept: AsOfRow, number: int, part: ListPart) -> None:
        """Store a part by its number."""
        content = pickle.dumps(part, pickle.HIGHEST_PROTOCOL)
        with self._database() as db:
            if _is_last(db, kept):
                db.execute("insert or replace into parts values (?, ?, ?)", (kept.no, number, content))

    def set_seq(self, kept: AsOfRow, seq: int) -> None:
        """Say as of which row the parts are complete."""
        with self._database() as db:
            db.execute("update kept set seq = ? where no = ? and used = ?", (seq, kept.no, kept.used))

    def parts(self, kept: AsOfRow) -> Iterator[tuple[int, ListPart]]:
        """Yields the parts in order, with their numbers."""
        number = -1
        while True:
            with self._database() as db:
                following = "select part, content from parts where list = ? and part > ? order by part limit 16"
                rows = db.execute(following, (kept.no, number)).fetchall()
            if not rows:
                return
            for number, content in rows:
                yield number, pickle.loads(content)  # noqa: S301 - this process wrote it to a file without a name

    def _drop_some(self, db: sqlite3.Connection) -> None:
        while True:
            total = db.execute("select coalesce(sum(length(content)), 0) from parts").fetchone()[0]
            oldest = db.execute("select no from kept order by used limit 1").fetchone()
            count = db.execute("select count(*) from kept").fetchone()[0]
            if oldest is None or (total <= self._most_bytes and count <= _MOST_LISTS):
                return
            db.execute("delete from parts where list = ?", oldest)
            db.execute("delete from kept where no = ?", oldest)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with self._one_at_a_time:
            try:
                if self._opened is None:
                    self._opened = _open(self._folder)
                    self._closing = weakref.finalize(self, self._opened.close)
                with self._opened:
                    yield self._opened
            except sqlite3.Error as error:
                self._close()  # without a journal, it may be damaged
                says = f"A list could not be written to the disk: {error}."
                raise Broken("export.disk", says, "Look at the disk of DATA_DIR.") from error


def _is_last(db: sqlite3.Connection, kept: AsOfRow) -> bool:
    """Returns whether a list is still as it was found."""
    return db.execute("select 1 from kept where no = ? and used = ?", (kept.no, kept.used)).fetchone() is not None


def _open(folder: Path | None) -> sqlite3.Connection:
    """Returns a database in a file that nobody else can open, and that the system frees with this process."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            db = sqlite3.connect(file.name, check_same_thread=False)
            db.executescript("pragma journal_mode = off; pragma synchronous = off; pragma locking_mode = exclusive;")
            db.executescript(_TABLES)
            return db
    except OSError as error:
        raise disk_error(error) from error
