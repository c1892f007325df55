"""How tests read lists back: as the products do, with none of the code that wrote them.

Each format has a module in ``tests/doors/formats/``, called like its own, that defines ``READER``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import ip_network
from typing import Any

from hub.doors.export.entry import ListedObject, ListItem
from hub.doors.export.format import About, Format, Writer
from hub.doors.export.formats import module_name
from hub.model.words import Seq

_CODE = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


@dataclass(frozen=True)
class Reader:
    """Reads the lists of one format."""

    read: Callable[[bytes], list[Any]]
    """What a whole list says, entry by entry. Fails where its least careful reader would see anything else."""
    says: Callable[[Any], Any]
    """What a list must say of an entry or an object."""
    agrees: Callable[[list[Any], list[Any]], bool] = operator.eq
    """Whether what a list says is what it must say: the same entries in the same order, unless a format cannot."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Query parameters with which the tests ask for lists of this format."""
    example: Sequence[ListedObject] = ()
    """Objects that its page shows, for a format that does not write values."""


def reader_of(format: Format) -> Reader:
    """The reader of a format."""
    found = import_module(f"tests.doors.formats.{module_name(format.name)}").READER
    assert isinstance(found, Reader)
    return found


def writer_of(format: Format, **options: str) -> Writer:
    """Begins a list of ``community`` with these query parameters, the others as the reader of the format has them."""
    said = format.options.model_validate({**reader_of(format).options, **options})
    return format.begin(About("community", Seq(7), 1_767_225_600_000_000, frozenset(), None, said, revision=7))


def written_by(writer: Writer, some: Iterable[ListItem]) -> bytes:
    """The whole list that has these items."""
    return writer.head + b"".join(writer.line(item) or b"" for item in some) + b"".join(writer.end())


def without_codes(text: str) -> str:
    r"""A value that some format has written with ``\uXXXX`` and ``\UXXXXXXXX``."""
    return _CODE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def visible_lines(content: bytes) -> list[str]:
    """The lines of a list of visible ASCII, blanks and tabs: a reader that knows other line ends sees the same."""
    text = content.decode("ascii")
    *lines, rest = text.split("\n")
    assert rest == ""
    assert text.splitlines() == lines
    assert all(line and all(" " <= char <= "~" or char == "\t" for char in line) for line in lines)
    return lines


def is_network(text: str) -> bool:
    """Whether a text is an address or a network, to a reader that takes all spellings."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
