"""Scripts of RouterOS, run by an interpreter of the few commands that they may have."""

from __future__ import annotations

import re

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader, is_network, visible_lines

COMMAND = re.compile(
    r"/(?P<menu>ip|ipv6) firewall address-list (?:"
    r"remove \[find list=(?P<removed>[a-z-]+)\]|add list=(?P<list>[a-z-]+) address=(?P<address>[0-9a-f.:/]+)"
    r"|set \[find list=(?P<old>[a-z-]+)\] list=(?P<new>[a-z-]+))"
)
Lists = list[tuple[str, str, str]]


def run(content: bytes, before: Lists) -> Lists:
    """The address lists (menu, list, address) after a script, which ends with an error at an address that is there."""
    now = list(before)
    for line in visible_lines(content):
        said = COMMAND.fullmatch(line)
        assert said is not None, line
        menu = said["menu"]
        if said["removed"]:
            now = [one for one in now if one[:2] != (menu, said["removed"])]
        elif said["list"]:
            assert is_network(said["address"])
            assert (menu, said["list"], said["address"]) not in now, "failure: already have such entry"
            now.append((menu, said["list"], said["address"]))
        else:
            now = [(menu, said["new"], one[2]) if one[:2] == (menu, said["old"]) else one for one in now]
    return now


def read(content: bytes) -> list[tuple[str, str]]:
    after = run(content, [("ip", "ctihub", "192.0.2.1"), ("ip", "ctihub-new", "192.0.2.2")])
    assert {name for _, name, _ in after} <= {"ctihub"}
    return [(menu, address) for menu, _, address in after]


def says(entry: Entry) -> tuple[str, str]:
    return {"ipv4-addr": "ip", "ipv6-addr": "ipv6"}[entry.type], entry.value


READER = Reader(read, says)
