"""Rules, by the parser of suricata-update, and their contents as ``detect-content.c`` of Suricata reads them."""

from __future__ import annotations

import re
from typing import Any

from suricata.update.rule import parse

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

_FOUND = {"dns.query", "tls.sni", "http.host", "http.uri.raw"}


def read(content: bytes) -> list[Any]:
    text = content.decode("ascii")
    *lines, rest = text.split("\n")
    assert rest == ""
    assert text.splitlines() == lines
    rules = [parse(line) for line in lines]
    assert all(rule is not None and rule.enabled and rule.action == "alert" for rule in rules)
    sids = [rule.sid for rule in rules]
    assert len(set(sids)) == len(sids), "Suricata refuses the second rule of a number"
    assert all(1_000_000_000 <= sid < 1 << 31 for sid in sids)
    return [_said(rule, line) for rule, line in zip(rules, lines, strict=True)]


def _said(rule: Any, line: str) -> tuple[str, str, str]:
    head, _, options = line.partition(" (")
    keywords = [one.strip() for one in options.removesuffix(")").split(";")]
    assert keywords.pop() == ""
    contents = buffers(keywords)
    _, _, kind, value = unquoted(f'"{rule.msg}"').decode().split(" ", 3)
    if kind in ("ipv4-addr", "ipv6-addr"):
        assert (rule.proto, rule.source_addr, rule.direction) == ("ip", "$HOME_NET", "<>")
        return kind, value, rule.dest_addr
    if kind == "domain-name":
        return kind, value, contents["dns.query"].decode()
    port = "" if rule.dest_port == "any" else f":{rule.dest_port}"
    assert head.startswith("alert http $HOME_NET any -> any ")
    return kind, value, f"{contents['http.host'].decode()}{port}{contents['http.uri.raw'].decode()}"


def buffers(keywords: list[str]) -> dict[str, bytes]:
    """What each buffer of a rule must be, whole."""
    found: dict[str, bytes] = {}
    buffer = ""
    for keyword in keywords:
        name, _, said = keyword.partition(":")
        if name in _FOUND:
            buffer = name
        elif name == "content":
            found[buffer] = unquoted(said)
        elif name == "bsize":
            assert int(said) == len(found[buffer]), "a longer name is another name"
    return found


def unquoted(text: str) -> bytes:
    """The bytes of a quoted string. Fails where Suricata refuses it."""
    assert text[0] == text[-1] == '"'
    parts = text[1:-1].split("|")
    assert len(parts) % 2 == 1, "bars come in pairs"
    assert not re.search(r'[";:\\]', "".join(parts[::2])), "these would have to be escaped"
    return b"".join(bytes.fromhex(part) if at % 2 else part.encode() for at, part in enumerate(parts))


def says(entry: Entry) -> tuple[str, str, str]:
    found = entry.value.split("://", 1)[1] if entry.type == "url" else entry.value
    return entry.type, entry.value, found


READER = Reader(read, says)
