"""Lines of geo and map, by the grammar of nginx.conf: two words and a semicolon."""

from __future__ import annotations

import re

from tests.doors.list_readers import Reader, is_network, visible_lines

LINE = re.compile(r'(?:"(https?://[^"\\]+)"|(\.?[^\s";{}\\]+)) 1;')


def read(content: bytes) -> list[str]:
    found = []
    for line in visible_lines(content):
        words = LINE.fullmatch(line)
        assert words is not None, line
        found.append(words[1] or words[2].removeprefix("."))
        assert words[1] or words[2][0] == "." or is_network(words[2]), "no name of a parameter or variable"
    urls = [url.lower() for url in found if "://" in url]
    assert len(set(urls)) == len(urls), "a map has each key once, whatever its case"
    return found


READER = Reader(read, says=lambda entry: entry.value)
