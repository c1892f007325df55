"""Products that run: started on a free port of the loopback, asked, and ended."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.waiting import WITHIN_S, wait_until

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def running(words: Sequence[str], folder: Path, is_ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block, which begins when it is ready. Fails if the program ends before."""
    said = folder / "said.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def begun() -> bool:
        assert process.poll() is None, said.read_text("utf-8", "replace")[-2000:]
        return is_ready()

    try:
        wait_until(begun, what=f"{words[0]} is ready")
        yield process
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def answer(port: int, name: str, kind: str = "A") -> str:
    """What a name server on the loopback answers: NXDOMAIN, REFUSED and the like, or the data of its first record."""
    query = dns.message.make_query(name, kind)
    reply = dns.query.udp(query, LOOPBACK, port=port, timeout=WITHIN_S)
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    return reply.answer[-1][0].to_text() if reply.answer else "NODATA"


def answers(port: int, name: str) -> Callable[[], bool]:
    """Whether a name server answers by now."""

    def asked() -> bool:
        with contextlib.suppress(OSError, dns.exception.DNSException):
            dns.query.udp(dns.message.make_query(name, "A"), LOOPBACK, port=port, timeout=1)
            return True
        return False

    return asked


def listens(port: int) -> Callable[[], bool]:
    """Whether something accepts connections by now."""

    def connected() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return True
        return False

    return connected
