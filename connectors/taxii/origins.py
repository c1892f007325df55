"""Compares whether two addresses are on the same server, however they are spelled."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass

import httpx

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme, host and port of an address; the host is in lower case, in ASCII, without a dot at the end."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        """Returns the origin of an absolute address."""
        host = url.raw_host.decode("ascii").lower().removesuffix(".")
        with suppress(ValueError):  # a name
            host = ipaddress.ip_address(host).compressed
        return cls(url.scheme, host, url.port or _DEFAULT_PORTS.get(url.scheme, 0))

    @property
    def has_default_port(self) -> bool:
        """Whether the port is the default of the scheme."""
        return self.port == _DEFAULT_PORTS.get(self.scheme)


def on_same_server(ours: httpx.URL, named: httpx.URL) -> httpx.URL | None:
    """Returns the named address for a request; None if it has another host or port, or is not http or https.

    The result is https if either address is: behind a proxy that terminates TLS, servers use http for themselves.
    """
    here, there = Origin.of(ours), Origin.of(named)
    if here.host != there.host or {here.scheme, there.scheme} - _DEFAULT_PORTS.keys():
        return None
    if here.port == there.port or (here.has_default_port and there.has_default_port):
        target = ours if here.scheme == "https" or there.scheme == "http" else named
        port = target.port
        return named.copy_with(scheme=target.scheme, host=ours.host, port=port, username=None, password=None)
    return None


def difference(ours: httpx.URL, named: httpx.URL) -> str:
    """Describes why the named address is another server; the text follows "sends us to"."""
    here, there = Origin.of(ours), Origin.of(named)
    if there.scheme not in _DEFAULT_PORTS:
        return f"an address of {there.scheme or 'no scheme'} instead of {here.scheme}"
    if here.host != there.host:
        return f"another host, {there.host} instead of {here.host}"
    return f"another port, {there.port} instead of {here.port}"
