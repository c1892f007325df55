"""Translates errors of SQLite and its file to errors of the hub: ``TryAgain`` or ``Broken``."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from hub.model.errors import Broken, HubError, TryAgain

_HEADER = b"SQLite format 3\x00"
"""Source: https://www.sqlite.org/fileformat2.html, section 1.3."""
_RESTORE = "Stop the hub, keep the file for later, and restore DATA_DIR from a backup."
_LOG_BESIDE = "log.sqlite"


@contextlib.contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Raises errors of the driver as errors of the hub. Programming errors are raised unchanged."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        if isinstance(cause, sqlite3.Error) and (told := _hub_error(cause, path)) is not None:
            raise told from error
        raise
    except sqlite3.Error as error:
        raise _hub_error(error, path) or error from error


@contextlib.contextmanager
def access_told(path: Path) -> Iterator[None]:
    """Raises errors of the file system as Broken. The block may access only the file in ``path``."""
    try:
        yield
    except OSError as error:
        raise _no_access(path, error.strerror or str(error)) from error


def ensure_whole(path: Path) -> None:
    """Raises Broken if the file is empty although the hub's event log next to it is not, or if it is not SQLite's."""
    with access_told(path), path.open("rb") as file:
        head = file.read(len(_HEADER))
    if head == b"" and _has_content(path.with_name(_LOG_BESIDE)):
        raise _damaged(path, "it is empty, and the event log beside it is not")
    if head not in (b"", _HEADER):
        raise _damaged(path, "it is no SQLite file")


def _has_content(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def _hub_error(error: sqlite3.Error, path: Path) -> HubError | None:
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:  # the low byte is the primary result code
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path, str(error))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _no_access(path, str(error))
        case sqlite3.SQLITE_FULL:
            return TryAgain("store.full", "The disk of the store is full.", "Free some space.", retry_after_s=10)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TryAgain(
                "store.busy", "Other processes have been writing to the store all the time.", "Try again; ctihub status"
                " shows what the hub is doing."
            )  # fmt: skip
        case _ if isinstance(error, sqlite3.OperationalError):
            return TryAgain("store.busy", f"The store did not answer: {error}.", "Look at the disk of DATA_DIR.")
        case _:
            return None


def _damaged(path: Path, why: str) -> Broken:
    return Broken("store.damaged", f"The store's file {path.name} is damaged: {why}.", _RESTORE)


def _no_access(path: Path, why: str) -> Broken:
    way_out = "Give it and its folder to the user that runs the hub; both must be writable."
    return Broken("store.no-access", f"The store's file {path.name} cannot be used: {why}.", way_out)
