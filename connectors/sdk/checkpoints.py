"""Checkpoints in a file: written whole or not at all; a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from connectors.sdk.connector import Checkpoint
from connectors.sdk.errors import WrongSettings


class Checkpoints(Protocol):
    """Where a runner keeps how far it got."""

    def load(self) -> Checkpoint:
        """The last one that was saved, or ``{}``."""
        ...

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep it durably before returning."""
        ...


class NoCheckpoints:
    """Forgets: every run begins at the beginning."""

    def load(self) -> Checkpoint:
        """Nothing was kept."""
        return {}

    def save(self, checkpoint: Checkpoint) -> None:
        """Nothing is kept."""


class CheckpointFile:
    """One JSON file ``{"connector", "checkpoint"}``, readable only by its owner (a cursor may be worth something)."""

    def __init__(self, path: Path, *, connector: str) -> None:
        self.path = path
        self._connector = connector

    def load(self) -> Checkpoint:
        """The checkpoint in the file; ``{}`` when there is none. Raises WrongSettings for a file that is not ours."""
        try:
            kept = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(kept, dict) or not isinstance(kept.get("checkpoint"), dict):
            raise self._unreadable("it is not a checkpoint")
        if kept.get("connector") != self._connector:
            raise self._unreadable(f"it belongs to the connector {kept.get('connector')!r}")
        checkpoint: dict[str, Any] = kept["checkpoint"]
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Write beside the file, fsync, rename over it, fsync the folder: durable when this returns."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps({"connector": self._connector, "checkpoint": dict(checkpoint)}).encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(folder)

    def _unreadable(self, why: str) -> WrongSettings:
        return WrongSettings(
            "checkpoint.unreadable",
            f"The checkpoint {self.path} cannot be read: {why}.",
            "Name another --state file, or remove this one to begin anew (the hub recognises repeats).",
        )


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable. Systems that cannot open a folder (Windows) need no such thing."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
