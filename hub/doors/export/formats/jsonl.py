"""``export.jsonl``: one JSON object per line, with the columns of ``export.csv``."""

from __future__ import annotations

import orjson

from hub.doors.export.entry import COLUMNS, Entry
from hub.doors.export.escape import as_json
from hub.doors.export.format import Format, Writer


def _line(entry: Entry) -> bytes:
    """Returns a line. Unknown values are null. The encoder writes each value as ``escape`` does."""
    return orjson.dumps({column: getattr(entry, column) for column in COLUMNS}, option=orjson.OPT_APPEND_NEWLINE)


FORMAT = Format(
    name="jsonl",
    media_type="application/x-ndjson",
    begin=lambda _: Writer(_line),
    escape=as_json,
    lines_are_alone=True,
    says_type=True,
)
