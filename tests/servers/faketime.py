"""A process with a clock of its own: libfaketime, a package of the operating system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.debian import install
from tests.servers.missing import MissingServer

NEED_FAKETIME = """libfaketime is not there. Type
  sudo apt-get update && sudo apt-get install -y faketime"""


def another_clock(off: str) -> dict[str, str]:
    """The environment of a process whose clock is off by ``off`` (``+3650d``); what it measures stays true."""
    return {"LD_PRELOAD": str(library()), "FAKETIME": off, "DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}


def ruled_by(file: Path) -> dict[str, str]:
    """The same, where the file says how far off it is, and may be written while the process runs."""
    rest = another_clock("+0d")
    del rest["FAKETIME"]
    return rest | {"FAKETIME_TIMESTAMP_FILE": str(file)}


def need_faketime() -> None:
    """Skip a test where the library cannot be had; in CI that is a failure."""
    try:
        library()
    except MissingServer as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def library() -> Path:
    """Where it is; installed first where root and apt are at hand. Raises MissingServer."""
    found = _library()
    if found is None:
        install("faketime")
        found = _library()
    if found is None:
        raise MissingServer(NEED_FAKETIME)
    return found


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)
