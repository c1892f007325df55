"""Reads the files of a ZIP archive in pieces: many feeds offer full dumps as ZIP.

An archive is untrusted, so its stated sizes are ignored: the bytes that are read are counted and bounded.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from connectors.sdk.errors import SourceFailed

CHUNK_BYTES = 1 << 20
MEMBERS_MOST = 10_000
UNPACKED_MOST_BYTES = 64 << 30
FREE_BYTES = 64 << 20
"""How many bytes any archive may unpack to, however small it is."""
RATIO_MOST = 250
"""The maximum ratio of compression above that size. Indicators that differ only in id and value have about 80, a zip
bomb 1,000.
"""
_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""The methods that zipfile unpacks in bounded pieces, unlike bzip2 and LZMA."""
_ENCRYPTED = 0x1
_SPOOL_BYTES = 16 << 20


def is_zip(first: bytes) -> bool:
    """Returns whether content with this beginning is a ZIP archive (APPNOTE 6.3.10, sections 4.3.7 and 4.3.16)."""
    return first.startswith(_STARTS)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. ``at`` is its offset in the archive; ``chunks`` is its content."""

    name: str
    at: int
    chunks: Iterator[bytes]


def members(file: IO[bytes], first: bytes, name: str, suffixes: tuple[str, ...]) -> Iterator[Member]:
    """Yields the data files of an archive: those with ``suffixes``, or the only one. Read each before the next.

    ``first`` are the bytes of the archive that are already read. Raises SourceFailed for an archive that cannot be
    read, and at the end if a file in it could not: one with a password, or another archive.
    """
    with _seekable(file, first) as whole, _opened(whole, name) as archive:
        budget = _Budget(name)
        troubles: list[SourceFailed] = []
        for info in _data(archive, name, suffixes):
            inside = f"{name}: {info.filename}"
            if trouble := _trouble(info, inside):
                troubles.append(trouble)
            else:
                yield Member(inside, info.header_offset, _chunks(archive, info, inside, budget))
        if troubles:
            raise troubles[0]


def _seekable(file: IO[bytes], first: bytes) -> IO[bytes]:
    """Returns the archive as a seekable file: its directory is at the end, so a pipe is first spooled."""
    if file.seekable():
        file.seek(0)
        return file
    whole = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
    whole.write(first)
    shutil.copyfileobj(file, whole)
    whole.seek(0)
    return whole


def _opened(file: IO[bytes], name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceFailed(
            "source.unreadable", f"{name} is a ZIP archive that cannot be read: {error}.", "Fetch it again."
        ) from error


def _data(archive: zipfile.ZipFile, name: str, suffixes: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    """Returns the files to read, in the archive's order, and nested archives, which are reported as errors."""
    files = [info for info in archive.infolist() if not info.is_dir() and not _is_beside(info.filename)]
    if any(info.filename == "[Content_Types].xml" for info in files):
        raise SourceFailed("source.not-a-feed", f"{name} is an Office document.", "Save it as CSV.")
    if len(files) > MEMBERS_MOST:
        raise SourceFailed(
            "source.archive", f"{name} holds {len(files):,} files; {MEMBERS_MOST:,} are read.", "Unpack it yourself."
        )
    wanted = [info for info in files if info.filename.lower().removesuffix(".gz").endswith((*suffixes, ".zip"))]
    if wanted or len(files) == 1:
        return wanted or files
    called = f"is called {', '.join(suffixes)}"
    raise SourceFailed(
        "source.archive", f"{name} holds {len(files):,} files, and none {called}.", "Unpack it, and name the file."
    )


_BESIDE = frozenset({"changelog", "changes", "copying", "licence", "license", "notice", "readme"})


def _is_beside(filename: str) -> bool:
    """Returns whether a file is not data, such as a readme or a file of macOS."""
    path = PurePosixPath(filename)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith(".") or path.stem.lower() in _BESIDE


def _trouble(info: zipfile.ZipInfo, name: str) -> SourceFailed | None:
    if info.filename.lower().endswith(".zip"):
        return _nested(name)
    if info.flag_bits & _ENCRYPTED:
        return SourceFailed("source.archive", f"{name} is locked with a password.", "Unpack it yourself.")
    if info.compress_type not in _METHODS:
        return SourceFailed(
            "source.archive",
            f"{name} is packed by method {info.compress_type}, which is not read.",
            "Unpack it, or pack it with deflate.",
        )
    return None


def _nested(name: str) -> SourceFailed:
    says = f"{name} is an archive in an archive, which is not opened."
    return SourceFailed("source.archive", says, "Unpack the outer one.")


class _Budget:
    """The limit of unpacked bytes for all files of an archive."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unpacked = 0
        self.packed = 0

    def take(self, size_bytes: int) -> None:
        self._unpacked += size_bytes
        if self._unpacked > min(UNPACKED_MOST_BYTES, FREE_BYTES + RATIO_MOST * self.packed):
            raise SourceFailed(
                "source.archive",
                f"{self._name} unpacks to more than an archive of data does ({self._unpacked >> 20:,} MiB so far).",
                "If it is right all the same, unpack it yourself.",
            )


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget) -> Iterator[bytes]:
    budget.packed += info.compress_size
    begun = False
    try:
        with archive.open(info) as member:
            while chunk := member.read(CHUNK_BYTES):
                budget.take(len(chunk))
                if not begun and is_zip(chunk):
                    raise _nested(name)
                begun = True
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise SourceFailed("source.unreadable", f"{name} cannot be read: {error}.", "Fetch it again.") from error
