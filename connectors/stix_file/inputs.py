"""Single files and standard input, for ``ctihub push``. Nothing is stored between runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, BinaryIO, ClassVar, Self

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import SourceFailed
from connectors.sdk.inputs import Input
from connectors.sdk.other_formats import other_format
from connectors.sdk.places import ObjectPlace
from connectors.sdk.recognise import not_a_feed
from connectors.stix_file import StixFileConnector, StixFileSettings, numbered_bodies

STDIN, STDIN_NAME = "-", "standard input"


def refuse_other_content(source: Input) -> None:
    """Raises SourceFailed if the first bytes of an input are surely not STIX: a web page, CSV, a MISP event."""
    if found := not_a_feed(source.start):
        raise SourceFailed("source.not-a-feed", f"{source.name} is {found.what}.", found.way_out)
    path = source.name if source.name != STDIN_NAME else "FILE"
    if other := other_format(source.start, path):
        raise SourceFailed("source.other-format", f"{source.name} is no STIX: this is {other.what}.", other.way_out)


class InputsSettings(ConnectorSettings):
    """The paths to read, in this order."""

    paths: tuple[str, ...]


class Inputs(Connector[InputsSettings]):
    """Reads several files, folders or patterns in sequence."""

    name: ClassVar[str] = "inputs"
    summary: ClassVar[str] = "Files named one by one, and standard input"
    Settings: ClassVar[type[ConnectorSettings]] = InputsSettings

    def __init__(self, settings: InputsSettings, *, stdin: BinaryIO | None = None) -> None:
        super().__init__(settings)
        self._stdin = stdin
        self._done = 0
        self._parts = [None if path == STDIN else _files(path) for path in settings.paths]

    @classmethod
    def named(cls, paths: Sequence[str]) -> Self:
        """Returns a connector for these paths; checks first that each has a file. Raises SourceFailed."""
        inputs = cls(InputsSettings(paths=tuple(paths)))
        for part in inputs._parts:
            if part is not None:
                part.paths()
        return inputs

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """Yields all objects, always from the beginning."""
        del checkpoint
        for part in self._parts:
            if part is None:
                yield from self._from_stdin()
            else:
                yield from part.items({})
            self._done += 1

    def _from_stdin(self) -> Iterator[Item]:
        source = Input(self._stdin or sys.stdin.buffer, name=STDIN_NAME, size_bytes=None)
        with closing(source.parts(StixFileConnector.suffixes)) as parts:
            for part in parts:
                for count, (body, unit, number) in enumerate(numbered_bodies(part)):
                    if count == 0:
                        refuse_other_content(part)
                    yield Item(body, place=ObjectPlace(part.name, unit, number))

    def may_be_empty(self) -> bool:
        """Returns True: files are checked one by one, and standard input may be empty."""
        return True

    def share_read(self) -> float | None:
        """Returns the part that was read, with equal weight for each path; None for standard input."""
        if self._done == len(self._parts):
            return 1.0
        part = self._parts[self._done]
        share = part.share_read() if part else None
        return None if share is None else (self._done + share) / len(self._parts)


class _Named(StixFileConnector):
    """Files that a user names: all data are sent to the hub, and the user sees its verdicts at once. Formats of other
    systems are recognised before.
    """

    def refuse_something_else(self, source: Input) -> None:
        """Raises SourceFailed also for the format of another system."""
        refuse_other_content(source)

    def is_object(self, body: bytes | Mapping[str, Any]) -> bool:
        """Returns True: the hub decides."""
        del body
        return True


def _files(path: str) -> StixFileConnector:
    return _Named(StixFileSettings(path=path))
