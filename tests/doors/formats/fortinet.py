"""External feeds, as FortiGate reads them: a comment begins with ``#``, a wildcard stands at the start or the end."""

from __future__ import annotations

import re

from tests.doors.list_readers import Reader, is_network, visible_lines


def read(content: bytes) -> list[str]:
    found = visible_lines(content)
    for entry in found:
        assert len(entry) < 4_096
        assert "#" not in entry
        assert " " not in entry, "no description behind a digest"
        assert entry[0] != "*"
        assert entry[-1] != "*"
        assert is_network(entry) or re.fullmatch(
            r"[0-9a-f]+|(?:https?://)?[^:/]+(?::\d+)?(?:/.*)?|https?://\[.*", entry
        )
    return found


READER = Reader(read, says=lambda entry: entry.value)
