"""Free ports on loopback."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below the range from which the system picks ports of outgoing connections: those may take a port at any moment."""

_chosen: set[int] = set()
_draw = random.SystemRandom()
"""Hypothesis gives every test process the same numbers otherwise, and nothing reserves a port."""


def free_ports(count: int) -> list[int]:
    """``count`` free ports that this process has not been given before."""
    free: list[int] = []
    for port in _draw.sample(range(FIRST, LAST), LAST - FIRST):
        if port not in _chosen and _is_free(port):
            _chosen.add(port)
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
