"""The definition of a connector: settings, and an iterator of items after a checkpoint.

A connector only reads. The runner (``connectors.sdk.runner``) publishes, retries, stores checkpoints, shows progress.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.sdk.places import ObjectPlace

Checkpoint = Mapping[str, Any]
"""The position of a connector: JSON that only the connector itself reads. ``{}`` is the beginning."""
PLACE_CHARACTERS = 120
"""The maximum length of the description of a place."""
SOURCE_PATIENCE_S = 300.0
"""How many seconds a connector retries a source that is not available, by default."""


class ConnectorSettings(BaseSettings):
    """The settings of a connector. A subclass sets ``env_prefix``; unknown settings are errors."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


SettingsT = TypeVar("SettingsT", bound=ConnectorSettings, covariant=True)


class SourceList(NamedTuple):
    """A list that a source gives completely each time, such as a file, and which version of it was read."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Item:
    """One STIX object, and the checkpoint after it is published.

    ``body`` as bytes is published unchanged, valid or not, so that the hub can reject it with a code. ``checkpoint``
    may be a function, which is called only when the checkpoint is written; its result must not change later. None: a
    run cannot continue after this item.
    """

    body: bytes | Mapping[str, Any]
    checkpoint: Checkpoint | Callable[[], Checkpoint] | None = None
    source_list: SourceList | None = None
    """The list that the object stands in, if the source gives complete lists."""
    place: ObjectPlace | None = None
    """Where the object stands in its file."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How often something was left out for one reason, and the first place."""

    count: int
    first: str = ""
    """Such as ``line 17: 198.51.100``, at most ``PLACE_CHARACTERS`` long; "" if unknown."""


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """A warning of a run that continued: a stable code and one sentence."""

    code: str
    says: str


class LeftOutCounts:
    """Counts what one run left out, by reason, in the order of their first occurrence."""

    def __init__(self) -> None:
        self._by_reason: dict[str, LeftOut] = {}

    def add(self, reason: str, place: str = "", count: int = 1) -> None:
        """Add ``count`` for this reason; the first given ``place`` is kept, shortened."""
        before = self._by_reason.get(reason, LeftOut(0))
        self._by_reason[reason] = LeftOut(before.count + count, before.first or shortened(place))

    def clear(self) -> None:
        """Reset the counts for a new run."""
        self._by_reason.clear()

    def total(self) -> int:
        """Returns the sum over all reasons."""
        return sum(one.count for one in self._by_reason.values())

    def by_reason(self) -> dict[str, LeftOut]:
        """Returns a copy of the counts; later additions do not change it."""
        return dict(self._by_reason)


def shortened(text: str, limit: int = PLACE_CHARACTERS) -> str:
    """Returns text on one line, cut to ``limit`` characters with "…" at the end."""
    line = " ".join(text[: 8 * limit].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Connector(ABC, Generic[SettingsT]):
    """Reads one source. Promises, each a test in ``connectors.sdk.testing.ConnectorContract``:

    - ``items({})`` yields everything in the source; the same source gives the same items in the same order;
    - ``items(c)``, where ``c`` is the checkpoint of item n, yields at least all items after n (repeats are allowed);
    - memory does not grow with the size of the source;
    - a source without any object, empty or not, raises ``SourceFailed``; a source without new objects does not;
    - unreadable content raises ``SourceFailed`` (or ``TryLater``) after the items before it, never another exception.
    """

    name: ClassVar[str]
    """The name for ``ctihub connect NAME``: lower case, with hyphens."""
    summary: ClassVar[str]
    """One line for ``ctihub connect --list``."""
    Settings: ClassVar[type[ConnectorSettings]]

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings
        self.notify: Callable[[str], None] = lambda _: None
        """Called with messages for a waiting person, such as a retry; set by the caller."""
        self.patience_s: float = SOURCE_PATIENCE_S
        """How many seconds an unavailable source is retried; set by the caller."""
        self.warnings: list[SourceWarning] = []
        """The warnings of this run; the runner clears it at the start of a run."""

    @abstractmethod
    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """Yields the source's items after ``checkpoint``, in order."""

    def share_read(self) -> float | None:
        """Returns the part of the source that was read, 0 to 1, for the progress bar; None if unknown."""
        return None

    def left_out(self) -> Mapping[str, LeftOut]:
        """Returns what was left out in this run, by reason. Nothing may be left out without being counted."""
        return {}

    def may_be_empty(self) -> bool:
        """Returns whether a first run may give no items; otherwise the runner raises SourceFailed."""
        return False

    def complete_lists(self) -> Sequence[SourceList]:
        """Returns the lists that this run has read to their end: what stood in older versions of them and not in these
        is listed no more.
        """
        return ()

    def end_checkpoint(self) -> Checkpoint | None:
        """Returns the checkpoint after ``items`` has ended and all is published; None: that of the last item."""
        return None
