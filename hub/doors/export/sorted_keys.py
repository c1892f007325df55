"""Sorts keys that are too many for memory: sorted runs in a file without a name, merged at the end."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from heapq import merge
from itertools import groupby
from typing import BinaryIO

KEY_BYTES = 32
ROOM_BYTES = 8 << 20
"""The memory for up to 5 million keys: a run takes 5 MB, and 16 kB of each are read at a time."""
_RUN_KEYS = 32_768
_READ_BYTES = 512 * KEY_BYTES


class SortedKeys:
    """Keys of ``KEY_BYTES``. First ``add`` all, then iterate once: sorted, each once."""

    def __init__(self, open_file: Callable[[], BinaryIO]) -> None:
        self._open_file = open_file
        self._run: set[bytes] = set()
        self._file: BinaryIO | None = None
        self._ends = [0]
        """Where each run in the file ends, after the start of the first."""

    def add(self, key: bytes) -> None:
        """Add a key. Raises OSError when the disk is full."""
        self._run.add(key)
        if len(self._run) >= _RUN_KEYS:
            self._write()

    def __iter__(self) -> Iterator[bytes]:
        file = self._file
        runs = [] if file is None else map(partial(_run_of, file), self._ends, self._ends[1:])
        for key, _ in groupby(merge(sorted(self._run), *runs)):
            yield key

    def _write(self) -> None:
        if self._file is None:
            self._file = self._open_file()
            weakref.finalize(self, self._file.close)
        self._file.writelines(sorted(self._run))
        self._file.flush()
        self._ends.append(self._ends[-1] + len(self._run) * KEY_BYTES)
        self._run.clear()


def _run_of(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _READ_BYTES):
        file.seek(at)
        some = file.read(min(_READ_BYTES, end - at))
        for first in range(0, len(some), KEY_BYTES):
            yield some[first : first + KEY_BYTES]
