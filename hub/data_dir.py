"""Checks who else may read DATA_DIR: it holds marked data and digests of tokens, for the hub's own user only."""

from __future__ import annotations

import itertools
import stat
from dataclasses import dataclass
from pathlib import Path

_READ, _WRITE, _ENTER = stat.S_IROTH, stat.S_IWOTH, stat.S_IXOTH
_MOST_FILES = 1_000


@dataclass(frozen=True, slots=True)
class Open:
    """A folder that any user of the machine can access."""

    says: str
    way_out: str
    gives_content: bool
    """Whether more than the names of its files is exposed."""


def open_to_others(folder: Path) -> Open | None:
    """What users other than its owner and group can do with a folder; None if nothing.

    The hub creates its folder and files for its own user only, but uses an existing folder unchanged.
    """
    if not folder.is_dir():
        return None
    mode = stat.S_IMODE(folder.stat().st_mode)
    files = _open_files(folder) if mode & _ENTER else []
    if not files and not mode & (_READ | _WRITE):
        return None
    way_out = f"chmod -R o= {folder}"
    if mode & _WRITE and mode & _ENTER:
        return Open(f"Every user of this machine may replace files in {folder} (mode {mode:04o}).", way_out, True)
    if files:
        says = f"Every user of this machine may read or write {files[0].name} in {folder}"
        return Open(f"{says}{f' and {len(files) - 1:,} more' if files[1:] else ''}.", way_out, True)
    return Open(f"Every user of this machine may look into {folder} (mode {mode:04o}).", way_out, False)


def _open_files(folder: Path) -> list[Path]:
    found = []
    for path in itertools.islice(sorted(folder.iterdir()), _MOST_FILES):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # SQLite removes its temporary files
            continue
        if stat.S_ISREG(mode) and mode & (_READ | _WRITE):
            found.append(path)
    return found
