"""Reads lines as rows of a table: comments, quotes, column names. Memory is bounded for any content."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from connectors.csv.levels import is_level_column, level_remarks
from connectors.csv.lines import LINE_BYTES, Line
from connectors.csv.mapping import FeedMapping, Layout
from connectors.csv.rows import FilePlace, LeaveOut, Note, Row
from connectors.sdk.connector import shortened
from connectors.sdk.errors import SourceFailed
from connectors.sdk.inputs import Input
from connectors.sdk.recognise import instead

RECORD_CHARS = LINE_BYTES
RECORD_LINES = RECORD_CELLS = 4096
"""The limits of a record. A longer one most likely follows an unclosed quote."""
_AGAIN_CHARS = 4 * RECORD_CHARS
"""How much may be read again after unclosed quotes. Beyond it, each line is one record."""
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
_SAMPLE = 20
_QUOTE_WITHOUT_END = "a quote that never ends"
_ZEEK_FIELDS = re.compile(r"#fields\t(.+)", re.DOTALL)
_EXCEL_DELIMITER = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)

csv.field_size_limit(RECORD_CHARS)


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """The cells of one record."""

    cells: list[str]
    place: FilePlace
    after_break: bool = False
    """Whether its line followed an unclosed quote."""
    is_open: bool = False
    """Whether the file ends here without a line end."""


def read_table(
    lines: Iterator[Line], mappings: tuple[FeedMapping, ...], source: Input, leave_out: LeaveOut, note: Note
) -> tuple[FeedMapping, Iterator[Row]]:
    """Returns the suitable mapping, and the rows with its column names.

    ``mappings``: the requested one, and others that replace it if a file has all of their own columns. Raises
    SourceFailed if no column of the mapping is found, or if all rows have more cells than there are names.
    """
    layout = mappings[0].file
    head = _Head.read(lines, layout)
    sample = list(islice(head.rest, _SAMPLE))
    delimiter = head.delimiter or _delimiter([line.text or "" for line in sample], mappings)
    data = chain(sample, head.rest)
    records = (
        _blank_separated(data, layout, leave_out)
        if delimiter == "whitespace"
        else iter(_Records(data, layout, delimiter, leave_out))
    )
    first = next(records, None)
    mapping, names, first_is_header = _names(head, first, delimiter, mappings, source)
    ahead = [first] if first and not first_is_header else []
    ahead += islice(records, _SAMPLE)
    _ensure_as_wide(ahead, names, source.name)
    rows = _rows(chain(ahead, records), mapping, names, delimiter, leave_out, note)
    if head.levels:
        rows = (Row({**row.cells, "@remarks": head.levels}, row.place) for row in rows)
    return mapping, rows


# The names of the columns


@dataclass
class _Head:
    """The lines before the first record."""

    comments: list[str]
    """The last comment that is not empty, or the names of Zeek's columns, without the comment sign."""
    delimiter: str
    rest: Iterator[Line]
    levels: list[str]
    """The levels that comments state for the whole file."""

    @classmethod
    def read(cls, lines: Iterator[Line], layout: Layout) -> _Head:
        comment, delimiter, levels = "", "", list[str]()
        for line in lines:
            text = line.text or ""
            if zeek := _ZEEK_FIELDS.match(text):
                return cls([zeek[1].rstrip("\r\n")], "\t", lines, levels)
            if excel := _EXCEL_DELIMITER.fullmatch(text):
                delimiter = excel[1]
                continue
            mark = next((mark for mark in layout.comments if text.startswith(mark)), None)
            if mark is None and (text.strip() or line.text is None):
                return cls([comment] if comment else [], delimiter, chain([line], lines), levels)
            said = text[len(mark or "") :].strip()
            comment = said if said.strip("# ") else comment
            levels += level_remarks(said) if len(levels) < _SAMPLE else []
        return cls([comment] if comment else [], delimiter, iter(()), levels)


