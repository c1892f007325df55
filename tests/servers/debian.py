"""Installs packages of Debian or Ubuntu that tests need, where root and apt are at hand."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LOCK = Path(tempfile.gettempdir()) / f"ctihub-tests-apt-{os.geteuid()}.lock"
_POLICY = Path("/usr/sbin/policy-rc.d")
_START_NOTHING = "#!/bin/sh\nexit 101\n"


def install(package: str) -> None:
    """Install a package, if this process may; none of its services starts.

    Processes wait for one another, since apt only refuses the second.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _nothing_starts():
            for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
                subprocess.run(["apt-get", *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)


@contextlib.contextmanager
def _nothing_starts() -> Iterator[None]:
    """What packages ask before they start a service says no until the end of the block (invoke-rc.d(8), policy)."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(_START_NOTHING)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
