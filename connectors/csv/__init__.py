"""Publishes feeds of observables: CSV, lists of values, JSON rows; a mapping in TOML says what is where."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from connectors.csv.indicators import IndicatorMaker
from connectors.csv.mapping import FeedMapping, load
from connectors.csv.rows import Row, rows
from connectors.sdk.connector import Checkpoint, ConnectorSettings, Item, LeftOut, LeftOutCounts
from connectors.sdk.errors import SourceFailed
from connectors.sdk.files import FilesConnector, FilesSettings, SeenFile
from connectors.sdk.sources import Source


class CsvSettings(FilesSettings):
    """Which feed, read how; the rest overrides what the mapping says."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_CSV_")

    mapping: str
    """A built-in mapping (see ``docs/connectors.md``), or the path of one in TOML."""
    centre: str = Field("", max_length=63)
    """Your centre's name: part of the ids, so that two centres that carry a feed do not use each other's. Where nothing
    is set, the name that the hub knows you by."""
    tlp: Literal["clear", "green", "amber", "amber+strict", "red"] | None = None
    """The level of rows that state none."""
    confidence: int | None = Field(None, ge=0, le=100)
    """The confidence of rows that state none."""
    valid_days: int | None = Field(None, ge=1, le=36_500)
    """How long rows are valid that state no end."""
    since: datetime | None = None
    """The time of rows without a date [when the file was last changed]. Without a date of their own or this one, rows
    of a file that is downloaded anew count as changed."""


class CsvConnector(FilesConnector[CsvSettings]):
    """One indicator a value. A value that occurs again in the same file is left out, and counted.

    The same row gives the same object, byte for byte: reading an unchanged feed again changes nothing at the hub.
    """

    name: ClassVar[str] = "csv"
    summary: ClassVar[str] = "Feeds of observables: CSV, lists, JSON rows, by a mapping in TOML"
    Settings: ClassVar[type[ConnectorSettings]] = CsvSettings
    suffixes = (".csv", ".tsv", ".txt", ".list", ".json", ".ndjson", ".md5", ".sha1", ".sha256")

    def __init__(self, settings: CsvSettings) -> None:
        super().__init__(settings)
        self._mapping = _overridden(load(settings.mapping), settings)
        self._left_out = LeftOutCounts()

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """The indicators of all files that are new or changed."""
        self._left_out.clear()
        return super().items(checkpoint)

    def bodies(self, source: Source, file: SeenFile) -> Iterator[Mapping[str, Any]]:
        """The indicators of one file."""
        undated = self.settings.since or datetime.fromtimestamp(file.modified_ns // 10**9, UTC)
        maker = IndicatorMaker(self._mapping, centre=self.settings.centre, undated=undated, leave_out=self._leave_out)
        with _Values() as values:
            for row in self._checked(rows(source.chunks(), self._mapping.file, self._leave_out), file):
                for indicator in maker.indicators(row):
                    if values.is_new(indicator["id"]):
                        yield indicator
                    else:
                        self._leave_out("a repeated value")

    def reading(self) -> str:
        """A digest of the mapping and of what overrides it."""
        said = f"{self._mapping.model_dump_json()}\n{self.settings.centre}\n{self.settings.since}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def id_parts(self) -> Mapping[str, str]:
        """The centre and the feed's name."""
        return {"centre": self.settings.centre, "feed": self._mapping.feed}

    def left_out(self) -> Mapping[str, LeftOut]:
        """How many rows or values gave no object, by reason."""
        return self._left_out.by_reason()

    def _checked(self, found: Iterator[Row], file: SeenFile) -> Iterator[Row]:
        """The rows, once the first has a column that the mapping reads: a wrong mapping must not look like no news."""
        first = next(found, None)
        if first is None:
            return
        columns = [rule.column for rule in self._mapping.value]
        if self._mapping.file.format == "csv" and not any(column in first for column in columns):
            raise SourceFailed(
                "mapping.no-column",
                f"{file.path} has no column {' or '.join(columns)}; it has {', '.join(first)}.",
                "Use another mapping, or name the columns in [file].",
            )
        yield first
        yield from found

    def _leave_out(self, reason: str) -> None:
        self._left_out.add(reason)


def _overridden(mapping: FeedMapping, settings: CsvSettings) -> FeedMapping:
    said = {name: getattr(settings, name) for name in ("tlp", "confidence", "valid_days")}
    update = {name: value for name, value in said.items() if value is not None}
    return mapping.model_copy(update={"indicator": mapping.indicator.model_copy(update=update)})


class _Values:
    """Which values a file has had. SQLite's temporary database goes to disk where it grows: a set would not."""

    def __enter__(self) -> _Values:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma cache_size = -16384")
        self._database.execute("pragma journal_mode = off")
        self._database.execute("create table value (digest blob primary key) without rowid")
        self._database.execute("begin")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def is_new(self, name: str) -> bool:
        """Whether this is the first time; it is known from then on."""
        digest = hashlib.blake2b(name.encode(), digest_size=12).digest()
        return self._database.execute("insert or ignore into value values (?)", (digest,)).rowcount == 1
