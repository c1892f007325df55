"""Files named one by one, and standard input: what ``ctihub push`` reads. Nothing is remembered between runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, BinaryIO, ClassVar, Self

from connectors.sdk.connector import Checkpoint, Connector, ConnectorSettings, Item
from connectors.sdk.errors import SourceFailed
from connectors.sdk.inputs import Input
from connectors.sdk.objects import split
from connectors.sdk.recognise import not_a_feed
from connectors.stix_file import StixFileConnector, StixFileSettings

STDIN = "-"


class InputsSettings(ConnectorSettings):
    """What to read, in this order."""

    paths: tuple[str, ...]


class Inputs(Connector[InputsSettings]):
    """Several files, folders or patterns in turn."""

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
        """Check that every path leads to a file before anything is read. Raises SourceFailed."""
        inputs = cls(InputsSettings(paths=tuple(paths)))
        for part in inputs._parts:
            if part is not None:
                part.paths()
        return inputs

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """All objects, always from the beginning."""
        del checkpoint
        for part in self._parts:
            if part is None:
                yield from self._from_stdin()
            else:
                yield from part.items({})
            self._done += 1

    def _from_stdin(self) -> Iterator[Item]:
        source = Input(self._stdin or sys.stdin.buffer, name="standard input", size_bytes=None)
        with closing(source.parts(StixFileConnector.suffixes)) as parts:
            for part in parts:
                for number, body in enumerate(split(part.chunks())):
                    if number == 0 and (found := not_a_feed(part.start)):
                        raise SourceFailed("source.not-a-feed", f"{part.name} is {found.what}.", found.way_out)
                    yield Item(body)

    def may_be_empty(self) -> bool:
        """Files are judged one by one; standard input may be a pipe that had nothing to say."""
        return True

    def share_read(self) -> float | None:
        """Each path counts the same; None while standard input is read."""
        if self._done == len(self._parts):
            return 1.0
        part = self._parts[self._done]
        share = part.share_read() if part else None
        return None if share is None else (self._done + share) / len(self._parts)


class _Named(StixFileConnector):
    """Files that a person names: whatever looks like data goes to the hub, whose verdicts the person sees at once."""

    def is_object(self, body: bytes | Mapping[str, Any]) -> bool:
        """The hub judges."""
        del body
        return True


def _files(path: str) -> StixFileConnector:
    return _Named(StixFileSettings(path=path))
