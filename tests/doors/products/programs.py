"""The programs of products that read lists: packages of Debian and Ubuntu, installed where root and apt are at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

import pytest

from tests.servers.debian import install
from tests.waiting import WITHIN_S

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str) -> str:
    """Where a program is. Skips the test where its package cannot be had; in CI that is a failure."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        install(package)
        found = shutil.which(name, path=_PATH)
    if found is None:
        missing = f"{name} is not there. Type\n  sudo apt-get update && sudo apt-get install -y {package}"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


def ran(words: Sequence[str], content: bytes = b"") -> str:
    """What a program prints, standard error included. Fails when the program does."""
    done = subprocess.run(
        words, input=content, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WITHIN_S, check=False
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{words[0]} ended with {done.returncode}: {said[-2000:]}"
    return said


def alone(script: str) -> list[str]:
    """The words that run a shell script in a network of its own, in which it may do everything."""
    return ["unshare", "--map-root-user", "--net", "sh", "-ec", script]
