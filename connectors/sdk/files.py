"""The base of connectors that read files: it finds the files, detects new ones, and continues inside them."""

from __future__ import annotations

import glob
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field

from connectors.sdk.connector import (
    Checkpoint,
    Connector,
    ConnectorSettings,
    Item,
    LeftOut,
    LeftOutCounts,
    SourceList,
    SourceWarning,
)
from connectors.sdk.errors import SourceFailed
from connectors.sdk.inputs import Input
from connectors.sdk.places import ObjectPlace
from connectors.sdk.recognise import instead, not_a_feed

_WAITING_BODIES, _WAITING_BYTES = 1_000, 1 << 20
"""How much of a file is buffered until its first object, so that a text page is not sent line by line."""


class FilesSettings(ConnectorSettings):
    """Where the files are."""

    path: str = Field(min_length=1)
    """A file, a folder (read recursively), or a pattern such as ``feeds/**/*.gz``."""
    allow_empty: bool = False
    """true: an empty file, or a folder without files, is not an error."""


_PlacedBody = tuple[ObjectPlace, bytes | Mapping[str, Any]]
FilesSettingsT = TypeVar("FilesSettingsT", bound=FilesSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """The path, size and time of a file when it was read, to detect changes."""

    path: str
    size: int
    modified_ns: int

    def as_json(self) -> list[Any]:
        """For a checkpoint."""
        return [self.path, self.size, self.modified_ns]

    def source_list(self, reading: str) -> SourceList:
        """The file as a list; ``reading``: how it is read."""
        return SourceList(self.path, f"{self.size} {self.modified_ns} {reading}")


class FileBody(NamedTuple):
    """An object of a file, and which line, row or object (``unit``) of it that is, from 1."""

    body: bytes | Mapping[str, Any]
    unit: str
    number: int


@dataclass(frozen=True, slots=True)
class _Done:
    """A file that was read completely, and its number of objects."""

    file: SeenFile
    objects: int

    def as_json(self) -> list[Any]:
        return [*self.file.as_json(), self.objects]


class FilesConnector(Connector[FilesSettingsT]):
    """Reads files by name. A file is not read again until its size or time changes.

    The checkpoint has the finished files with their numbers of objects, and how many objects of the current file are
    published. A file without objects is an error, and is read again each time. A subclass reads one file (``bodies``)
    and returns in ``reading`` what the result depends on besides the file.
    """

    suffixes: tuple[str, ...] = ()
    """The name endings of files to read from a folder or a ZIP archive, compressed or not."""

    def __init__(self, settings: FilesSettingsT) -> None:
        super().__init__(settings)
        self._total_bytes = 0
        self._done_bytes = 0
        self._in_hand: tuple[SeenFile, Input] | None = None
        self._done: list[_Done] = []
        """Append-only, so that a checkpoint can refer to the first n entries; the last entry of a path is valid."""
        self._left_out = LeftOutCounts()
        self._complete: list[SourceList] = []

    @abstractmethod
    def bodies(self, source: Input, file: SeenFile) -> Iterator[FileBody]:
        """Yields the STIX objects of one file or archive member. Their order depends only on it and on ``reading``."""

    def reading(self) -> str:
        """Returns an identifier of how files are read. When it changes, all files are read again."""
        return ""

    def id_parts(self) -> Mapping[str, str]:
        """Returns the settings that the ids of the objects depend on, by name."""
        return {}

    def is_object(self, body: bytes | Mapping[str, Any]) -> bool:
        """Returns whether an element of ``bodies`` is an object; a file without objects is an error."""
        del body
        return True

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """Yields the objects of all new or changed files, in the order of file names."""
        self._left_out.clear()
        self._complete.clear()
        known = checkpoint if checkpoint.get("reading", "") == self.reading() else {}
        current, published = tuple(known.get("current", ())), int(known.get("objects", 0))
        before = {path: _Done(SeenFile(path, *rest), objects) for path, *rest, objects in known.get("done", ())}
        self._warn_of_new_ids(checkpoint)
        files = [_look(path) for path in self.paths()]
        self._done = [before[file.path] for file in files if file.path in before]
        already = {one.file for one in self._done}
        self._done_bytes = 0
        todo = [file for file in files if file not in already]
        self._total_bytes = sum(file.size for file in todo)
        failures: list[SourceFailed] = []
        for file in todo:
            try:
                yield from self._file_items(file, skip=published if tuple(file.as_json()) == current else 0)
            except SourceFailed as failure:  # the other files are still read
                failures.append(failure)
            else:
                self._warn_if_shrunk(self._done[-1], before.get(file.path))
                self._complete.append(file.source_list(self.reading()))
        if failures:
            raise _together(failures, len(todo))

    def _file_items(self, file: SeenFile, skip: int) -> Iterator[Item]:
        source = Input.open(Path(file.path))
        self._in_hand = file, source
        count, source_list = 0, file.source_list(self.reading())
        for count, (place, body) in enumerate(self._usable(source, file), start=1):
            if count > skip:
                yield Item(body, self._mark(len(self._done), file, count), source_list, place)
        self._in_hand = None
        self._done.append(_Done(file, count))
        self._done_bytes += file.size

    def _usable(self, source: Input, file: SeenFile) -> Iterator[_PlacedBody]:
        """Yields the bodies of a file or archive. At the end it raises SourceFailed for files without an object."""
        failures: list[SourceFailed] = []
        part = None
        with closing(source.parts(self.suffixes)) as parts:
            for part in parts:
                try:
                    yield from self._of_part(part, file)
                except SourceFailed as failure:
                    failures.append(failure)
        if part is None:
            self._refuse_nothing(source, something=False)
        if failures:
            raise failures[0]

    def _of_part(self, part: Input, file: SeenFile) -> Iterator[_PlacedBody]:
        """Yields the bodies of one input. Raises SourceFailed if it is not a feed or has no object."""
        left_out = self._left_out.total()
        waiting: list[_PlacedBody] = []
        waiting_bytes, usable, patient = 0, False, True
        try:
            for body, unit, number in self.bodies(part, file):
                if not waiting:
                    self.refuse_something_else(part)
                usable = usable or self.is_object(body)
                placed = ObjectPlace(part.name, unit, number), body
                if patient:
                    waiting.append(placed)
                    waiting_bytes += len(body)
                    if usable or len(waiting) >= _WAITING_BODIES or waiting_bytes >= _WAITING_BYTES:
                        patient = False
                        yield from waiting
                        del waiting[1:]
                else:
                    yield placed
        except SourceFailed:
            self.refuse_something_else(part)
            raise
        if not usable:
            self._refuse_nothing(part, something=bool(waiting) or self._left_out.total() > left_out)

    def refuse_something_else(self, source: Input) -> None:
        """Raises SourceFailed if the source's first bytes are not those of a feed."""
        if found := not_a_feed(source.start):
            raise SourceFailed("source.not-a-feed", f"{source.name} is {found.what}.", found.way_out)

    def _refuse_nothing(self, source: Input, *, something: bool) -> None:
        """Raises SourceFailed for a file without objects, unless it is empty and may be."""
        self.refuse_something_else(source)
        found = instead(source.start)
        if something:
            says = f"{source.name} holds nothing that can be used; it is {found.what}."
            raise SourceFailed("source.nothing-usable", says, found.way_out)
        if not self.settings.allow_empty:
            what = f"has no object in it; it is {found.what}" if source.start.strip() else "is empty"
            raise SourceFailed(
                "source.empty",
                f"{source.name} {what}.",
                "Check where it was downloaded from; if it may be empty, set allow_empty=true.",
            )

    def _warn_if_shrunk(self, now: _Done, before: _Done | None) -> None:
        if before and now.objects * 2 < before.objects:
            says = f"{now.file.path} gave {now.objects:,} objects; the last time it gave {before.objects:,}."
            self.warnings.append(SourceWarning("source.shrunk", says))

    def _warn_of_new_ids(self, checkpoint: Checkpoint) -> None:
        before, now = checkpoint.get("ids", {}), self.id_parts()
        changed = [name for name in now if before and before.get(name, "") != now[name]]
        published = sum(done[-1] for done in checkpoint.get("done", ()))
        if not changed or not published:
            return
        told = " and ".join(f"{name} was {before.get(name, '')!r} and is {now[name]!r}" for name in changed)
        says = (
            f"{told}, so that every object gets a new id. The {published:,} that were published under the old ids stay"
            " at the hub beside them until they expire or you withdraw them."
        )
        self.warnings.append(SourceWarning("source.new-ids", says[0].upper() + says[1:]))

    def _mark(self, done: int, current: SeenFile, objects: int) -> Any:
        def checkpoint() -> dict[str, Any]:
            return {**self._finished(done), "current": current.as_json(), "objects": objects}

        return checkpoint

    def _finished(self, done: int) -> dict[str, Any]:
        files = [one.as_json() for one in self._done[:done]]
        return {"reading": self.reading(), "ids": dict(self.id_parts()), "done": files}

    def complete_lists(self) -> Sequence[SourceList]:
        """Returns the files that were read in this run."""
        return tuple(self._complete)

    def end_checkpoint(self) -> Checkpoint:
        """Returns the checkpoint with all files finished."""
        return self._finished(len(self._done))

    def left_out(self) -> Mapping[str, LeftOut]:
        """Returns content without objects, and skipped files, by reason."""
        return self._left_out.by_reason()

    def may_be_empty(self) -> bool:
        """Returns True, since empty files are checked one by one."""
        return True

    def share_read(self) -> float | None:
        """Returns the part that was read, by the bytes of the files."""
        if not self._total_bytes:
            return None
        in_hand = 0.0
        if self._in_hand:
            file, source = self._in_hand
            in_hand = (source.share_read() or 0.0) * file.size
        return min((self._done_bytes + in_hand) / self._total_bytes, 1.0)

    def paths(self) -> list[Path]:
        """Returns the files at the path, sorted. Raises SourceFailed if there are none."""
        asked = Path(self.settings.path)
        if asked.is_dir():
            return self._in_folder(asked)
        if asked.exists():
            return [asked]
        names = glob.glob(self.settings.path, recursive=True)  # noqa: PTH207 - pathlib has no absolute patterns
        files = sorted(path for path in map(Path, names) if path.is_file())
        if not files:
            raise SourceFailed(
                "source.missing", f"There is no file {self.settings.path}.", "Name a file, a folder, or a pattern."
            )
        return files

    def _in_folder(self, folder: Path) -> list[Path]:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        ours = [path for path in files if self._is_ours(path)]
        others = [path for path in files if not self._is_ours(path)]
        for path in others:
            self._left_out.add("a file whose name this connector does not read", str(path))
        if others and not ours:
            names = Counter(path.suffix or path.name for path in others).most_common(3)
            raise SourceFailed(
                "source.no-known-file",
                f"None of the {len(others):,} files in {folder} is read: their names end in"
                f" {', '.join(name for name, _ in names)}.",
                f"Names must end in {', '.join(self.suffixes)}, packed or not; or name the files by a pattern.",
            )
        if not ours and not self.settings.allow_empty:
            raise SourceFailed(
                "source.missing", f"There is no file in {folder}.", "If that may be, set allow_empty=true."
            )
        return ours

    def _is_ours(self, path: Path) -> bool:
        return path.name.lower().removesuffix(".gz").endswith((*self.suffixes, ".zip"))


def _together(failures: list[SourceFailed], files: int) -> SourceFailed:
    first, others = failures[0], len(failures) - 1
    more = f" The same applies to {others} more." if others else ""
    published = " Everything else is published; correct the file and run again." if len(failures) < files else ""
    return SourceFailed(first.code, first.says + more, (first.way_out + published).strip())


def _look(path: Path) -> SeenFile:
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceFailed("source.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    return SeenFile(str(path), stat.st_size, stat.st_mtime_ns)
