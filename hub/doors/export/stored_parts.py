"""The parts of one list in the file with the kept lines, within a transaction."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from hub.doors.export.parts import KeptLine, ListPart
from hub.model.words import Seq

PARTS = """
create table parts (
    list integer, first integer, size integer, lines integer, skipped integer, text blob, rows blob,
    primary key (list, first)
) strict;
create table rows_of_values (
    list integer, digest integer, row integer, primary key (list, digest, row)
) strict, without rowid;
"""
"""``first``: no line of the part is of an earlier row. A part has all lines of a row."""


class PartText(NamedTuple):
    """What a finished list has of a part."""

    first: int
    lines: int
    skipped: int
    text: bytes


class StoredParts:
    """See the head of this module."""

    def __init__(self, db: sqlite3.Connection, no: int) -> None:
        self._db = db
        self._no = no

    def clear(self) -> None:
        """Remove all lines."""
        self._db.execute("delete from parts where list = ?", (self._no,))
        self._db.execute("delete from rows_of_values where list = ?", (self._no,))

    def append(self, lines: Sequence[KeptLine], most: int) -> None:
        """Add the lines of rows after all others. They come into the last part if it has less than ``most`` lines."""
        if not lines:
            return
        first, part = int(lines[0].row), ListPart.of(self._marked(lines))
        last = self._part_of(first)
        if last is not None and last[1].size < most:
            first, part = last[0], last[1].followed_by(part)
        self._store(first, part)

    def by_part(self, rows: Iterable[Seq]) -> Mapping[int, Collection[Seq]]:
        """Returns the rows that may have lines, by the key of the part that has these."""
        query = "select first from parts where list = ? order by first"
        firsts = [first for (first,) in self._db.execute(query, (self._no,))]
        found = defaultdict[int, set[Seq]](set)
        for row in rows:
            if place := bisect_right(firsts, row):
                found[firsts[place - 1]].add(row)
        return found

    def remove(self, rows: Collection[Seq]) -> None:
        """Remove the lines of these rows, if they have any; all of them belong to one part."""
        first, lines = self._lines_of(min(rows))
        gone = [line for line in lines if line.row in rows]
        if not gone:
            return
        self._replace(first, [line for line in lines if line.row not in rows])
        if digests := self._without_values(gone):
            self._show(digests)

    def texts(self, after: int, size_bytes: int) -> Iterator[PartText]:
        """Yields the parts after the one with the key ``after``, up to ``size_bytes``, one at least."""
        query = "select first, lines, skipped, text from parts where list = ? and first > ? order by first"
        for row in self._db.execute(query, (self._no, after)):
            yield (found := PartText._make(row))
            size_bytes -= len(found.text)
            if size_bytes <= 0:
                return

    # ---------------------------------------------------------------- values

    def _marked(self, lines: Sequence[KeptLine]) -> list[KeptLine]:
        """Returns the lines of new rows, hidden where an earlier row has the value, and enters their values."""
        named = [(self._no, line.digest, line.row) for line in lines if line.digest is not None]
        known = """
        select value from json_each(?) where exists (select 1 from rows_of_values where list = ? and digest = value)
        """
        digests = orjson.dumps([digest for _, digest, _ in named])
        seen = {digest for (digest,) in self._db.execute(known, (digests, self._no))}
        self._db.executemany("insert into rows_of_values values (?, ?, ?)", named)
        found = []
        for line in lines:
            found.append(line._replace(is_hidden=True) if line.digest in seen else line)
            if line.digest is not None:
                seen.add(line.digest)
        return found

    def _without_values(self, gone: Iterable[KeptLine]) -> dict[Seq, set[int]]:
        """Remove the values of removed lines; returns those that the list must have of other rows now."""
        delete = "delete from rows_of_values where list = ? and digest = ? and row = ?"
        others = "select min(row) from rows_of_values where list = ? and digest = ?"
        found = defaultdict[Seq, set[int]](set)
        for line in gone:
            if line.digest is None:
                continue
            self._db.execute(delete, (self._no, line.digest, line.row))
            (row,) = self._db.execute(others, (self._no, line.digest)).fetchone()
            if row is not None:
                found[row].add(line.digest)
        return found

    def _show(self, digests: Mapping[Seq, Collection[int]]) -> None:
        """Show the lines with these values of these rows."""
        for rows in self.by_part(digests).values():
            first, lines = self._lines_of(min(rows))
            self._replace(first, [_shown(line, digests) for line in lines])

    # ---------------------------------------------------------------- parts

    def _part_of(self, row: int) -> tuple[int, ListPart] | None:
        """Returns the last part that begins up to a row, with its key."""
        query = """
        select first, size, lines, skipped, text, rows from parts where list = ? and first <= ?
        order by first desc limit 1
        """
        found = self._db.execute(query, (self._no, row)).fetchone()
        return found and (found[0], ListPart._make(found[1:]))

    def _lines_of(self, row: int) -> tuple[int, list[KeptLine]]:
        """Returns the lines of the part that has those of a row, with its key."""
        found = self._part_of(row)
        return (row, []) if found is None else (found[0], list(found[1].each()))

    def _replace(self, first: int, lines: Sequence[KeptLine]) -> None:
        if lines:
            self._store(first, ListPart.of(lines))
        else:
            self._db.execute("delete from parts where list = ? and first = ?", (self._no, first))

    def _store(self, first: int, part: ListPart) -> None:
        self._db.execute("insert or replace into parts values (?, ?, ?, ?, ?, ?, ?)", (self._no, first, *part))


def _shown(line: KeptLine, digests: Mapping[Seq, Collection[int]]) -> KeptLine:
    """Returns a line, which is hidden no more if it has one of these values of its row."""
    return line._replace(is_hidden=False) if line.digest in digests.get(line.row, ()) else line
