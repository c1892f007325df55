"""Archives are read by every connector that reads files."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.sdk.catalogue import make
from connectors.sdk.publisher import as_line

REAL = Path(__file__).parent.parent / "data" / "real-life"


def test_a_table_in_a_zip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "full.csv"  # whatever it is called
    path.write_bytes((REAL / "packed.csv.zip").read_bytes())
    for packed in (path, REAL / "packed.csv.zip"):
        connector = make("csv", {"path": str(packed), "mapping": "threatfox"})
        assert [json.loads(as_line(item.body))["pattern"] for item in connector.items({})] == [
            "[ipv4-addr:value = '198.51.100.174']"
        ]
        assert not connector.left_out()
