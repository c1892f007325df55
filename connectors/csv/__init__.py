"""Publishes feeds of observables: CSV, lists of values, JSON rows. A mapping in TOML describes the columns."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from connectors.csv.indicators import IndicatorMaker
from connectors.csv.json_rows import read_json
from connectors.csv.lines import read_lines
from connectors.csv.list_rows import read_list
from connectors.csv.mapping import FeedMapping, load_mapping
from connectors.csv.rows import FilePlace, Row, has, rows_below
from connectors.csv.table import read_table
from connectors.sdk.connector import ConnectorSettings, LeftOutCounts, SourceWarning, shortened
from connectors.sdk.errors import SourceFailed
from connectors.sdk.files import FileBody, FilesConnector, FilesSettings, SeenFile
from connectors.sdk.inputs import Input
from connectors.sdk.recognise import instead


class CsvSettings(FilesSettings):
    """The feed and its mapping; other settings override those of the mapping."""

    model_config = SettingsConfigDict(env_prefix="CTIHUB_CSV_")

    mapping: str
    """A built-in mapping (see ``docs/connectors.md``), or the path of one in TOML."""
    centre: str = Field("", max_length=63)
    """Your centre's name. It is part of the ids, so that two centres with the same feed have different ids. The default
    is your name at the hub."""
    tlp: Literal["clear", "green", "amber", "amber+strict", "red"] | None = None
    """The TLP level of rows without one."""
    confidence: int | None = Field(None, ge=0, le=100)
    """The confidence of rows without one."""
    valid_days: int | None = Field(None, ge=1, le=36_500)
    """How many days rows without an end are valid."""
    since: datetime | None = None
    """The time of rows without a date [when the file was last changed]. If it is not set, rows without a date count as
    changed whenever the file is downloaded again."""


class CsvConnector(FilesConnector[CsvSettings]):
    """Creates one indicator per value. Further occurrences of a value in the same file are left out and counted.

    The same row always gives the same object, byte for byte: reading an unchanged feed again changes nothing at the
    hub. A file without any usable row is an error, not an empty feed.
    """

    name: ClassVar[str] = "csv"
    summary: ClassVar[str] = "Feeds of observables: CSV, lists, JSON rows, by a mapping in TOML"
    Settings: ClassVar[type[ConnectorSettings]] = CsvSettings
    suffixes = (".csv", ".tsv", ".txt", ".list", ".json", ".ndjson", ".md5", ".sha1", ".sha256")

    def __init__(self, settings: CsvSettings) -> None:
        super().__init__(settings)
        asked = load_mapping(settings.mapping)
        self._mappings = tuple(_overridden(one, settings) for one in (asked, *map(load_mapping, asked.instead)))
        self._as_meant = False
        """Whether all unused rows of the last input were left out by rules of the mapping."""

    def bodies(self, source: Input, file: SeenFile) -> Iterator[FileBody]:
        """Yields the indicators of one input. Raises SourceFailed if it has rows but none is usable."""
        told = _Told(self._left_out, source.name if source.name != self.settings.path else "")
        published = False
        with closing(source.chunks()) as chunks:
            mapping, found = self._rows(source, chunks, told)
            rows = _Watched(found, mapping)
            for indicator in self._indicators(rows, mapping, file, told):
                published = True
                yield indicator
        self.warnings += told.warnings(source.name)
        if not published:
            rows.ensure_known(source)
            self._as_meant = self._may_be_empty and told.reasons() <= {rule.reason for rule in mapping.leave_out}

    def _rows(self, source: Input, chunks: Iterator[bytes], told: _Told) -> tuple[FeedMapping, Iterator[Row]]:
        mapping = self._mappings[0]
        layout = mapping.file
        match layout.format:
            case "json":
                return mapping, read_json(chunks, layout.rows, source.name, told.leave_out)
            case "lines":
                return mapping, read_list(read_lines(chunks, layout.encodings), layout, told.leave_out)
            case "csv":
                lines = read_lines(chunks, layout.encodings)
                used, rows = read_table(lines, self._mappings, source, told.leave_out, told.note)
                if used is not mapping:
                    told.note("table.other-mapping", f"is read as mapping={used.feed}, since it has its columns", None)
                return used, rows

    def _indicators(self, rows: _Watched, mapping: FeedMapping, file: SeenFile, told: _Told) -> Iterator[FileBody]:
        file_time = datetime.fromtimestamp(file.modified_ns // 10**9, UTC)
        undated = self.settings.since or file_time
        maker = IndicatorMaker(
            mapping, centre=self.settings.centre, undated=undated, file_time=file_time, leave_out=told.leave_out
        )
        with _Values() as values:
            for row in rows:
                for indicator in maker.indicators(row):
                    if values.is_new(indicator["id"]):
                        yield FileBody(indicator, row.place.unit, row.place.number)
                    else:
                        told.leave_out("a repeated value", row.place)

    def reading(self) -> str:
        """Returns a digest of the mapping and of the settings that override it."""
        mappings = "\n".join(mapping.model_dump_json() for mapping in self._mappings)
        said = f"{mappings}\n{self.settings.centre}\n{self.settings.since}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def id_parts(self) -> Mapping[str, str]:
        """Returns the centre, and the feed that the mapping names."""
        return {"centre": self.settings.centre, "feed": self._mappings[0].feed}

    @property
    def _may_be_empty(self) -> bool:
        return self.settings.allow_empty or self._mappings[0].file.may_be_empty

    def _refuse_nothing(self, source: Input, *, something: bool) -> None:
        if not (self._may_be_empty and (self._as_meant or not something)):
            super()._refuse_nothing(source, something=something)


def _overridden(mapping: FeedMapping, settings: CsvSettings) -> FeedMapping:
    said = {name: getattr(settings, name) for name in ("tlp", "confidence", "valid_days")}
    update = {name: value for name, value in said.items() if value is not None}
    return mapping.model_copy(update={"indicator": mapping.indicator.model_copy(update=update)})


class _Told:
    """Counts what was left out of one input, and what was interpreted differently from the text."""

    def __init__(self, of_the_run: LeftOutCounts, name: str) -> None:
        self._of_the_run = of_the_run
        self._name = name
        self._reasons: set[str] = set()
        self._notes: dict[tuple[str, str], tuple[int, str]] = {}

    def leave_out(self, reason: str, place: FilePlace | None) -> None:
        """Count one more for this reason; the description has only the first place."""
        is_first = reason not in self._reasons and place is not None
        self._reasons.add(reason)
        self._of_the_run.add(reason, self._where(place) if is_first and place else "")

    def reasons(self) -> set[str]:
        """Returns all reasons so far."""
        return self._reasons

    def note(self, code: str, text: str, place: FilePlace | None) -> None:
        """Count one more of this kind; ``text`` follows the file's name in the message."""
        count, first = self._notes.get((code, text), (0, "" if place is None else self._where(place)))
        self._notes[code, text] = count + 1, first

    def warnings(self, path: str) -> Iterator[SourceWarning]:
        """Yields each kind with its count and its first place."""
        for (code, text), (count, first) in self._notes.items():
            where = f" ({count:,}, first: {shortened(first)})" if first else ""
            yield SourceWarning(code, f"{path} {text}{where}.")

    def _where(self, place: FilePlace) -> str:
        return f"{Path(self._name).name}, {place.where()}" if self._name else place.where()


