"""Keeps the lines of lists in a file without a name, up to a size, in this process.

The file is freed when nobody uses ``KeptLines`` any more, and with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

from hub.doors.export.parts import KeptLine
from hub.doors.export.spool import disk_error
from hub.doors.export.stored_parts import PARTS, StoredParts
from hub.model.errors import Broken, HubError, TryAgain
from hub.model.words import Seq

_TABLES = """
pragma page_size = 8192;
pragma auto_vacuum = incremental;
pragma journal_mode = off;
pragma synchronous = off;
pragma locking_mode = exclusive;
create table lists (no integer primary key, key blob unique, used integer, seq integer, as_of integer) strict;
"""
_COPY_BYTES = 1 << 20
"""Writing to a file takes a third of the time that parts take one by one."""
_MOST_LISTS = 256
"""Anybody may ask for ever new lists of ``public``, and a list without a line takes room as well."""


class KeptList(NamedTuple):
    """A list as it was kept last."""

    no: int
    used: int
    """When it was found. What is written for a list that has been found again since is refused: the request was
    cancelled while a thread was writing."""
    seq: Seq
    """It has the lines of the rows up to this one, as they were read."""
    as_of: Seq
    """The lines of rows that rows up to this one have replaced are removed."""


class KeptLines:
    """See the head of this module. Methods for threads raise Broken when the disk is full, and TryAgain if a list has
    been dropped.

    The file takes up to ``most_bytes``. Lists that are being made come on top, and one list that is larger by itself
    stays until the next one is asked for.
    """

    def __init__(self, folder: Path | None, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._updates: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._in_use: set[bytes] = set()
        self._one_at_a_time = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., KeptLines] | None = None
        self._clock = 0

    @contextlib.asynccontextmanager
    async def updating(self, key: str, end: Seq) -> AsyncIterator[KeptList]:
        """While a list is brought up to date and read; one request for each list at a time. ``key`` names all that its
        lines depend on but the rows of the log, whose last row is ``end`` or a later one.
        """
        name = hashlib.sha256(key.encode()).digest()  # a key is as long as a request may be
        async with self._updates.setdefault(name, asyncio.Lock()):
            self._clock += 1
            self._in_use.add(name)
            try:
                yield await asyncio.to_thread(self._find, name, self._clock, end)
            finally:
                self._in_use.discard(name)

    # ---------------------------------------------------------------- lists, for threads

    def _find(self, name: bytes, used: int, end: Seq) -> KeptList:
        """Returns a list, a new one if it is not kept. A later request may have found it already: then this one was
        cancelled, and the list is not marked as found by it.
        """
        with self._database() as db:
            self._drop_some(db)
            db.execute("insert or ignore into lists (key, used, seq, as_of) values (?, 0, 0, ?)", (name, end))
            db.execute("update lists set used = max(used, ?) where key = ?", (used, name))
            no, seq, as_of = db.execute("select no, seq, as_of from lists where key = ?", (name,)).fetchone()
            return KeptList(no, used, seq, as_of)

    def save(self, kept: KeptList) -> None:
        """Say as of which rows the lines are, and make room for them."""
        with self._database(kept) as db:
            _save(db, kept)
            self._drop_some(db)

    def append(self, kept: KeptList, lines: Sequence[KeptLine], *, most: int) -> None:
        """Add the lines of rows after all others, and save the list. They come into the last part if it has less than
        ``most`` lines.
        """
        with self._database(kept) as db:
            StoredParts(db, kept.no).append(lines, most)
            _save(db, kept)

    def remove(self, kept: KeptList, rows: Iterable[Seq]) -> None:
        """Remove the lines of these rows, if there are any."""
        with self._database(kept) as db:
            by_part = StoredParts(db, kept.no).by_part(rows)
        for some in by_part.values():  # other lists may use the file in between
            with self._database(kept) as db:
                StoredParts(db, kept.no).remove(some)

    def copy(self, kept: KeptList, write: Callable[[bytes], None]) -> tuple[int, int]:
        """Write all lines, many at once; returns their number, and how many values are left out."""
        count, skipped, last = 0, 0, -1
        while True:
            with self._database(kept) as db:
                some = list(StoredParts(db, kept.no).texts(last, _COPY_BYTES))
            if not some:
                return count, skipped
            write(b"".join(one.text for one in some))
            count += sum(one.lines for one in some)
            skipped += sum(one.skipped for one in some)
            last = some[-1].first

    # ---------------------------------------------------------------- the file

    def _drop_some(self, db: sqlite3.Connection) -> None:
        """Drop lists that were not used for longest, until there is room or all others are in use."""
        lists = db.execute("select no, key from lists order by used").fetchall()
        unused = iter([no for no, key in lists if key not in self._in_use])
        count = len(lists)
        while count > _MOST_LISTS or _shrunk_bytes(db) > self._most_bytes:
            no = next(unused, None)
            if no is None:
                return
            StoredParts(db, no).clear()
            db.execute("delete from lists where no = ?", (no,))
            count -= 1

    @contextlib.contextmanager
    def _database(self, kept: KeptList | None = None) -> Iterator[sqlite3.Connection]:
        """Opens a transaction. Raises TryAgain if ``kept`` is not as it was found."""
        with self._one_at_a_time:
            try:
                if self._opened is None:
                    self._opened = _open(self._folder)
                    self._closing = weakref.finalize(self, self._opened.close)
                with self._opened as db:
                    if kept is not None and not _is_as_found(db, kept):
                        raise TryAgain("export.dropped", "The lines of this list were dropped.", "Ask again.")
                    yield db
            except HubError:
                raise
            except BaseException as error:
                self._close()  # without a journal, it may be damaged
                if not isinstance(error, sqlite3.Error):
                    raise
                says = f"A list could not be written to the disk: {error}."
                raise Broken("export.disk", says, "Look at the disk of DATA_DIR.") from error

    def _close(self) -> None:
        self._opened = None
        if self._closing is not None:
            self._closing()


def _is_as_found(db: sqlite3.Connection, kept: KeptList) -> bool:
    return db.execute("select 1 from lists where no = ? and used = ?", kept[:2]).fetchone() is not None


def _save(db: sqlite3.Connection, kept: KeptList) -> None:
    db.execute("update lists set seq = ?, as_of = ? where no = ?", (kept.seq, kept.as_of, kept.no))


def _shrunk_bytes(db: sqlite3.Connection) -> int:
    """Commit, and cut off the file what is free in it; returns its size."""
    db.executescript("pragma incremental_vacuum")  # ``execute`` would cut off one page
    count, size = (db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(count * size)


def _open(folder: Path | None) -> sqlite3.Connection:
    """Returns a database in a file that nobody else can open, and that the system frees with this process."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            db = sqlite3.connect(file.name, check_same_thread=False)
            db.executescript(_TABLES + PARTS)
            return db
    except OSError as error:
        raise disk_error(error) from error
