"""``export.sentinel``: request bodies for Microsoft Sentinel's upload API, one per line.

Source: Microsoft Learn, "Import threat intelligence to Microsoft Sentinel with the upload API": 100 objects for each
request; ``sourcesystem`` and ``stixobjects`` are required.
"""

from __future__ import annotations

import orjson

from hub.doors.export.entry import ListedObject
from hub.doors.export.escape import as_json
from hub.doors.export.format import About, Format, Options, Unit, Writer

_OBJECTS = 100
"""The maximum number of objects in a request."""


def _begin(about: About[Options]) -> Writer:
    head = b'{"sourcesystem":' + orjson.dumps(f"ctihub {about.collection}") + b',"stixobjects":['
    waiting: list[bytes] = []

    def body() -> bytes:
        if not waiting:
            return b""
        written = head + b",".join(waiting) + b"]}\n"
        waiting.clear()
        return written

    def line(one: ListedObject) -> bytes:
        waiting.append(one.body)
        return body() if len(waiting) == _OBJECTS else b""

    return Writer(line, alone=lambda _: b"", tail=body)


FORMAT = Format(
    name="sentinel",
    media_type="application/x-ndjson",
    begin=_begin,
    escape=as_json,
    says_type=True,
    unit=Unit.INDICATOR,
)
