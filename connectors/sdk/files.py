"""What connectors that read files share: which files, which of them are new, and where in them to go on."""

from __future__ import annotations

import glob
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import SourceFailed
from connectors.sdk.sources import Source


class FilesSettings(ConnectorSettings):
    """Where the files are."""

    path: str = Field(min_length=1)
    """A file, a folder (read with what is below it), or a pattern such as ``feeds/**/*.gz``."""


FilesSettingsT = TypeVar("FilesSettingsT", bound=FilesSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it was when it was read: by this a changed file is known."""

    path: str
    size: int
    modified_ns: int

    def as_json(self) -> list[Any]:
        """For a checkpoint."""
        return [self.path, self.size, self.modified_ns]


class FilesConnector(Connector[FilesSettingsT]):
    """Reads files by name. A file that was read is not read again until its size or its time changes.

    The checkpoint names the files that are done and how many objects of the one in hand are published. A subclass reads
    one file (``bodies``), and says by ``reading`` what its result depends on besides the file.
    """

    suffixes: tuple[str, ...] = ()
    """What files are called that a folder, or a ZIP archive, is searched for, packed or not."""

    def __init__(self, settings: FilesSettingsT) -> None:
        super().__init__(settings)
        self._total_bytes = 0
        self._done_bytes = 0
        self._in_hand: tuple[SeenFile, Source] | None = None
        self._done: list[SeenFile] = []
        """Only ever appended to, so that a checkpoint may say "the first n of these"."""

    @abstractmethod
    def bodies(self, source: Source, file: SeenFile) -> Iterator[bytes | Mapping[str, Any]]:
        """The STIX objects of one file (or of one in an archive), in an order that only it and ``reading`` decide."""

    def reading(self) -> str:
        """A word for how files are read: when it changes, what was done counts as not done."""
        return ""

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """The objects of all files that are new or changed, files by name."""
        known = checkpoint if checkpoint.get("reading", "") == self.reading() else {}
        already = {tuple(seen) for seen in known.get("done", ())}
        current, published = tuple(known.get("current", ())), int(known.get("objects", 0))
        self._done, self._done_bytes = [], 0
        todo: list[SeenFile] = []
        for file in (_look(path) for path in self.paths()):
            (self._done if tuple(file.as_json()) in already else todo).append(file)
        self._total_bytes = sum(file.size for file in todo)
        failures: list[SourceFailed] = []
        for file in todo:
            try:
                yield from self._file_items(file, skip=published if tuple(file.as_json()) == current else 0)
            except SourceFailed as failure:  # one bad file does not keep the others from the hub
                failures.append(failure)
        if failures:
            raise _together(failures)

    def _file_items(self, file: SeenFile, skip: int) -> Iterator[Item]:
        source = Source.open(Path(file.path))
        self._in_hand = file, source
        with closing(source.parts(self.suffixes)) as parts:
            bodies = chain.from_iterable(self.bodies(part, file) for part in parts)
            for count, body in enumerate(bodies, start=1):
                if count > skip:
                    yield Item(body, self._mark(len(self._done), file, count))
        self._in_hand = None
        self._done.append(file)
        self._done_bytes += file.size

    def _mark(self, done: int, current: SeenFile, objects: int) -> Any:
        def checkpoint() -> dict[str, Any]:
            return {**self._finished(done), "current": current.as_json(), "objects": objects}

        return checkpoint

    def _finished(self, done: int) -> dict[str, Any]:
        return {"reading": self.reading(), "done": [file.as_json() for file in self._done[:done]]}

    def end_checkpoint(self) -> Checkpoint:
        """All files are done."""
        return self._finished(len(self._done))

    def share_read(self) -> float | None:
        """By bytes of the files."""
        if not self._total_bytes:
            return None
        in_hand = 0.0
        if self._in_hand:
            file, source = self._in_hand
            in_hand = (source.share_read() or 0.0) * file.size
        return min((self._done_bytes + in_hand) / self._total_bytes, 1.0)

    def paths(self) -> list[Path]:
        """The files that the path names, sorted. Raises SourceFailed where there is none."""
        asked = Path(self.settings.path)
        if asked.is_dir():
            return sorted(path for path in asked.rglob("*") if path.is_file() and self._is_ours(path))
        if asked.exists():
            return [asked]
        names = glob.glob(self.settings.path, recursive=True)  # noqa: PTH207 - pathlib has no absolute patterns
        files = sorted(path for path in map(Path, names) if path.is_file())
        if not files:
            raise SourceFailed(
                "source.missing", f"There is no file {self.settings.path}.", "Name a file, a folder, or a pattern."
            )
        return files

    def _is_ours(self, path: Path) -> bool:
        name = path.name.lower().removesuffix(".gz")
        return name.endswith((*self.suffixes, ".zip")) and not path.name.startswith(".")


def _together(failures: list[SourceFailed]) -> SourceFailed:
    first, others = failures[0], len(failures) - 1
    more = f" So it is with {others} more." if others else ""
    return SourceFailed(first.code, first.says + more, "Everything else is published; mend the file and run again.")


def _look(path: Path) -> SeenFile:
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceFailed("source.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    return SeenFile(str(path), stat.st_size, stat.st_mtime_ns)
