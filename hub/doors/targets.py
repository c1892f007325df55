"""Where webhooks may be sent: which URLs are accepted, and which addresses the hub connects to.

A principal names a URL, and the hub, inside the operator's network, sends to it: without these rules it would be a way
to reach what only that network may reach (server-side request forgery). What decides is the *address* at the moment of
the connection, whatever its name or its spelling; see ``hub/doors/webhooks/sender.py``.

Source: IANA IPv4 and IPv6 Special-Purpose IpAddress Registries (RFC 6890 and its updates).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

import ada_url

from hub.model.errors import Refused

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

LONGEST_URL = 2_000
_LOWEST_PORT = 1_024
"""Below it are the services of systems, which no receiver of webhooks needs."""
_PORTS = {"https:": 443, "http:": 80}

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # the platform of a large cloud, inside each of its machines, under a public address
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
"""Refused in addition to what Python calls not global, which differs between its versions."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""The only addresses of IPv6 that have been given to networks of the Internet; all others are refused."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""How an IPv6-only network writes addresses of IPv4 (RFC 6052). The network-specific 64:ff9b:1::/48 is refused."""


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the public Internet.

    >>> is_public(ipaddress.ip_address("192.0.2.1")), is_public(ipaddress.ip_address("::ffff:10.0.0.1"))
    (False, False)
    """
    inner = embedded(address)
    if isinstance(inner, IPv6Address) and inner not in _UNICAST:
        return False
    return inner.is_global and not inner.is_multicast and not any(inner in network for network in _NOT_PUBLIC)


def embedded(address: IpAddress) -> IpAddress:
    """The address that a connection would reach: that of IPv4 in a mapped or translated address of IPv6."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What the operator allows besides HTTPS to public addresses."""

    networks: tuple[IpNetwork, ...] = ()
    """Addresses in them are allowed although they are not public."""
    http: bool = False
    """Whether URLs may begin with ``http:``."""

    def permits(self, address: IpAddress) -> bool:
        """Whether the hub may connect to an address. One with a zone (``%eth0``) is of a local network."""
        if isinstance(address, IPv6Address) and address.scope_id:
            return False
        return is_public(address) or any(embedded(address) in network for network in self.networks)

    def checked(self, said: str) -> str:
        """Returns a URL in its normal form. Raises Refused.

        A name is not resolved here: what it will resolve to is not known before the connection.
        """
        try:
            url = ada_url.URL(said) if len(said) <= LONGEST_URL and said.isprintable() else None
        except ValueError:
            url = None
        if url is None or url.protocol not in _PORTS or not url.hostname:
            raise _refused("This is not a URL that a webhook can have.", "It looks like https://soc.example/hook.")
        if url.protocol == "http:" and not self.http:
            raise _refused("A webhook needs https.", "Use https; only the operator can allow http (WEBHOOK_HTTP).")
        if url.username or url.password:
            raise _refused("A webhook's URL has no name or password.", "Check the signature of what arrives instead.")
        if url.hash:
            raise _refused("A webhook's URL has no fragment.", "Leave out # and what follows.")
        port = int(url.port) if url.port else _PORTS[url.protocol]
        if port not in _PORTS.values() and port < _LOWEST_PORT:
            raise _refused(f"A webhook does not use port {port}.", "Use 443, or a port from 1024 on.")
        self._check_literal(url.hostname)
        return str(url.href)

    def _check_literal(self, host: str) -> None:
        """Refuses an address at once that would be refused at each attempt."""
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return
        if not self.permits(address):
            raise _refused(f"{host} is not a public address.", "The operator can allow a network (WEBHOOK_ALLOW).")


def _refused(says: str, way_out: str) -> Refused:
    return Refused("webhook.url", says, way_out)
