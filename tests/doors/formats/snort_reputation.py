"""Lists of addresses, by the "IP List File Format" of Snort's README.reputation."""

from __future__ import annotations

from ipaddress import ip_network

from tests.doors.list_readers import Reader


def read(content: bytes) -> list[str]:
    *lines, rest = content.decode("ascii").split("\n")
    assert rest == ""
    for line in lines:
        assert "#" not in line, "a comment"
        assert ip_network(line).prefixlen > 0
    return lines


READER = Reader(read, says=lambda entry: entry.value)
