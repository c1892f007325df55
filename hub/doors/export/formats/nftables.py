"""``export.nftables``: two sets of a table, which one transaction of ``nft -f`` replaces. Source: nft(8), "Sets"."""

from __future__ import annotations

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, network_of
from hub.doors.export.format import About, Format, Options, Writer

_SETS = {"ipv4-addr": ("blocked_ipv4", "ipv4_addr"), "ipv6-addr": ("blocked_ipv6", "ipv6_addr")}
"""Name and type of the set of each kind."""


class NftablesOptions(Options):
    """The parameters of the format."""

    table: str = Field("ctihub", pattern=r"^[a-z][a-z0-9_]{0,30}$", description="the table that the sets are in")


def _begin(about: About[NftablesOptions]) -> Writer:
    """Starts a list. Elements of one set follow each other in one command: nft merges ranges command by command."""
    table = f"inet {about.options.table}"
    current = ""

    def line(entry: Entry) -> bytes | None:
        nonlocal current
        element = _element(entry)
        if element is None:
            return None
        start = b""
        if entry.type != current:
            start = (("}\n" if current else "") + f"add element {table} {_SETS[entry.type][0]} {{\n").encode()
            current = entry.type
        return start + element

    def tail() -> bytes:
        return b"}\n" if current else b""

    return Writer(line, alone=_element, head=_head(table, about.kinds), tail=tail)


def _element(entry: Entry) -> bytes | None:
    return None if network_of(entry) is None else f"\t{entry.value},\n".encode()


def _head(table: str, kinds: frozenset[str]) -> bytes:
    lines = [f"add table {table}"]
    for name, type_ in (_SETS[kind] for kind in sorted(kinds or _SETS)):
        lines.append(f"add set {table} {name} {{ type {type_}; flags interval; auto-merge; }}")
        lines.append(f"flush set {table} {name}")
    return ("\n".join(lines) + "\n").encode()


FORMAT = Format(
    name="nftables",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=as_it_is,
    says_type=False,
    kinds=frozenset(_SETS),
    options=NftablesOptions,
)
