"""Installs packages of Debian or Ubuntu that tests need, where root and apt are at hand."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_LOCK = Path(tempfile.gettempdir()) / f"ctihub-tests-apt-{os.geteuid()}.lock"


def install(package: str) -> None:
    """Install a package, if this process may. Processes wait for one another, since apt only refuses the second."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update", "-qq"], ["install", "-y", "-qq", package]):
            subprocess.run(["apt-get", *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
