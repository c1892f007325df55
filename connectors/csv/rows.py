"""A row of a feed, and access to its content by column name or by a path into nested JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.csv.values import without_secrets

Concrete = tuple[str | int, ...]
"""A path with the actual index or key for each ``*``."""
_LIST_ENTRIES = 64
_TAG_KEYS = ("name", "tag", "label", "value", "definition")


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A place in a file."""

    unit: str
    """``line`` or ``row``."""
    number: int
    text: str

    def where(self) -> str:
        """Returns readable text: ``line 17: 198.51.100.5,IP,…``."""
        shown = "".join(sign if sign.isprintable() else " " for sign in without_secrets(self.text[:400]))
        return f"{self.unit} {self.number}: {shown}".rstrip(" :")


@dataclass(frozen=True, slots=True)
class Row:
    """The content of one row, by column."""

    cells: Mapping[str, Any]
    place: FilePlace


LeaveOut = Callable[[str, FilePlace | None], None]
"""Called with the reason and the place of content that gives no object."""
Note = Callable[[str, str, FilePlace | None], None]
"""Called with a code, a text and a place for content that was interpreted differently from its text."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row relative to one of its values: columns in the same list element or under the same keys belong to the value.

    In ``{"data": [{"ioc": …, "tlp": …}, …]}`` the ``data.*.tlp`` of a value at ``data.*.ioc`` is that of the same
    element, never that of another.
    """

    row: Row
    path: str = ""
    at: Concrete = ()

    def texts(self, column: str) -> list[str]:
        """Returns the texts in a column, or at a path such as ``address.*.ip``; several for a list."""
        return [text for content in self.contents(column) for text in texts_in(content)]

    def contents(self, column: str) -> list[Any]:
        """Returns the same as JSON values."""
        if column in self.row.cells:
            return [self.row.cells[column]]
        return [content for _, content in _find(self.row.cells, column, self.path, self.at)]

    def is_shared(self, column: str) -> bool:
        """Returns whether a column has values of several elements, so that it is unclear which one is the value's."""
        steps, own = column.split("."), self.path.split(".")
        return "*" in own and "*" in steps[_aligned(steps, own) :] and column not in self.row.cells

    def said(self, elsewhere: frozenset[str]) -> Iterator[tuple[str, Any]]:
        """Yields (name, content) of everything about the value: in the row, in each element on its path, and below.

        ``elsewhere`` are the paths to all values: content there belongs only to those values.
        """
        entry: Any = self.row.cells
        if not self.at:
            yield from _said(entry, "", elsewhere)
        gone = ""
        for step, key in zip(self.path.split("."), self.at, strict=False):
            if isinstance(entry, Mapping):
                yield from _said(entry, gone, elsewhere)
            entry, gone = entry[key], f"{gone}{step}."


def find(row: Row, column: str) -> Iterator[tuple[Found, str]]:
    """Yields each text in a column, with the row relative to it."""
    if column in row.cells:
        yield from ((Found(row), text) for text in texts_in(row.cells[column]))
        return
    for at, content in _find(row.cells, column, "", ()):
        yield from ((Found(row, column, at), text) for text in texts_in(content))


def has(row: Row, column: str) -> bool:
    """Returns whether a row has a column, also an empty one."""
    return column in row.cells or next(iter(_find(row.cells, column, "", ())), None) is not None


def rows_below(row: Row, columns: list[str], deep: int = 3) -> str | None:
    """Returns the path to elements with one of the columns, for content that contains the rows; None otherwise."""
    for key, content in list(row.cells.items())[:_LIST_ENTRIES]:
        entries = content if isinstance(content, list) else [content]
        for entry in entries[:1]:
            if isinstance(entry, Mapping):
                inner = Row(entry, row.place)
                if any(has(inner, column) for column in columns):
                    return key
                if deep > 1 and (below := rows_below(inner, columns, deep - 1)) and not isinstance(content, list):
                    return f"{key}.{below}"
    return None


def texts_in(content: Any) -> list[str]:
    """Returns the texts and numbers of a cell, or of each element of a list."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [text for entry in content for text in texts_in(entry)]
    return [] if content is None or isinstance(content, Mapping) else [str(content)]


def holds_objects(content: Any) -> bool:
    """Returns whether a cell has content that ``texts_in`` does not return."""
    if isinstance(content, list):
        return any(holds_objects(entry) for entry in content)
    return isinstance(content, Mapping) and bool(content)


def _find(cells: Mapping[str, Any], path: str, near: str, at: Concrete) -> Iterator[tuple[Concrete, Any]]:
    """Yields the content at a path; where the path is the same as ``near``, each ``*`` has the value from ``at``."""
    steps = path.split(".")
    return _walk(cells, steps, (), at[: _aligned(steps, near.split("."))])


def _aligned(steps: list[str], others: list[str]) -> int:
    """Returns the length of the common beginning of two paths."""
    return next((at for at, (one, other) in enumerate(zip(steps, others, strict=False)) if one != other),
                min(len(steps), len(others)))  # fmt: skip


def _walk(value: Any, steps: list[str], gone: Concrete, fixed: Concrete) -> Iterator[tuple[Concrete, Any]]:
    if len(gone) == len(steps):
        yield gone, value
        return
    step = steps[len(gone)]
    if len(gone) < len(fixed):
        keys: list[Any] = [fixed[len(gone)]]
    elif step == "*":
        keys = list(value) if isinstance(value, Mapping) else list(range(len(value))) if isinstance(value, list) else []
    else:
        keys = [step] if isinstance(value, Mapping) and step in value else []
    for key in keys:
        yield from _walk(value[key], steps, (*gone, key), fixed)


def paths_to(columns: Iterable[str]) -> frozenset[str]:
    """Returns the columns, and all prefixes of their paths."""
    return frozenset(path for column in columns for path in _on_the_way(column))


def _on_the_way(column: str) -> Iterator[str]:
    steps = column.split(".")
    yield from (".".join(steps[:end]) for end in range(1, len(steps) + 1))


def _said(entry: Mapping[str, Any], gone: str, elsewhere: frozenset[str], deep: int = 2) -> Iterator[tuple[str, Any]]:
    for name, content in entry.items():
        yield name, content
        small = deep and isinstance(content, Mapping) and len(content) <= _LIST_ENTRIES
        if small and f"{gone}{name}" not in elsewhere and f"{gone}*" not in elsewhere:
            yield from _said(content, f"{gone}{name}.", elsewhere, deep - 1)


def short_texts(content: Any) -> Iterator[str]:
    """Yields the texts of a cell, and of a short list of tags, which may be objects with names."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list) and len(content) <= _LIST_ENTRIES:
        for entry in content:
            named = [entry.get(key) for key in _TAG_KEYS] if isinstance(entry, Mapping) else [entry]
            yield from (text for text in named if isinstance(text, str))
