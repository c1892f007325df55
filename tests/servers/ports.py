"""Free ports on loopback."""

from __future__ import annotations

import os
import socket

FIRST, LAST = 20_000, 32_000
"""Below the range from which the system picks ports of outgoing connections: those may take a port at any moment."""


def free_ports(count: int) -> list[int]:
    """``count`` free ports. Choose all that a session needs at once: nothing reserves them."""
    start = FIRST + (os.getpid() * 16) % (LAST - FIRST - 1000)  # two sessions on one machine begin apart
    free: list[int] = []
    for port in range(start, LAST):
        if _is_free(port):
            free.append(port)
        if len(free) == count:
            return free
    raise RuntimeError("no free ports on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
