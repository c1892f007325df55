"""Mappings in TOML: the layout of a feed's file, the places of its values, and the meaning of its columns."""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectors.csv.kinds import KINDS
from connectors.sdk.errors import WrongSettings

_Percent = Annotated[int, Field(ge=0, le=100)]
Columns = tuple[str, ...]
FIELD = re.compile(r"\{([^{}]+)\}")
"""A column in a template."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Layout(_Part):
    """``[file]``: how bytes become rows."""

    format: Literal["csv", "lines", "json"] = "csv"
    """csv; lines: one value per line (also hosts and adblock syntax); json: a list of objects, or NDJSON."""
    delimiter: str = ","
    """One character, or ``tab``, ``whitespace``, ``auto`` (the one of , ; tab | that the first rows agree on)."""
    quote: str = '"'
    comments: Columns = ("#",)
    """The beginnings of lines that are not data."""
    rows: str | None = None
    """The path of the rows in JSON: ``data``, ``data.items``; ``*`` is every key, as in an object of rows by id.
    Without it, each object of a list or of NDJSON is a row."""
    header: Literal["row", "comment"] | None = None
    """Where the names of the columns are: in the first row, or in the last comment before it. If they are not there,
    the other place is tried."""
    columns: Columns = ()
    """The names of the columns, for a file without names."""
    rename: dict[str, str] = {}
    """Other names of columns: ``{ indikator = "Indicator" }``. Case, blanks, hyphens and underscores are ignored."""
    encodings: Columns = ("utf-8", "cp1252")
    """Tried in this order, line by line; a byte order mark decides before them."""
    may_be_empty: bool = False
    """Whether a file without rows, or only with rows of ``[[leave_out]]``, is valid. Otherwise it is an error, unless
    the setting ``allow_empty`` is true."""
    recognised_by: Columns = ()
    """Columns that only this feed has. A file with all of them is read with this mapping if the selected mapping lists
    it in ``instead``."""

    @model_validator(mode="after")
    def _names_somewhere(self) -> Layout:
        if self.format == "csv" and not self.header and not self.columns:
            raise ValueError("say where the columns' names are: header = 'row', header = 'comment', or columns = […]")
        if len(self.delimiter) != 1 and self.delimiter not in ("tab", "whitespace", "auto"):
            raise ValueError("delimiter is one character, or tab, whitespace, auto")
        return self


class ValueRule(_Part):
    """``[[value]]``: one place of an observable in a row."""

    column: str = "value"
    """The name of the column; in JSON a path such as ``address.*.ip``."""
    kind: str | None = None
    """The kind for all rows: ipv4-addr, ipv6-addr, ip, domain-name, url, email-addr, hash, MD5 …, or ``detect``."""
    kind_column: str | None = None
    """The column with the kind of each row."""
    kinds: dict[str, str] = {}
    """The feed's own words for kinds. If a row has no kind, it is detected from the value."""
    separator: str | None = None
    """The separator of several values in one cell. By default blanks, line breaks, commas and semicolons separate them,
    if each part is a value."""

    @model_validator(mode="after")
    def _one_way_to_tell(self) -> ValueRule:
        if bool(self.kind) == bool(self.kind_column):
            raise ValueError("give either kind or kind_column")
        for kind in (*([self.kind] if self.kind else ()), *self.kinds.values()):
            if kind not in KINDS:
                raise ValueError(f"there is no kind {kind!r}; there are {', '.join(sorted(KINDS))}")
        return self


class LeaveOutRule(_Part):
    """``[[leave_out]]``: rows that are not indicators, such as victims in a list of events. They are counted."""

    column: str
    words: Columns = ()
    """Rows with one of these words in the column are left out; case is ignored …"""
    unless: Columns = ()
    """… or all rows except those with one of these words."""
    reason: str = Field("left out by the mapping", max_length=100)

    @model_validator(mode="after")
    def _one_way_to_tell(self) -> LeaveOutRule:
        if bool(self.words) == bool(self.unless):
            raise ValueError("give either words or unless")
        return self


