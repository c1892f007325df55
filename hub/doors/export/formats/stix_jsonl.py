"""``export.stix.jsonl``: one STIX object per line, as every door sends it. Source: STIX 2.1, section 3."""

from __future__ import annotations

from hub.doors.export.entry import ListedObject
from hub.doors.export.escape import as_json
from hub.doors.export.format import Format, Unit, Writer


def _line(one: ListedObject) -> bytes:
    return one.body + b"\n"


FORMAT = Format(
    name="stix.jsonl",
    media_type="application/x-ndjson",
    begin=lambda _: Writer(_line),
    escape=as_json,
    lines_are_alone=True,
    says_type=True,
    unit=Unit.OBJECT,
)