def _names(
    head: _Head, first: CsvRecord | None, delimiter: str, mappings: tuple[FeedMapping, ...], source: Input
) -> tuple[FeedMapping, list[str], bool]:
    """Returns the mapping, its names of the columns, and whether the first record is the header.

    Feeds sometimes move the header between the last comment and a row, so both are checked, whatever the mapping says.
    """
    commented = next(csv.reader(head.comments, **_dialect(delimiter, mappings[0].file)), [])
    row = first.cells if first else []
    for mapping in (*mappings[1:], mappings[0]):
        for cells in sorted((row, commented), key=len, reverse=True):
            names = mapping.names(cells)
            if mapping.fits(names, asked=mapping is mappings[0]):
                return mapping, names, cells is row
    asked = mappings[0]
    if asked.file.columns:
        return asked, list(asked.file.columns), False
    shown = commented if asked.file.header == "comment" and commented else row
    wanted = [rule.column for rule in asked.value]
    says = f"{source.name} has no column {' or '.join(wanted)}"
    if first is None and not commented:
        return asked, wanted, False  # an empty file; the caller decides whether that is valid
    if source.start.lstrip()[:1] in (b"{", b"["):
        found = instead(source.start)
        raise SourceFailed("mapping.no-column", f"{says}; it is {found.what}.", found.way_out)
    has = shortened("".join(sign for sign in ", ".join(shown) if sign.isprintable())) or "none"
    raise SourceFailed(
        "mapping.no-column", f"{says}; it has {has}.", "Use another mapping, or name the columns in [file]."
    )


def _ensure_as_wide(ahead: list[CsvRecord], names: list[str], path: str) -> None:
    whole = [_without_empty_tail(record.cells, names) for record in ahead if not record.after_break]
    surplus = {len(cells) - len(names) for cells in whole}
    if len(whole) > 1 and len(surplus) == 1 and (more := surplus.pop()) > 0:
        raise SourceFailed(
            "mapping.more-columns",
            f"Every row of {path} has {more} more cells than the {len(names)} columns that are named.",
            "A column was added without a name: name all columns in [file].",
        )


# Rows


def _rows(
    records: Iterable[CsvRecord],
    mapping: FeedMapping,
    names: list[str],
    delimiter: str,
    leave_out: LeaveOut,
    note: Note,
) -> Iterator[Row]:
    is_text = names[-1] not in mapping.exact_columns()
    values = {rule.column for rule in mapping.value} & {*names}
    for record in records:
        cells = _without_empty_tail(record.cells, names)
        if not any(map(str.strip, cells)) or any(cells[names.index(name) :][:1] == [name] for name in values):
            continue  # an empty row, or a repeated header
        if record.after_break and len(record.cells) != len(names):
            leave_out("a row behind a quote that never ends", record.place)
            continue
        if len(cells) < len(names) and _is_cut_off(record, names[len(cells) :], mapping):
            leave_out("a last row that is cut off before its level", record.place)
            continue
        if len(cells) > len(names):
            if not is_text or any("tlp" in cell.lower() for cell in cells[len(names) - 1 :]):
                leave_out("more cells than columns", record.place)
                continue
            says = f"has rows with more cells than columns; what is too much was read as a part of {names[-1]}"
            note("table.more-cells", says, record.place)
            cells = [*cells[: len(names) - 1], delimiter.join(cells[len(names) - 1 :])]
        yield Row(dict(zip(names, cells, strict=False)), record.place)


def _is_cut_off(record: CsvRecord, missing: list[str], mapping: FeedMapping) -> bool:
    """Returns whether a download ended inside the row, so that its level may be missing."""
    states_level = any(is_level_column(name) or name == mapping.indicator.tlp_column for name in missing)
    return states_level and record.is_open


def _without_empty_tail(cells: list[str], names: list[str]) -> list[str]:
    """Removes an empty last cell: some feeds end each row with a delimiter."""
    end = len(cells)
    while end > len(names) and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


# Records


