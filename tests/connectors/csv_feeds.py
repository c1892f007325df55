"""Reads feeds with the csv connector, for its tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.csv.levels import TLP_IDS
from connectors.sdk.catalogue import make
from connectors.sdk.connector import LeftOut
from connectors.sdk.publisher import as_line

DATA = Path(__file__).parent.parent / "data"
FORMATS = DATA / "csv" / "formats"
REAL_LIFE = DATA / "real-life"
SINCE = "2026-01-01T00:00:00Z"
"""The time of rows that have none."""
_LEVELS = {marking: level for level, marking in TLP_IDS.items()}


@dataclass
class Read:
    """What one run gave."""

    found: list[dict[str, Any]]
    left_out: dict[str, LeftOut]
    warnings: list[str] = field(default_factory=list)

    @property
    def patterns(self) -> list[str]:
        return [one["pattern"] for one in self.found]

    @property
    def values(self) -> list[str]:
        """The value of each indicator, without the rest of its pattern."""
        return [one["pattern"].split(" = ", 1)[1].removesuffix("']").removeprefix("'") for one in self.found]

    @property
    def levels(self) -> dict[str, str | None]:
        """The level of each value."""
        marked = [one.get("object_marking_refs") for one in self.found]
        return dict(zip(self.values, [_LEVELS[refs[0]] if refs else None for refs in marked], strict=True))

    @property
    def counts(self) -> dict[str, int]:
        return {reason: one.count for reason, one in self.left_out.items()}

    def of(self, value: str) -> dict[str, Any]:
        """The indicator of a value."""
        return self.found[self.values.index(value)]


def read_feed(path: Path, mapping: str | Path, **settings: Any) -> Read:
    """Everything in a file. Raises SourceFailed as the connector does."""
    connector = make("csv", {"path": str(path), "mapping": str(mapping), "since": SINCE, **settings})
    found = [json.loads(as_line(item.body)) for item in connector.items({})]
    return Read(found, dict(connector.left_out()), [warning.says for warning in connector.warnings])


def read_text(folder: Path, text: str | bytes, mapping: str | Path = "table", *, name: str = "feed.csv") -> Read:
    """Everything in a file that holds this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_feed(path, mapping)


def a_mapping(folder: Path, text: str) -> Path:
    """The path of a mapping that says this."""
    path = folder / "mapping.toml"
    path.write_text(text)
    return path
