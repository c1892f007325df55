"""CDB lists, as ``analysisd/lists_make.c`` of Wazuh 4 reads them, and networks as ``lists_list.c`` finds them."""

from __future__ import annotations

from ipaddress import ip_network

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader


def read(content: bytes) -> list[tuple[str, str]]:
    text = content.decode()
    *lines, rest = text.split("\n")
    assert rest == ""
    assert text.splitlines() == lines
    return [_pair(line) for line in lines]


def _pair(line: str) -> tuple[str, str]:
    """The key and the value of a line. Quotes count only before the first colon."""
    assert len(line.encode()) < 65_534
    key, after = "", line
    quote = line.find('"')
    is_quoted = 0 <= quote < line.find(":")
    if is_quoted:
        assert quote == 0, "what stands before a quote is dropped"
        key, closed, after = line[1:].partition('"')
        assert closed, "Wazuh drops the line"
    before, colon, value = after.partition(":")
    assert colon, "Wazuh drops the line"
    assert before == "" or not is_quoted
    assert '"' not in value
    return key if is_quoted else before, value


def says(entry: Entry) -> tuple[str, str]:
    confidence = "" if entry.confidence is None else str(entry.confidence)
    if entry.type == "ipv4-addr" and "/" in entry.value:
        network = ip_network(entry.value)
        assert network.prefixlen % 8 == 0
        return ".".join(str(network).split(".")[: network.prefixlen // 8]) + ".", confidence
    return entry.value, confidence


READER = Reader(read, says)
