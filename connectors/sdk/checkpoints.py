"""Checkpoints in a file, replaced atomically: after a crash the file has the old or the new checkpoint."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from connectors.sdk.connector import Checkpoint
from connectors.sdk.errors import WrongSettings


class Checkpoints(Protocol):
    """Stores the position of a run."""

    def load(self) -> Checkpoint:
        """Returns the last saved checkpoint, or ``{}``."""
        ...

    def save(self, checkpoint: Checkpoint) -> None:
        """Store the checkpoint durably before returning."""
        ...


class NoCheckpoints:
    """Stores nothing: every run starts from the beginning."""

    def load(self) -> Checkpoint:
        """Returns ``{}``."""
        return {}

    def save(self, checkpoint: Checkpoint) -> None:
        """Does nothing."""


class CheckpointFile:
    """One JSON file ``{"connector", "checkpoint"}``, readable only by its owner, since a cursor may be sensitive."""

    def __init__(self, path: Path, *, connector: str) -> None:
        self.path = path
        self._connector = connector

    def load(self) -> Checkpoint:
        """Returns the checkpoint; ``{}`` if there is no file. Raises WrongSettings if it is not this connector's."""
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
        """Write a temporary file, fsync, rename, fsync the folder: the checkpoint is durable when this returns."""
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
            "Name another --state file, or remove this one to start again (the hub detects repeats).",
        )


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable. Systems that cannot open a folder (Windows) do not need this."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
