"""Lines of lists that are kept for the next list: those of new rows are added, and those of replaced rows removed.

A row that a collection shows disappears only when a later row replaces it, and no row appears below the end of the log.
So the rows after the last list say what has changed. Lines that do not depend on one another need not be written again,
and a list of a million values takes time for what is new.

The lines of a list are in parts, in the order of their rows. A part has the lines of several values as well: the first
is in the list, and the others are hidden until it disappears.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from hub.doors.export.distinct import left_out_key, value_digest
from hub.doors.export.entry import Entry, ListItem
from hub.doors.export.selection import Selection, Skipped
from hub.model.words import Seq
from hub.store.port import LogPage


class KeptLine(NamedTuple):
    """What a row of the log has given a list."""

    row: Seq
    digest: int | None
    """Of its value, see ``distinct.value_digest``; None: no other row can have it."""
    text: bytes
    """With its end; empty if something was left out."""
    skipped: int = 0
    """How many values were left out."""
    is_hidden: bool = False
    """Whether an earlier row has the value."""


class ListPart(NamedTuple):
    """Some lines of a list as they are stored."""

    size: int
    """The number of all lines."""
    lines: int
    """The number of lines that are in the list."""
    skipped: int
    text: bytes
    """The lines that are in the list, ready to be sent."""
    rows: bytes
    """All data of the lines but ``text``: pickled lists, one after the other."""

    @classmethod
    def of(cls, lines: Sequence[KeptLine]) -> ListPart:
        """Returns the part with these lines, which are in the order of their rows."""
        shown = [line for line in lines if not line.is_hidden]
        texts = [line.text for line in shown if line.text]
        rows = [(row, digest, text if hidden else len(text), skipped) for row, digest, text, skipped, hidden in lines]
        packed = pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)
        return cls(len(lines), len(texts), sum(line.skipped for line in shown), b"".join(texts), packed)

    def followed_by(self, other: ListPart) -> ListPart:
        """Returns both as one part."""
        return ListPart(
            self.size + other.size,
            self.lines + other.lines,
            self.skipped + other.skipped,
            self.text + other.text,
            self.rows + other.rows,
        )

    def each(self) -> Iterator[KeptLine]:
        """Yields the lines."""
        start, packed = 0, io.BytesIO(self.rows)
        while packed.tell() < len(self.rows):
            for row, digest, text, skipped in pickle.load(packed):  # noqa: S301 - this process wrote it to a file without a name
                if isinstance(text, bytes):
                    yield KeptLine(row, digest, text, skipped, is_hidden=True)
                else:
                    yield KeptLine(row, digest, self.text[start : start + text], skipped)
                    start += text


def lines_of(page: LogPage, selection: Selection, written: Callable[[ListItem], bytes | None]) -> Iterator[KeptLine]:
    """Yields what the rows of a page give a list. ``written`` returns the line of an item; None: it is left out."""
    selection = replace(selection, skipped=Skipped())
    for row, body in page.with_bodies():
        selection.skipped.count = 0
        seen = set[int]()
        for item in selection.of_row(row, body):
            line = written(item)
            digest = _digest(item, is_left_out=line is None, with_type=selection.format.says_type)
            if digest is None or digest not in seen:
                yield KeptLine(row.seq, digest, line or b"", int(line is None))
            if digest is not None:
                seen.add(digest)
        if selection.skipped.count:
            yield KeptLine(row.seq, None, b"", selection.skipped.count)


def _digest(item: ListItem, *, is_left_out: bool, with_type: bool) -> int | None:
    """Returns the digest of an item's value; None: no other row can have it."""
    if not isinstance(item, Entry):
        return None
    key = item.key(with_type=with_type)
    return value_digest(left_out_key(key) if is_left_out else key)
