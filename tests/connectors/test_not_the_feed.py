"""Whatever a download was saved as instead of the feed, no connector and no mapping takes it for a quiet day."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.csv.mapping import built_in
from connectors.sdk import CheckpointFile, Runner, SourceFailed
from connectors.sdk.catalogue import make
from connectors.sdk.testing import Kept

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"
INSTEAD = {
    "page.csv": (REAL_LIFE / "not-the-feed.html").read_bytes(),
    "login.txt": b"<html><form action=/login><input type=password></form>198.51.100.1\n</html>",
    "error.json": (REAL_LIFE / "not-the-feed.json").read_bytes(),
    "problem.json": b'{"type":"about:blank","title":"Unauthorized","status":401,"detail":"198.51.100.1"}',
    "denied.xml.txt": b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>\n",
    "report.csv": b"%PDF-1.7\n198.51.100.1,198.51.100.2\n",
    "empty.csv": (REAL_LIFE / "not-the-feed.csv").read_bytes(),
    "blank.txt": b"\r\n\r\n",
}
READINGS = [("stix-file", ""), *(("csv", mapping) for mapping in sorted(built_in()))]


@pytest.mark.parametrize("name", INSTEAD)
@pytest.mark.parametrize(("connector", "mapping"), READINGS, ids=lambda word: str(word))
def test_it_fails_each_time_says_what_it_is_and_publishes_nothing(
    tmp_path: Path, connector: str, mapping: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(INSTEAD[name])
    settings = {"path": str(path)} | ({"mapping": mapping} if mapping else {})
    checkpoints = CheckpointFile(tmp_path / "state", connector=connector)
    for _ in range(2):
        kept = Kept()
        with pytest.raises(SourceFailed) as failed:
            Runner(make(connector, settings), kept, checkpoints).run()
        assert str(path) in failed.value.says
        assert failed.value.way_out
        assert kept.bodies == []
