"""What a list says of a value beside it: its indicator, confidence, sharing level, labels and sources.

Nothing here selects anything, and products only show it. So a character that means something in some format is written
``_``, which nobody can use to break out of a cell or a comment.
"""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from hub.doors.export.escape import INVISIBLE

_MARKS = re.compile(rf"[{INVISIBLE}]|[^\w .:+/-]")


def without_marks(text: str) -> str:
    """Returns a text with ``_`` for all but letters, digits, blanks and ``.:+/-_``.

    >>> without_marks('a;b"c'), without_marks("TLP:AMBER+STRICT")
    ('a_b_c', 'TLP:AMBER+STRICT')
    """
    return _MARKS.sub("_", text)


def annotation(entry: Entry) -> str:
    """Returns the data of an entry as one line, which begins with the word ``indicator``.

    >>> annotation(Entry("url", "x", 60, "", None, "green", "", "indicator--1", 0, labels=("botnet", "c2")))
    'indicator indicator--1 - confidence 60 - TLP:GREEN - labels botnet / c2'
    """
    parts = [
        f"indicator {entry.id}",
        "" if entry.confidence is None else f"confidence {entry.confidence}",
        f"TLP:{entry.tlp.upper()}" if entry.tlp else "",
        "labels " + " / ".join(entry.labels) if entry.labels else "",
        "sources " + " / ".join(entry.sources) if entry.sources else "",
    ]
    return without_marks(" - ".join(filter(None, parts)))
