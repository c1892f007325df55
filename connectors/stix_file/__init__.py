"""Publishes STIX from files: a bundle, a list, NDJSON, single objects; packed or not; one file, a folder, a pattern."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import SourceFailed
from connectors.sdk.objects import split
from connectors.sdk.sources import Source

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".stix", ".stix2")
_PACKED = (".gz", ".zst")


class StixFileSettings(ConnectorSettings):
    """Where the files are."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_STIX_FILE_")

    path: str = Field(min_length=1)
    """A file, a folder (read with what is below it), or a pattern such as ``feeds/**/*.json.gz``."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was when it was read: by this a changed file is known."""

    path: str
    size: int
    modified_ns: int

    def as_json(self) -> list[Any]:
        return [self.path, self.size, self.modified_ns]


class StixFileConnector(Connector[StixFileSettings]):
    """Reads files by name. A file that was read is not read again until its size or its time changes.

    The checkpoint names the files that are done and how many objects of the one in hand are published.
    """

    name: ClassVar[str] = "stix-file"
    summary: ClassVar[str] = "STIX bundles, NDJSON or single objects in files and folders, packed or not"
    Settings: ClassVar[type[ConnectorSettings]] = StixFileSettings

    def __init__(self, settings: StixFileSettings) -> None:
        super().__init__(settings)
        self._total_bytes = 0
        self._done_bytes = 0
        self._source: Source | None = None
        self._done: list[_Seen] = []
        """Only ever appended to, so that a checkpoint may say "the first n of these"."""

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """The objects of all files that are new or changed, files by name."""
        already = {tuple(seen) for seen in checkpoint.get("done", ())}
        current, published = tuple(checkpoint.get("current", ())), int(checkpoint.get("objects", 0))
        self._done, self._done_bytes = [], 0
        todo: list[_Seen] = []
        for seen in (_look(path) for path in self.paths()):
            (self._done if tuple(seen.as_json()) in already else todo).append(seen)
        self._total_bytes = sum(seen.size for seen in todo)
        failures: list[SourceFailed] = []
        for seen in todo:
            try:
                yield from self._file_items(seen, skip=published if tuple(seen.as_json()) == current else 0)
            except SourceFailed as failure:  # one bad file does not keep the others from the hub
                failures.append(failure)
        if failures:
            raise _together(failures)

    def _file_items(self, seen: _Seen, skip: int) -> Iterator[Item]:
        self._source = Source.open(Path(seen.path))
        for count, body in enumerate(split(self._source.chunks()), start=1):
            if count > skip:
                yield Item(body, self._mark(len(self._done), seen, count))
        self._done.append(seen)
        self._done_bytes += seen.size
        self._source = None

    def _mark(self, done: int, current: _Seen, objects: int) -> Any:
        def checkpoint() -> dict[str, Any]:
            files = [seen.as_json() for seen in self._done[:done]]
            return {"done": files, "current": current.as_json(), "objects": objects}

        return checkpoint

    def end_checkpoint(self) -> Checkpoint:
        """All files are done."""
        return {"done": [seen.as_json() for seen in self._done]}

    def share_read(self) -> float | None:
        """By bytes of the files."""
        if not self._total_bytes:
            return None
        source, share = self._source, 0.0
        if source is not None and (share_of_file := source.share_read()) is not None:
            share = share_of_file * Path(source.name).stat().st_size
        return min((self._done_bytes + share) / self._total_bytes, 1.0)

    def paths(self) -> list[Path]:
        """The files that the path names, sorted. Raises SourceFailed where there is none."""
        asked = Path(self.settings.path)
        if asked.is_dir():
            return sorted(path for path in asked.rglob("*") if path.is_file() and _is_stix(path))
        if asked.exists():
            return [asked]
        found = sorted(Path(name) for name in glob.glob(self.settings.path, recursive=True))  # noqa: PTH207 - absolute patterns
        files = [path for path in found if path.is_file()]
        if not files:
            raise SourceFailed(
                "source.missing", f"There is no file {self.settings.path}.", "Name a file, a folder, or a pattern."
            )
        return files


def _together(failures: list[SourceFailed]) -> SourceFailed:
    first, others = failures[0], len(failures) - 1
    more = f" So it is with {others} more." if others else ""
    return SourceFailed(first.code, first.says + more, "Everything else is published; mend the file and run again.")


def _is_stix(path: Path) -> bool:
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.endswith(_SUFFIXES) and not path.name.startswith(".")


def _look(path: Path) -> _Seen:
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceFailed("source.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    return _Seen(str(path), stat.st_size, stat.st_mtime_ns)
