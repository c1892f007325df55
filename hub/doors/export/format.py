"""The definition of an export format, which turns values into bytes. Each module of ``formats/`` has one, ``FORMAT``.

A format does not use the store, the clock or the request, and a file only as ``About.open_file``. Its output depends
only on ``About`` and the entries, because the ``ETag`` of a list is computed from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from hub.doors.export.entry import PLAIN_KINDS
from hub.model.words import Seq


class Unit(Enum):
    """What one item of a list is."""

    VALUE = "a value that may be blocked"
    INDICATOR = "an indicator, whole, whose pattern or one of its values may be blocked"
    OBJECT = "an object that the collection shows, whole, unless it was revoked or has expired"


class Options(BaseModel):
    """The parameters of a format: a subclass has a field for each. This class has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class About(Generic[OptionsT]):
    """The data of a list that are known before its first entry."""

    collection: str
    """The name of the collection."""
    seq: Seq
    """The collection's newest change at the start of the list."""
    changed_us: int
    """When that change was added, in microseconds since 1970. A list does not contain the time of the request."""
    kinds: frozenset[str]
    """The values of the parameter ``type``; empty if it was not given."""
    limit: int | None
    """The parameter ``limit``."""
    options: OptionsT
    revision: int = 0
    """Rises with what changes a list with these parameters, and is the same in all processes with the same warning
    lists. docs/formats/rpz.md names the cases in which it stays or falls."""
    open_file: Callable[[], BinaryIO] = TemporaryFile
    """Opens a file without a name, for what a list needs at its end and is too long for memory."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one list. Each list has its own, so ``line`` may count, and ``tail`` may depend on all lines."""

    line: Callable[[Any], bytes | None]
    """Returns an item, an ``Entry`` or a ``ListedObject``, as a line with its end; None if the format cannot express
    it."""
    alone: Callable[[Any], bytes | None] | None = None
    """Returns the line of an item in a list that has nothing else, or some bytes of no greater length; None as ``line``
    does. It remembers nothing. Needed if ``line`` does; by default it is ``line``."""
    head: bytes = b""
    tail: Callable[[], bytes | Iterable[bytes]] = bytes
    """Returns what follows the last line, in parts if it is long; by default nothing."""

    def end(self) -> Iterable[bytes]:
        """Returns the parts of ``tail``."""
        found = self.tail()
        return [found] if isinstance(found, bytes) else found


@dataclass(frozen=True, slots=True)
class ProductLimits:
    """The limits of the products that read a format; None: no limit."""

    lines: int | None = None
    """The maximum number of lines. A longer list is reduced to its best entries."""
    line_bytes: int | None = None
    """The maximum length of a line with its end. Values with a longer line are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of lists for some products."""

    name: str
    """``rpz`` for ``export.rpz``. Its documentation is ``docs/formats/<name>.md``."""
    media_type: str
    begin: Callable[[About[Any]], Writer]
    """Starts a list."""
    escape: Callable[[str], str]
    """Returns a value as it is written. Every value goes through this, or through an encoder that does the same."""
    says_type: bool
    """Whether each value has its kind. If not, a value that several kinds share is written once."""
    unit: Unit = Unit.VALUE
    pattern_type: str = "stix"
    """The type of patterns of its indicators. Values are always those of STIX patterns."""
    removed_days: int = 0
    """Values that were withdrawn or have expired within so many days follow the others, with ``Entry.removed``."""
    lines_are_alone: bool = False
    """Whether a line depends on its item and on ``About.options`` only, so that it can be kept for the next list."""
    kinds: frozenset[str] = frozenset()
    """Supported kinds, as ``type`` names them; empty: all."""
    one_kind: bool = False
    """Whether a list has one kind only, which the request must name."""
    is_collapsed: bool = False
    """Whether its products misread a list in which one entry covers another, so that it is always collapsed."""
    limits: ProductLimits = ProductLimits()
    room_bytes: Callable[[Any], int] = lambda _: 0
    """The memory that a list with these options needs besides that of every list."""
    options: type[Options] = Options
    """The class of ``About.options``. Its fields are query parameters, or path parameters if ``path`` names them."""
    path: str = "export.{format}"
    """The path of its lists below ``/v1/collections/{name}/``. A feed of several files has one format for each."""

    @property
    def usual_kinds(self) -> frozenset[str]:
        """The kinds of a list without the parameter ``type``; empty: all."""
        has_all = self.says_type or self.unit is not Unit.VALUE
        return self.kinds or (frozenset() if has_all else PLAIN_KINDS)

    @property
    def page(self) -> str:
        """The path of its documentation in the source tree."""
        return f"docs/formats/{self.name}.md"