class _Lines:
    """The lines for the CSV reader. A comment can begin only where a record does, outside of quotes."""

    def __init__(self, lines: Iterator[Line], layout: Layout, leave_out: LeaveOut) -> None:
        self._lines = lines
        self._marks = layout.comments
        self._leave_out = leave_out
        self._again: deque[Line] = deque()
        self._left_to_repeat = _AGAIN_CHARS
        self._chars = 0
        self.taken: list[Line] = []
        """The lines of the current record."""

    def __iter__(self) -> _Lines:
        return self

    def begin(self) -> None:
        """Start a new record with the next line."""
        self.taken, self._chars = [], 0

    @property
    def repeats(self) -> bool:
        """Whether the current lines are read again after an unclosed quote."""
        return bool(self._again)

    def again(self, lines: list[Line]) -> None:
        """Return these lines once more."""
        self._again.extendleft(reversed(lines))
        self._left_to_repeat -= sum(len(line.text or "") for line in lines)

    def __next__(self) -> str:
        while True:
            if self.taken and self._again and self._left_to_repeat < 0:
                raise _BrokenOffError
            line = self._next()
            if line.text is None:
                self._leave_out("a line over 1 MiB", FilePlace("line", line.number, ""))
                if self.taken:
                    raise _BrokenOffError
                continue
            if not self.taken and (not line.text.strip() or (self._marks and line.text.startswith(self._marks))):
                continue
            self.taken.append(line)
            self._chars += len(line.text)
            if self._chars > RECORD_CHARS + 2 or len(self.taken) > RECORD_LINES:
                raise _BrokenOffError
            return line.text

    def _next(self) -> Line:
        if self._again:
            return self._again.popleft()
        line = next(self._lines)
        self._left_to_repeat = min(self._left_to_repeat + len(line.text or ""), _AGAIN_CHARS)
        return line


class _BrokenOffError(Exception):
    """The current record exceeds the limits."""


class _Records:
    """The records of a file. An unclosed quote affects only its line, not the rest of the file."""

    def __init__(self, lines: Iterator[Line], layout: Layout, delimiter: str, leave_out: LeaveOut) -> None:
        self._lines = _Lines(lines, layout, leave_out)
        self._dialect = _dialect(delimiter, layout)
        self._leave_out = leave_out

    def __iter__(self) -> Iterator[CsvRecord]:
        reader = csv.reader(self._lines, strict=True, **self._dialect)
        while True:
            after_break = self._lines.repeats
            self._lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _BrokenOffError) as error:
                mended = self._mended(ended_early=isinstance(error, csv.Error))
                if mended is None:
                    continue
                cells = mended
            taken = self._lines.taken
            place = _place(taken)
            if len(cells) > RECORD_CELLS:
                self._leave_out(f"a row of over {RECORD_CELLS:,} cells", place)
            else:
                is_open = not (taken[-1].text or "").endswith(("\n", "\r"))
                yield CsvRecord(cells, place, after_break, is_open)

    def _mended(self, *, ended_early: bool) -> list[str] | None:
        """Returns the cells of a single line with stray quotes; None if the first line is lost."""
        first, *others = self._lines.taken
        if not others and ended_early and (cells := self._on_one_line(first.text or "")) is not None:
            return cells
        self._leave_out(_QUOTE_WITHOUT_END, _place([first]))
        self._lines.again(others)
        return None

    def _on_one_line(self, text: str) -> list[str] | None:
        """Reads a line leniently; returns None if a quote is open at its end."""
        both = list(csv.reader([text, "end"], **self._dialect))
        return both[0] if len(both) == 2 else None


def _place(lines: list[Line]) -> FilePlace:
    return FilePlace("line", lines[0].number, "".join(line.text or "" for line in lines[:2]))


def _blank_separated(lines: Iterable[Line], layout: Layout, leave_out: LeaveOut) -> Iterator[CsvRecord]:
    for line in lines:
        if line.text is None:
            leave_out("a line over 1 MiB", FilePlace("line", line.number, ""))
        elif line.text.strip() and not (layout.comments and line.text.startswith(layout.comments)):
            yield CsvRecord(line.text.split(), _place([line]))


def _dialect(delimiter: str, layout: Layout) -> dict[str, Any]:
    if delimiter == "whitespace":
        delimiter = " "
    return {"delimiter": delimiter, "quotechar": layout.quote, "skipinitialspace": True}


def _delimiter(sample: list[str], mappings: tuple[FeedMapping, ...]) -> str:
    layout = mappings[0].file
    if layout.delimiter != "auto":
        return "\t" if layout.delimiter == "tab" else layout.delimiter
    # The one that separates the column names; otherwise the one that occurs in most lines, and in most of these the
    # same number of times.
    headers = {delimiter: next(csv.reader(sample[:1], **_dialect(delimiter, layout)), []) for delimiter in _DELIMITERS}
    fit = [one for one in _DELIMITERS if mappings[0].fits(mappings[0].names(headers[one]), asked=True)]
    if fit:
        best = max(fit, key=lambda delimiter: len(headers[delimiter]))
        return best if len(headers[best]) > 1 else _NO_DELIMITER
    scores = {}
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in sample if delimiter in line)
        scores[delimiter] = (sum(counts.values()), max(counts.values(), default=0))
    return max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
