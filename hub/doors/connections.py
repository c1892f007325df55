"""Limits of connections: how many at once, in total and from one address, and how long a connection may take.

What a connection costs before the principal is known is bounded here and in ``protocol``: files, memory, time.
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
"""What is counted with where the system sets no limit."""
_NETWORK_BITS = 64
"""Whoever has IPv6 has a whole network of this size, so its addresses are counted together (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one listening socket bears."""

    connections: int = MOST_CONNECTIONS
    """Open at once, TLS handshakes included."""
    each_address: int | None = MOST_CONNECTIONS // 4
    """Of them from one address; None: as many as there are, as behind a proxy, whose address all have."""
    head_s: float = 20.0
    """From the accepted connection, or the first byte after an answer, to the end of a request's head."""
    idle_s: float = 75.0
    """Between an answer and the next request."""
    flush_s: float = 60.0
    """How long a closed connection may take to accept what it was already sent."""
    head_bytes: int = 64 << 10
    """Of the request line and the fields; also of what stands between two parts of a chunked body, or after it."""
    fields: int = 100
    """As in Apache and gunicorn."""
    pipelined: int = 16
    """Requests that wait for the answer to the one before, on one connection."""


class OpenConnections:
    """How many connections are open, by address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self._all = 0

    def full(self, address: str) -> str | None:
        """Which ceiling one more connection from ``address`` would break: ``all`` or ``address``; None when none."""
        if self._all >= self._limits.connections:
            return "all"
        each = self._limits.each_address
        return "address" if each is not None and self._taken[network(address)] >= each else None

    def take(self, address: str) -> Callable[[], None]:
        """Count a connection; what comes back counts it out, however often it is called."""
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
    """What is counted together: an IPv4 address, a network of IPv6.

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
    """How many connections fit below the process's limit of open files, and how many of them are wanted.

    A quarter of the files is left to the store, the log and the worker. Raises WrongUsage when ``said`` does not fit.
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
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED_FILES if soft == resource.RLIM_INFINITY else soft
