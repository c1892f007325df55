"""The address of the hub that runs on this machine: ``serve`` keeps it in a file of DATA_DIR, for other commands.

The file may be left over from a killed hub, or belong to a stranger: it counts only while its process runs, and only
with a loopback address, so that a token is never sent to another machine because of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

FILE = "address.json"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_DATA_DIR = "ctihub-data"
_MOST_BYTES = 4_096


@contextlib.contextmanager
def removed_at_the_end(folder: Path) -> Iterator[None]:
    """Removes what ``keep`` has written, unless another process has replaced it since."""
    try:
        yield
    finally:
        path = folder / FILE
        if _said(path).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def keep(folder: Path, url: str | None) -> None:
    """Write the address of this process, replacing the file at once. ``url`` None: it has none on this machine."""
    if url is None:
        return
    draft = folder / f".{FILE}.{os.getpid()}"
    with contextlib.suppress(OSError):  # without it, commands need --url
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        draft.replace(folder / FILE)


def found_in(folder: Path) -> str | None:
    """Returns the address of the hub that runs on this machine with this DATA_DIR; None if there is none."""
    said = _said(folder / FILE)
    url, pid = said.get("url"), said.get("pid")
    if not isinstance(url, str) or not isinstance(pid, int) or not _runs(pid):
        return None
    parts = urlsplit(url)
    return url if parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK and not parts.username else None


def found_here() -> str | None:
    """As ``found_in``, in the DATA_DIR of the environment, of ``ctihub.toml`` or of the current folder."""
    return found_in(Path(os.environ.get("CTIHUB_DATA_DIR") or _configured() or _DATA_DIR))


def _configured() -> str | None:
    """Returns DATA_DIR of the configuration file, without the time that it takes to load the whole configuration."""
    try:
        text = Path(os.environ.get("CTIHUB_CONFIG") or "ctihub.toml").read_text("utf-8")
        found = {key.lower(): value for key, value in tomllib.loads(text).items()}.get("data_dir")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None


def _said(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _runs(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True