class IndicatorRule(_Part):
    """``[indicator]``: the meaning of the other columns. Everything is optional."""

    tlp: Literal["clear", "green", "amber", "amber+strict", "red"] | None = None
    """The TLP level of rows without one. If there is none, the hub uses the centre's default."""
    tlp_column: str | None = None
    """The column of the level. The strictest level of it and of tags such as ``tlp:red`` in other columns is used. A
    row with an unreadable level is left out."""
    tlp_words: dict[str, Literal["clear", "green", "amber", "amber+strict", "red"]] = {}
    """The feed's words for levels."""
    confidence: _Percent | None = None
    confidence_column: str | None = None
    confidence_words: dict[str, _Percent] = {"low": 15, "medium": 50, "high": 85}
    """Words for numbers. Source of the defaults: STIX 2.1, appendix A, "Low/Med/High"."""
    first_seen: Columns = ()
    """Columns for ``created`` and ``valid_from``; the first with a date is used."""
    last_seen: Columns = ()
    """Columns for ``modified``; the first with a date is used."""
    valid_until: Columns = ()
    """Columns for the end; the first that is not empty is used. An unreadable end is replaced by ``valid_days``."""
    valid_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Days of validity after ``modified``, if no column has an end."""
    date_formats: Columns = ()
    """Formats of ``strptime``, tried first. They are needed if the order of day and month is ambiguous: ``%m/%d/%Y``.
    Times without a zone are UTC."""
    indicator_types: Columns = ()
    type_words: dict[str, str] = {}
    """Indicator types by words of a label column, such as ``phish`` = ``malicious-activity``."""
    labels: Columns = ()
    label_columns: Columns = ()
    label_separator: str = ","
    name: str | None = None
    """A template with ``{column}``; not set if such a column is empty."""
    description: str | None = None
    reference_columns: Columns = ()
    reference_name: str | None = None
    """``source_name`` of the references [the feed's name]."""


class FeedMapping(_Part):
    """A whole mapping."""

    feed: str = Field(min_length=1, max_length=100)
    """The feed's name. It is part of every id, so it must not change."""
    file: Layout = Layout(columns=("value",))
    value: Annotated[tuple[ValueRule, ...], Field(min_length=1)]
    take: Literal["all", "first"] = "all"
    """Whether to use all ``[[value]]`` that a row has, or only the first."""
    no_value: Columns = ("", "none", "null", "n/a", "na", "-", "nan", "(empty)")
    """The texts of an empty column; case is ignored."""
    leave_out: tuple[LeaveOutRule, ...] = ()
    instead: Columns = ()
    """Built-in mappings to use instead if the file has all columns that only their feed has."""
    indicator: IndicatorRule = IndicatorRule()

    def names(self, cells: list[str]) -> list[str]:
        """Returns the columns of a header with the mapping's names, without duplicates."""
        said = [cell.strip().strip('"').strip() for cell in cells]
        targets = [(column, column) for column in sorted(self._columns())] + list(self.file.rename.items())
        renamed: dict[int, str] = {}
        for spelling, name in targets:
            places = [at for at, cell in enumerate(said) if cell == spelling] or [
                at for at, cell in enumerate(said) if plain(cell) == plain(spelling)
            ]
            if places and name not in renamed.values() and places[0] not in renamed:
                renamed[places[0]] = name
        names: list[str] = []
        for at, cell in enumerate(said):
            name = renamed.get(at, cell)
            taken = name in names or (at not in renamed and name in renamed.values())
            names.append(f"{name} ({at + 1})" if taken else name)
        return names

    def fits(self, names: list[str], *, asked: bool) -> bool:
        """Returns whether the mapping can read a table with these columns; if not ``asked``, by all its own columns."""
        if not asked:
            return {*self.file.recognised_by} <= {*names}
        return any(rule.column in names for rule in self.value)

    def exact_columns(self) -> set[str]:
        """Returns the columns whose content is interpreted, not only shown."""
        said = self.indicator
        exact = {rule.column for rule in self.value} | {rule.column for rule in self.leave_out}
        exact |= {rule.kind_column for rule in self.value if rule.kind_column}
        exact |= {*said.first_seen, *said.last_seen, *said.valid_until, *said.label_columns, *said.reference_columns}
        return exact | {column for column in (said.tlp_column, said.confidence_column) if column}

    def _columns(self) -> set[str]:
        templates = f"{self.indicator.name} {self.indicator.description}"
        return self.exact_columns() | {*FIELD.findall(templates)}


def plain(name: str) -> str:
    """Returns a column's name in lower case without blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name.casefold())


def load_mapping(name: str) -> FeedMapping:
    """Loads a built-in mapping by name, or another by path. Raises WrongSettings."""
    try:
        # via JSON: strict mode accepts a JSON list for a tuple, but not a Python list
        return FeedMapping.model_validate_json(orjson.dumps(tomllib.loads(_text(name))))
    except OSError as error:
        raise WrongSettings("mapping.unreadable", f"The mapping {name} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongSettings("mapping.not-toml", f"The mapping {name} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise WrongSettings("mapping.invalid", f"The mapping {name} is wrong at {where}: {first['msg']}.") from error


def _text(name: str) -> str:
    if name in built_in():
        return (resources.files("connectors.csv") / "mappings" / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if not path.suffix and not path.exists():
        near = difflib.get_close_matches(name, built_in(), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Built in are {', '.join(built_in())}; others go by their path."
        raise WrongSettings("mapping.unknown", f"There is no mapping {name}.", hint)
    return path.read_text(encoding="utf-8")


def built_in() -> list[str]:
    """Returns the names of the built-in mappings."""
    folder = resources.files("connectors.csv") / "mappings"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
