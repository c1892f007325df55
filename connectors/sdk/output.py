"""Writes to a stream completely: a position is stored only after the data have left this process."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import BinaryIO

_PIECE_BYTES = 256 << 10
"""The size of one write: single lines would need a system call each, a whole page much memory."""


def write_out(to: BinaryIO, data: bytes) -> None:
    """Write all of ``data`` and flush. Raises BrokenPipeError if the reader has gone before the end.

    With PYTHONUNBUFFERED, standard output is a raw file, which may write only a part without an error.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[_write_some(to, rest) :]
    while True:
        try:
            to.flush()
        except BlockingIOError:
            _wait_until_writable(to)
        else:
            return


def write_lines(to: BinaryIO, lines: Iterable[bytes]) -> int:
    """Write lines, given without line ends, and flush; returns how many. Raises as ``write_out``."""
    count, piece = 0, bytearray()
    for line in lines:
        piece += line + b"\n"
        count += 1
        if len(piece) >= _PIECE_BYTES:
            write_out(to, bytes(piece))
            piece.clear()
    write_out(to, bytes(piece))
    return count


def _write_some(to: BinaryIO, data: memoryview) -> int:
    """Returns how much was written; waits if a non-blocking stream accepts nothing."""
    try:
        taken = to.write(data)
    except BlockingIOError as full:  # a buffer that could not be emptied; it has kept so much
        taken = full.characters_written
    if not taken:  # None of a raw stream that does not wait
        _wait_until_writable(to)
    return taken or 0


def _wait_until_writable(to: BinaryIO) -> None:
    select.select([], [to], [])
