"""Which ids a feed has published, in a file beside its checkpoint, so that they can be withdrawn: all of them, or those
that the source lists no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from connectors.sdk.connector import SourceList
from connectors.sdk.errors import WrongSettings
from connectors.sdk.publisher import ItemBatch

_UNREADABLE = ""
"""Stands for the ids that could not be read."""
_SCHEMA = """
create table if not exists published (
    id text not null, list text not null, version text not null, listed integer not null, primary key (id, list)
) without rowid
"""
_ADD = """
insert into published (id, list, version, listed) values (?, ?, ?, 1)
on conflict (id, list) do update set version = excluded.version, listed = 1
"""
_UNLISTED = """
select id from published as old where list = ? and version <> ? and listed and not exists (
    select 1 from published as other where other.id = old.id and other.list <> old.list and other.listed
) and id <> '' order by id
"""


_ALL = "select distinct id from published where id <> '' order by id"


class Unlisted(NamedTuple):
    """What stood in a list, and stands in it no more."""

    ids: Sequence[str]
    left: int
    """How many objects stand in the list now."""


class PublishedIds(Protocol):
    """Remembers the ids of what a feed has published."""

    def add(self, batch: ItemBatch) -> None:
        """Remember the ids of a batch durably; call it before the batch is published, so that none is missing."""
        ...

    def unlisted(self, source_list: SourceList) -> Unlisted | None:
        """Returns what stood in older versions of a list that was read completely, and stands in no list now; None if
        an id in it could not be read, which may be any of those that seem to be missing.
        """
        ...

    def settle(self, source_list: SourceList) -> None:
        """Remember that what is ``unlisted`` was withdrawn."""
        ...


class NothingPublished:
    """Remembers nothing."""

    def add(self, batch: ItemBatch) -> None:
        """Does nothing."""

    def unlisted(self, source_list: SourceList) -> Unlisted | None:
        """Returns None: it cannot tell."""
        del source_list
        return None

    def settle(self, source_list: SourceList) -> None:
        """Does nothing."""


class PublishedFile:
    """An SQLite file. Ids stay in it when they were withdrawn, so that all of a feed can be withdrawn once more."""

    def __init__(self, path: Path) -> None:
        """Creates the file with the first batch. ``path``: see ``published_beside``."""
        self.path = path

    def add(self, batch: ItemBatch) -> None:
        """See ``PublishedIds``."""
        rows = [
            (id_of(body) or _UNREADABLE, *(source_list or ("", "")))
            for body, source_list in zip(batch.bodies, batch.lists, strict=True)
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as file, file:
            file.executemany(_ADD, rows)

    def unlisted(self, source_list: SourceList) -> Unlisted | None:
        """See ``PublishedIds``."""
        here = "select id from published where list = ? and version = ?"
        with self._opened() as file:
            now = {row[0] for row in file.execute(here, source_list)}
            if _UNREADABLE in now:
                return None
            return Unlisted([row[0] for row in file.execute(_UNLISTED, source_list)], len(now))

    def settle(self, source_list: SourceList) -> None:
        """See ``PublishedIds``."""
        with self._opened() as file, file:
            file.execute("update published set listed = 0 where list = ? and version <> ?", source_list)

    def ids(self) -> Iterator[str]:
        """Yields every id once, in order. Raises WrongSettings if the file cannot be read."""
        with self._opened() as file:
            yield from (row[0] for row in file.execute(_ALL))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path)) as file:
                file.execute(_SCHEMA)
                yield file
        except sqlite3.Error as error:
            raise WrongSettings(
                "feed.unreadable",
                f"{self.path} cannot be read or written: {error}.",
                "It should be the list of ids that a connector keeps, on a disk with room.",
            ) from error


def published_beside(state: Path) -> Path:
    """The path of the published ids of the feed whose checkpoint is at ``state``."""
    return state.with_name(f"{state.name.removesuffix('.json')}.published")


class _Id(msgspec.Struct):
    id: str


_id = msgspec.json.Decoder(_Id)


def id_of(body: bytes) -> str | None:
    """The id of an object, or None if it cannot be read."""
    try:
        return _id.decode(body).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
