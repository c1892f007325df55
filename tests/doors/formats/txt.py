"""Lists of values alone."""

from __future__ import annotations

from tests.doors.list_readers import Reader, without_codes


def read(content: bytes) -> list[str]:
    text = content.decode()
    *lines, rest = text.split("\n")
    assert rest == ""
    assert text.splitlines() == lines, "a reader that knows other line ends sees the same lines"
    for line in lines:
        assert len(line.split()) == 1, "a reader of the first word sees the whole value"
        assert "#" not in line
        assert line[0] not in ";!/"
    return [without_codes(line) for line in lines]


READER = Reader(read, says=lambda entry: entry.value)
