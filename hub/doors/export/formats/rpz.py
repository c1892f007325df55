"""``export.rpz``: a response policy zone. Source: BIND 9's manual, "Response Policy Zone (RPZ) Rewriting"."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import is_host_name, network_of
from hub.doors.export.format import About, Format, Options, Writer

_ACTIONS = {
    "nxdomain": ".", "nodata": "*.", "drop": "rpz-drop.", "passthru": "rpz-passthru.", "tcp-only": "rpz-tcp-only.",
}  # fmt: skip
_NAME = r"(?:[a-z0-9_][a-z0-9_-]{0,62}\.)+[a-z0-9_][a-z0-9_-]{0,62}"
_NETWORK = re.compile(r"[0-9.]+(?:/[0-9]+)?|[0-9a-f:.]+:[0-9a-f:.]*(?:/[0-9]+)?")
_LONGEST_NAME = 253
_SERIALS = 1 << 32


class RpzOptions(Options):
    """The parameters of the format."""

    zone: str = Field("rpz.ctihub", pattern=rf"^{_NAME}$", max_length=100, description="the name of the zone")
    action: str = Field(
        "nxdomain",
        pattern=rf"^(?:{'|'.join(_ACTIONS)}|{_NAME})$",
        max_length=253,
        description="nxdomain, nodata, drop, passthru, tcp-only, or the name that answers point to (CNAME)",
    )


def escape(value: str) -> str:
    """Returns a value as an owner name: a name as it is, an address or network by its reversed parts.

    >>> escape("c2.example"), escape("198.51.100.0/24"), escape("2001:db8::7")
    ('c2.example', '24.0.100.51.198.rpz-ip', '128.7.zz.db8.2001.rpz-ip')
    """
    if not _NETWORK.fullmatch(value):
        return value
    try:
        return f"{_reversed(ip_network(value))}.rpz-ip"
    except ValueError:
        return value


def _reversed(network: IPv4Network | IPv6Network) -> str:
    if isinstance(network, IPv4Network):
        parts = str(network.network_address).split(".")
    else:
        address = int(network.network_address)
        groups = [f"{address >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)]
        longest = max(re.finditer(r"(?:\b0\b ?)+", " ".join(groups)), key=lambda run: len(run[0]), default=None)
        parts = groups
        if longest is not None and (zeros := longest[0].split()) and len(zeros) > 1:
            first = " ".join(groups)[: longest.start()].count(" ")
            parts = [*groups[:first], "zz", *groups[first + len(zeros) :]]
    return ".".join([str(network.prefixlen), *reversed(parts)])


def _begin(about: About[RpzOptions]) -> Writer:
    """Starts a zone. Its serial number rises as ``About.revision`` does, and does not depend on its parameters."""
    zone, action = about.options.zone, about.options.action
    target = _ACTIONS.get(action, f"{action}.")

    def line(entry: Entry) -> bytes | None:
        if entry.type != "domain-name":
            return None if network_of(entry) is None else f"{escape(entry.value)} CNAME {target}\n".encode()
        name = entry.value
        is_trigger = name.rpartition(".")[2].startswith("rpz-")
        if is_trigger or not is_host_name(name) or len(f"*.{name}.{zone}") > _LONGEST_NAME:
            return None
        return f"{name} CNAME {target}\n*.{name} CNAME {target}\n".encode()

    serial = about.revision % _SERIALS
    head = (
        f"$ORIGIN {zone}.\n$TTL 300\n@ SOA localhost. root.localhost. {serial} 3600 600 604800 300\n@ NS localhost.\n"
    )
    return Writer(line, head=head.encode())


FORMAT = Format(
    name="rpz",
    media_type="text/dns; charset=utf-8",
    begin=_begin,
    escape=escape,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"domain-name", "ipv4-addr", "ipv6-addr"}),
    options=RpzOptions,
)