class _Watched:
    """The rows of an input; records whether any of them has a column of the mapping."""

    def __init__(self, rows: Iterator[Row], mapping: FeedMapping) -> None:
        self._rows = rows
        self._columns = [rule.column for rule in mapping.value]
        self._first: Row | None = None
        self._known: bool | None = None

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self._first = self._first or row
            self._known = self._known or any(has(row, column) for column in self._columns)
            yield row

    def ensure_known(self, source: Input) -> None:
        """Raises SourceFailed if there are rows but none has a column of the mapping."""
        if self._known is not False or self._first is None:
            return
        says = f"No row of {source.name} has a column {' or '.join(self._columns)}"
        if below := rows_below(self._first, self._columns):
            way_out = f'Set [file] rows = "{below}".'
            raise SourceFailed("mapping.no-column", f"{says}; its rows are at {below}.", way_out)
        found = instead(source.start)
        raise SourceFailed("mapping.no-column", f"{says}; it is {found.what}.", f"Use another mapping. {found.way_out}")


class _Values:
    """The set of values of a file, in a temporary SQLite database, which uses the disk when it becomes large."""

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
        """Adds a value; returns whether it is new."""
        digest = hashlib.blake2b(name.encode(), digest_size=12).digest()
        return self._database.execute("insert or ignore into value values (?)", (digest,)).rowcount == 1
