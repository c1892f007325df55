"""New content of a file, written beside it and put in its place at once: readers see the old or the new one, whole."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, Self

from connectors.sdk.checkpoints import sync_folder


class NewContent:
    """A context manager. ``file`` takes the new content; it is locked while it is used.

    What a killed run has left beside the same file is removed at the start: it is not locked any more. Where the file
    system has no locks, it stays.
    """

    file: BinaryIO

    def __init__(self, target: Path) -> None:
        """``target``: the file, or a symbolic link to it, which stays."""
        self._target = Path(os.path.realpath(target))
        # names of files may be as long as the system allows
        self._prefix = f".ctihub-{hashlib.blake2b(os.fsencode(self._target.name), digest_size=6).hexdigest()}-"

    def __enter__(self) -> Self:
        for left in self._target.parent.glob(f"{self._prefix}*"):
            with contextlib.suppress(OSError):
                _remove_unless_locked(left)
        while True:
            handle, name = tempfile.mkstemp(dir=self._target.parent, prefix=self._prefix)
            self.file, self._path = os.fdopen(handle, "w+b"), Path(name)
            try:
                with contextlib.suppress(OSError):  # not all file systems have locks
                    fcntl.flock(self.file, fcntl.LOCK_EX)
                if self._path.exists():  # otherwise another run took it for one that was left
                    return self
            except BaseException:
                self.__exit__()
                raise
            self.file.close()

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self.file.close()

    def put_in_place(self) -> bool:
        """Put it in the place of the old content, with its owner and permissions; returns whether it differs."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if self._target.exists():
            if filecmp.cmp(self._target, self._path, shallow=False):
                return False
            _take_over(self._target.stat(), self.file.fileno())
        else:
            umask = os.umask(0)
            os.umask(umask)
            self._path.chmod(0o666 & ~umask)
        self._path.replace(self._target)
        sync_folder(self._target.parent)
        return True


def _remove_unless_locked(left: Path) -> None:
    """Remove a file that no run uses. Raises OSError if one uses it, or if it belongs to others.

    Only files are touched: to open a FIFO would be to wait for whoever writes into it.
    """
    handle = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)  # NFS locks only what is open for writing
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
    finally:
        os.close(handle)


def _take_over(old: os.stat_result, handle: int) -> None:
    """Give an open file the group, permissions and owner of the old one, as far as the system allows.

    Only root may give a file to another owner; anybody may give it to a group that they are in. What the old group
    might do, no other group may.
    """
    with contextlib.suppress(OSError):
        os.fchown(handle, -1, old.st_gid)
    has_group = os.fstat(handle).st_gid == old.st_gid
    os.fchmod(handle, old.st_mode & (0o777 if has_group else 0o707))
    with contextlib.suppress(OSError):
        os.fchown(handle, old.st_uid, -1)
