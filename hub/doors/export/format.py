"""What a format of an export is: values in, bytes out. Each module of ``formats/`` defines one, as ``FORMAT``.

A format knows no store, clock or request. What it writes follows from ``About`` and the entries alone, because the
``ETag`` of a list is made from these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from hub.doors.export.entry import PLAIN_KINDS, Entry
from hub.model.words import Seq


class Options(BaseModel):
    """What a reader may choose of a format: a subclass has a field for each parameter. This one has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class About(Generic[OptionsT]):
    """What is known of a list before its first entry."""

    collection: str
    """Its name."""
    seq: Seq
    """The collection's newest change when the list was begun."""
    changed_us: int
    """When that change was added, in microseconds since 1970; no list says when it was asked for."""
    kinds: frozenset[str]
    """What was asked for with ``type``; empty: nothing in particular."""
    limit: int | None
    """What was asked for with ``limit``."""
    options: OptionsT


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one list. Made for each list, so ``line`` may count, and ``tail`` may depend on all lines."""

    line: Callable[[Entry], bytes | None]
    """An entry as the list has it, with the end of its line; None where the format cannot express it."""
    head: bytes = b""
    tail: Callable[[], bytes] = bytes
    """What comes after the last line; nothing, if not given."""


@dataclass(frozen=True, slots=True)
class ProductLimits:
    """What the products that read a format can take; None: as much as there is."""

    lines: int | None = None
    """Of a longer list they get the best."""
    line_bytes: int | None = None
    """The longest line, its end included; values with a longer one are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How lists are written for some products."""

    name: str
    """``rpz`` for ``export.rpz``. Its page is ``docs/formats/<name>.md``."""
    media_type: str
    begin: Callable[[About[Any]], Writer]
    """Begins a list."""
    escape: Callable[[str], str]
    """A value as it stands in a line. Every value passes through this, or through an encoder that does the same."""
    says_type: bool
    """Each value comes with its kind. Where it does not, a value that several kinds share is written once."""
    kinds: frozenset[str] = frozenset()
    """Kinds that it takes, as ``type`` names them; empty: all."""
    one_kind: bool = False
    """A list has one kind, which the reader must name."""
    limits: ProductLimits = ProductLimits()
    options: type[Options] = Options
    """What ``About.options`` is made from; its fields are parameters, in the path where that names them."""
    path: str = "export.{format}"
    """Where its lists are, below ``/v1/collections/{name}/``. A feed of several files is a format for each of them."""

    @property
    def usual_kinds(self) -> frozenset[str]:
        """Kinds in a list where none was asked for; empty: all."""
        return self.kinds or (frozenset() if self.says_type else PLAIN_KINDS)

    @property
    def page(self) -> str:
        """Where it is described, from the root of the source tree."""
        return f"docs/formats/{self.name}.md"
