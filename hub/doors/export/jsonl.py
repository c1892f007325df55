"""``export.jsonl``: one JSON object per line, with what the table has."""

from __future__ import annotations

import orjson

from hub.doors.export.blockable import Entry
from hub.doors.export.csv import COLUMNS

MEDIA_TYPE = "application/x-ndjson"
HEAD = b""


def write(entry: Entry) -> bytes:
    """An entry as a line; what is not known is null."""
    return orjson.dumps({column: getattr(entry, column) for column in COLUMNS}, option=orjson.OPT_APPEND_NEWLINE)
