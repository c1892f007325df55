"""Files without a name: what is too long for memory until it is needed again, and finished lists.

The system frees such a file when it is closed, also when the process is killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from hub.doors.export.entry import ListItem
from hub.model.errors import Broken

MOST_FILES = 256
"""How many finished lists are kept. Each has an open file, and anybody may ask for ever new lists of ``public``."""


def open_file(folder: Path | None) -> BinaryIO:
    """Returns a new file without a name in ``folder``; None: the system's folder for temporary files. Raises Broken."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise disk_error(error) from error


def disk_error(error: OSError) -> Broken:
    """Returns the error for a list that could not be written."""
    says = f"A list could not be written to the disk: {error.strerror or 'no reason is known'}."
    return Broken("export.disk", says, "Look at the disk of DATA_DIR.")


class SpooledItems:
    """Items in the order in which they were added."""

    def __init__(self, folder: Path | None) -> None:
        self._file = open_file(folder)
        self._batches = 0

    def add(self, items: Sequence[ListItem]) -> None:
        """Append items. Raises Broken when the disk is full."""
        if items:
            try:
                pickle.dump(items, self._file, pickle.HIGHEST_PROTOCOL)
            except OSError as error:
                raise disk_error(error) from error
            self._batches += 1

    def batches(self) -> Iterator[Sequence[ListItem]]:
        """Yields the items as they were added."""
        self._file.seek(0)
        for _ in range(self._batches):
            yield pickle.load(self._file)  # noqa: S301 - this process wrote the file, and nobody else can open it

    def close(self) -> None:
        """Free the disk."""
        self._file.close()


class UnfinishedList:
    """A list that is being written. Raises Broken when the disk is full."""

    def __init__(self, folder: Path | None) -> None:
        self._file = open_file(folder)

    def write(self, some: bytes) -> None:
        """Append some bytes."""
        self.write_each([some])

    def write_each(self, parts: Iterable[bytes]) -> None:
        """Append these parts, which may need the disk themselves."""
        try:
            self._file.writelines(parts)
        except OSError as error:
            raise disk_error(error) from error

    def finish(self, *, lines: int, skipped: int) -> FinishedList:
        """Returns the list when everything has been written."""
        try:
            return FinishedList(self._file, lines=lines, skipped=skipped)
        except OSError as error:
            raise disk_error(error) from error

    def close(self) -> None:
        """Free the disk, unless the list was finished."""
        with contextlib.suppress(OSError):  # of what could not be written
            self._file.close()


class FinishedList:
    """A list that is complete. Its file is closed when nobody uses it any more."""

    def __init__(self, file: BinaryIO, *, lines: int, skipped: int) -> None:
        """Takes the file over."""
        file.flush()
        self._fd = os.dup(file.fileno())
        file.close()
        self.size_bytes = os.fstat(self._fd).st_size
        self.lines = lines
        self.skipped = skipped
        weakref.finalize(self, os.close, self._fd)

    def part(self, start: int, size: int) -> bytes:
        """Returns up to ``size`` bytes from ``start``."""
        return os.pread(self._fd, size, start)
