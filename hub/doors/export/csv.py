"""``export.csv``: a table with a head, safe to open in a spreadsheet. Source: RFC 4180."""

from __future__ import annotations

import csv
import io

from hub.doors.export.blockable import Entry
from hub.doors.export.escape import cell

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
COLUMNS = ("type", "value", "confidence", "valid_from", "valid_until", "tlp", "modified", "id")
HEAD = (",".join(COLUMNS) + "\r\n").encode()


def write(entry: Entry) -> bytes:
    """An entry as a row."""
    text = io.StringIO()
    values = (getattr(entry, column) for column in COLUMNS)
    csv.writer(text).writerow("" if value is None else cell(str(value)) for value in values)
    return text.getvalue().encode()
