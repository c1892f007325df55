"""New content of a file, written beside it and put in its place at once: readers see the old or the new one, whole."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Self

from connectors.sdk.checkpoints import sync_folder


class NewContent:
    """A context manager. ``file`` takes the new content; it is locked while it is used.

    What a killed run has left beside the same file is removed at the start: it is not locked any more.
    """

    file: BinaryIO

    def __init__(self, target: Path) -> None:
        """``target``: the file, or a symbolic link to it, which stays."""
        self._target = Path(os.path.realpath(target))
        # names of files may be as long as the system allows
        self._prefix = f".ctihub-{hashlib.blake2b(os.fsencode(self._target.name), digest_size=6).hexdigest()}-"

    def __enter__(self) -> Self:
        for left in self._target.parent.glob(f"{self._prefix}*"):
            with contextlib.suppress(OSError), left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
        while True:
            handle, name = tempfile.mkstemp(dir=self._target.parent, prefix=self._prefix)
            self.file, self._path = os.fdopen(handle, "w+b"), Path(name)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            if self._path.exists():  # otherwise another run took it for one that was left
                return self
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
            old = self._target.stat()
            with contextlib.suppress(PermissionError):  # only root may give a file to others
                os.fchown(self.file.fileno(), old.st_uid, old.st_gid)
            self._path.chmod(old.st_mode & 0o7777)
        else:
            umask = os.umask(0)
            os.umask(umask)
            self._path.chmod(0o666 & ~umask)
        self._path.replace(self._target)
        sync_folder(self._target.parent)
        return True
