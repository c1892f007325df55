"""Limits of connections: their number, in total and per address, and timeouts.

This module and ``protocol`` bound what a connection costs before the principal is known: files, memory, time.
"""

from __future__ import annotations

import ipaddress
import resource
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from hub.model.errors import WrongUsage

MOST_CONNECTIONS = 4_096
_FEWEST_FOR_OTHERS = 64
_UNLIMITED_FILES = 65_536
"""The assumed limit of open files if the system sets none."""
_NETWORK_BITS = 64
"""An IPv6 site has a whole network of this size, so its addresses are counted together (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one listening socket."""

    connections: int = MOST_CONNECTIONS
    """Open connections, with those in a TLS handshake."""
    each_address: int | None = MOST_CONNECTIONS // 4
    """Open connections from one address; None: no limit, as behind a proxy, whose address all connections have."""
    head_s: float = 20.0
    """Seconds from accepting a connection, or from the first byte after a response, to the end of a request's head."""
    idle_s: float = 75.0
    """Seconds between a response and the next request."""
    flush_s: float = 60.0
    """Seconds that the peer of a closed connection has to receive the remaining data."""
    head_bytes: int = 64 << 10
    """Size of the request line and fields; also of the data between two chunks of a chunked body, or after it."""
    fields: int = 100
    """Number of fields, as in Apache and gunicorn."""
    pipelined: int = 16
    """Requests on one connection that wait for the response to an earlier one."""


class OpenConnections:
    """Counts open connections, in total and by address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self._all = 0

    def full(self, address: str) -> str | None:
        """Returns the limit that one more connection from ``address`` would exceed: ``all``, ``address`` or None."""
        if self._all >= self._limits.connections:
            return "all"
        each = self._limits.each_address
        return "address" if each is not None and self._taken[network(address)] >= each else None

    def take(self, address: str) -> Callable[[], None]:
        """Count a connection. Call the returned function at its end; further calls have no effect."""
        name = network(address)
        self._taken[name] += 1
        self._all += 1
        with ExitStack() as stack:
            stack.callback(self._give, name)
            return stack.pop_all().close

    def _give(self, name: str) -> None:
        self._all -= 1
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


def network(address: str) -> str:
    """Returns the unit of counting: an IPv4 address, or the network of an IPv6 address.

    >>> network("::ffff:198.51.100.7"), network("2001:db8:1:2:3::4")
    ('198.51.100.7', '2001:db8:1:2::')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False).network_address)
    return str(found)


def connections_allowed(said: int | None, *, most: int = MOST_CONNECTIONS, files: int | None = None) -> int:
    """Returns the number of connections to allow: ``said`` or the default, within the process's limit of open files.

    A quarter of the files is reserved for the store, the log and the worker. Raises WrongUsage if ``said`` is larger.
    """
    files = file_limit() if files is None else files
    fit = max(1, files - max(_FEWEST_FOR_OTHERS, files // 4))
    if said is not None and said > fit:
        raise WrongUsage(
            "config.too-many-connections",
            f"MAX_CONNECTIONS is {said:,}, but this process may have only {files:,} files open.",
            f"Set MAX_CONNECTIONS to {fit:,} at most, or raise the limit (ulimit -n, LimitNOFILE).",
        )
    return min(most, fit) if said is None else said


def file_limit() -> int:
    """Returns how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED_FILES if soft == resource.RLIM_INFINITY else soft
