"""What a connector is: settings, and an iterator of items from a checkpoint on.

A connector only reads. Publishing, retries, checkpoints and progress are the runner's (``connectors.sdk.runner``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic_settings import BaseSettings, SettingsConfigDict

Checkpoint = Mapping[str, Any]
"""How far a connector got: JSON that only the connector itself reads. ``{}`` is the beginning."""
PLACE_CHARACTERS = 120
"""How much is told of the first place where something was left out."""
SOURCE_PATIENCE_S = 300.0
"""How long a connector tries a source that is away, unless told otherwise."""


class ConnectorSettings(BaseSettings):
    """What a connector can be told. A subclass sets ``env_prefix``; nothing unknown is taken."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


SettingsT = TypeVar("SettingsT", bound=ConnectorSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class Item:
    """One STIX object, and how far the connector is once it is published.

    ``body`` as bytes goes out exactly as it is, readable or not, so that the hub can refuse it with a code rather than
    the connector in silence. ``checkpoint`` may be a function, called only when it is to be written; what it gives must
    not change as the connector goes on. None: no safe place to go on from here.
    """

    body: bytes | Mapping[str, Any]
    checkpoint: Checkpoint | Callable[[], Checkpoint] | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How often a source gave no object for one reason, and where it did so first."""

    count: int
    first: str = ""
    """Such as ``line 17: 198.51.100``, at most ``PLACE_CHARACTERS`` long; "" where nobody can tell."""


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """What somebody should look at, though the run went on: a stable code and one sentence."""

    code: str
    says: str


class LeftOutCounts:
    """What one run left out, added up by reason in the order in which the reasons occurred."""

    def __init__(self) -> None:
        self._by_reason: dict[str, LeftOut] = {}

    def add(self, reason: str, place: str = "", count: int = 1) -> None:
        """``count`` more for this reason; the first ``place`` that is told is kept, shortened."""
        before = self._by_reason.get(reason, LeftOut(0))
        self._by_reason[reason] = LeftOut(before.count + count, before.first or shortened(place))

    def clear(self) -> None:
        """A new run begins."""
        self._by_reason.clear()

    def total(self) -> int:
        """How much was left out, whatever the reason."""
        return sum(one.count for one in self._by_reason.values())

    def by_reason(self) -> dict[str, LeftOut]:
        """As it is now; later additions do not change what was given out."""
        return dict(self._by_reason)


def shortened(text: str, limit: int = PLACE_CHARACTERS) -> str:
    """Text on one line, its end replaced by "…" where it is over ``limit`` characters."""
    line = " ".join(text[: 8 * limit].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Connector(ABC, Generic[SettingsT]):
    """Reads one source. Promises, each a test in ``connectors.sdk.testing.ConnectorContract``:

    - ``items({})`` gives everything that the source has; the same source gives the same items, in the same order;
    - ``items(c)``, where ``c`` came with item n, gives at least what followed item n (repeats may be, gaps not);
    - memory does not grow with the source;
    - a source that holds something but no object, or nothing at all, raises ``SourceFailed``; nothing new does not;
    - what cannot be read raises ``SourceFailed`` (or ``TryLater``) after the items before it, never another exception.
    """

    name: ClassVar[str]
    """As ``ctihub connect NAME`` takes it: lower case, with hyphens."""
    summary: ClassVar[str]
    """One line for ``ctihub connect --list``."""
    Settings: ClassVar[type[ConnectorSettings]]

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings
        self.notify: Callable[[str], None] = lambda _: None
        """Says what somebody who waits should know, such as a new try; set by whoever runs the connector."""
        self.patience_s: float = SOURCE_PATIENCE_S
        """How long a source that is away is tried again; set by whoever runs the connector."""
        self.warnings: list[SourceWarning] = []
        """What this run warns of; a runner empties it when a run begins."""

    @abstractmethod
    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        """The source's items after ``checkpoint``, in order."""

    def share_read(self) -> float | None:
        """How much of the source was read, 0 to 1, for the progress bar; None where nobody can tell."""
        return None

    def left_out(self) -> Mapping[str, LeftOut]:
        """What of the source gave no item in this run, by reason. Nothing is left out in silence."""
        return {}

    def may_be_empty(self) -> bool:
        """Whether a first run that gives no item at all is in order; if not, the runner says that it failed."""
        return False

    def end_checkpoint(self) -> Checkpoint | None:
        """Where to go on once ``items`` ended by itself and all of it is published; None: where the last item said."""
        return None
