"""``export.ipset``: new sets that replace the old ones at the end. Source: ipset(8), "restore", "swap", "hash:net"."""

from __future__ import annotations

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, network_of
from hub.doors.export.format import About, Format, Options, Writer

_FAMILIES = {"ipv4-addr": ("ipv4", "inet"), "ipv6-addr": ("ipv6", "inet6")}
"""The end of the name, and the family, of the set of each kind."""
_MAXELEM = 16_777_216


class IpsetOptions(Options):
    """The parameters of the format."""

    set: str = Field("ctihub", pattern=r"^[a-z][a-z0-9_-]{0,19}$", description="how the names of the sets begin")


def _begin(about: About[IpsetOptions]) -> Writer:
    kinds = sorted(about.kinds or _FAMILIES)
    names = {kind: f"{about.options.set}-{_FAMILIES[kind][0]}" for kind in _FAMILIES}

    def line(entry: Entry) -> bytes | None:
        if network_of(entry) is None:
            return None
        return f"add {names[entry.type]}-new {entry.value} -exist\n".encode()

    head, tail = "", ""
    for kind in kinds:
        name = names[kind]
        for each in (name, f"{name}-new"):
            head += f"create {each} hash:net family {_FAMILIES[kind][1]} maxelem {_MAXELEM} -exist\n"
        head += f"flush {name}-new\n"
        tail += f"swap {name}-new {name}\ndestroy {name}-new\n"
    return Writer(line, head=head.encode(), tail=tail.encode)


FORMAT = Format(
    name="ipset",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset(_FAMILIES),
    options=IpsetOptions,
)
