"""``export.mikrotik``: a script that replaces address lists. Source: RouterOS, "Scripting", "Address-lists"."""

from __future__ import annotations

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, network_of
from hub.doors.export.format import About, Format, Options, Writer

_MENUS = {"ipv4-addr": "/ip firewall address-list", "ipv6-addr": "/ipv6 firewall address-list"}


class MikrotikOptions(Options):
    """The parameters of the format."""

    list: str = Field("ctihub", pattern=r"^[a-z][a-z0-9-]{0,30}$", description="the name of the address list")


def _begin(about: About[MikrotikOptions]) -> Writer:
    """Starts a script. It fills a list of its own first, so a script that ends in the middle changes nothing."""
    name = about.options.list
    menus = [_MENUS[kind] for kind in sorted(about.kinds or _MENUS)]

    def line(entry: Entry) -> bytes | None:
        if network_of(entry) is None:
            return None
        return f"{_MENUS[entry.type]} add list={name}-new address={entry.value}\n".encode()

    head = "".join(f"{menu} remove [find list={name}-new]\n" for menu in menus)
    tail = "".join(
        f"{menu} remove [find list={name}]\n{menu} set [find list={name}-new] list={name}\n" for menu in menus
    )
    return Writer(line, head=head.encode(), tail=tail.encode)


FORMAT = Format(
    name="mikrotik",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset(_MENUS),
    options=MikrotikOptions,
)
