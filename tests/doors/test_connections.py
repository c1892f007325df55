"""What somebody may cost who has said nothing yet: heads, time and connections are bounded, and others are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.doors import metrics
from hub.doors.connections import ConnectionLimits, OpenConnections, connections_allowed
from hub.model.errors import WrongUsage
from tests.doors.hubs import Hub
from tests.doors.sockets import PATIENCE_S, Peer, connected, served
from tests.running import RunningHub
from tests.servers.certificates import Authority
from tests.waiting import until

LIMIT = ConnectionLimits().head_bytes
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
PIECE = b"A" * 65_536
MANY = 96 << 4
"""So many pieces are 96 MiB."""
LONG = 3600.0
"""A time-out that a test never reaches."""


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and says how long it was; ``/early`` answers before it reads; ``/large`` has 32 MiB."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    answer: Any
    if scope["path"] == "/large":
        answer = PlainTextResponse(PIECE * 512)
    elif scope["path"] == "/early":
        answer = PlainTextResponse("early")
    else:
        answer = PlainTextResponse(str(len(await Request(scope, receive).body())))
    await answer(scope, receive, send)


def waiting_for(going_on: asyncio.Event) -> ASGIApp:
    """An application that answers once it may go on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await plain(scope, receive, send)
            return
        await going_on.wait()
        await PlainTextResponse("done")(scope, receive, send)

    return app


def timed_out(awaited: str) -> float:
    return float(metrics.CONNECTIONS_TIMED_OUT.labels(awaited)._value.get())


def refused(ceiling: str) -> float:
    return float(metrics.CONNECTIONS_REFUSED.labels(ceiling)._value.get())


def open_now() -> float:
    return float(metrics.CONNECTIONS_OPEN._value.get())


# ---------------------------------------------------------------- what a head may have


def one_field() -> Iterator[bytes]:
    yield GET + b"X: "
    yield from [PIECE] * MANY
    yield b"\r\n\r\n"


def one_line() -> Iterator[bytes]:
    yield b"GET /healthz?"
    yield from [PIECE] * MANY
    yield b" HTTP/1.1\r\nHost: x\r\n\r\n"


def one_path() -> Iterator[bytes]:
    yield b"GET /taxii2/"
    yield from [PIECE] * MANY
    yield b" HTTP/1.1\r\nHost: x\r\n\r\n"


def one_name() -> Iterator[bytes]:
    yield GET
    yield from [PIECE] * MANY
    yield b": x\r\n\r\n"


def many_fields() -> Iterator[bytes]:
    yield GET
    yield from [b"X: 1\r\n" * 10_000] * 400
    yield b"\r\n"


def just_too_many_fields() -> Iterator[bytes]:
    yield GET + b"X: 1\r\n" * 100 + b"\r\n"


def just_too_large() -> Iterator[bytes]:
    yield GET + b"X: " + b"A" * LIMIT + b"\r\n\r\n"


def folded() -> Iterator[bytes]:
    yield GET + b"X: a\r\n"
    yield from [b" " + PIECE + b"\r\n"] * MANY
    yield b"\r\n"


HEADS = [
    (one_field, 431), (one_line, 414), (one_path, 414), (one_name, 431), (many_fields, 431),
    (just_too_many_fields, 431), (just_too_large, 431), (folded, (400, 431)),
]  # fmt: skip


@pytest.mark.parametrize(("head", "status"), HEADS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("path", [b"/healthz", b"/taxii2/"])
async def test_a_head_beyond_the_limit_is_answered_and_the_connection_closed(
    head: Any, status: Any, path: bytes, hub: Hub
) -> None:
    async with served(hub.app) as port, connected(port) as peer:
        sent = await peer.send_all(piece.replace(b"/healthz", path) for piece in head())
        assert sent < 16 << 20
        answer, fields, body = await peer.answer()
        assert answer in (status if isinstance(status, tuple) else (status,))
        assert fields["connection"] == "close"
        problem = json.loads(body)
        if path == b"/taxii2/" or head is one_path:
            assert fields["content-type"] == "application/taxii+json;version=2.1"
            assert problem["http_status"] == str(answer)
        else:
            assert (fields["content-type"], problem["status"]) == ("application/problem+json", answer)
            assert problem["code"].startswith("http.")
        await peer.closed()


async def test_a_head_at_the_limit_is_taken() -> None:
    whole = GET + b"X: " + b"A" * (LIMIT - 4_000) + b"\r\n" + b"Y: 1\r\n" * 90 + b"\r\n"
    async with served(plain) as port, connected(port) as peer:
        for cut in (1, 50, len(whole) - 1):
            await peer.send(whole[:cut], whole[cut:])
            assert (await peer.answer())[0] == 200


@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(1, 200_000), max_size=8), fill=st.integers(0, 3 * LIMIT), before=st.integers(0, 3))
def test_whether_a_head_passes_depends_on_its_bytes_and_not_on_how_they_come(
    cuts: list[int], fill: int, before: int
) -> None:
    body = b"B" * 70_000
    earlier = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + body
    head = GET + b"X: " + b"A" * fill + b"\r\n\r\n"
    data = earlier * before + head
    bounds = sorted({0, len(data), *(cut % len(data) for cut in cuts)})

    async def work() -> None:
        async with served(plain) as port, connected(port) as peer:
            sending = asyncio.ensure_future(peer.send(*(data[a:b] for a, b in pairwise(bounds))))
            for _ in range(before):
                assert (await peer.answer())[2] == b"70000"
            # what counts are the target and the fields, with four signs of punctuation each
            size = len(b"/healthz") + len(b"Host") + len(b"x") + 4 + len(b"X") + fill + 4
            if size <= LIMIT:
                assert (await peer.answer())[0] == 200
            else:  # one that was read together with what came before it is not answered into the answer to that
                assert (await peer.closed()).startswith(b"HTTP/1.1 431") or before
            await sending

    asyncio.run(work())


async def test_memory_stays_flat_while_somebody_sends_a_head_without_end(hub: Hub) -> None:
    async with served(hub.app) as port:
        async with connected(port) as warm:
            await warm.send(GET + b"\r\n")
            await warm.answer()
        before = _resident_kib()
        for head in (one_field, one_line, many_fields, one_name):
            async with connected(port) as peer:
                await peer.send_all(head())
                await peer.closed()
        assert _resident_kib() - before < 16 << 10  # the piece that a peer sends, and a copy of it, are 2 MiB


def _resident_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def test_what_stands_in_a_chunked_body_beside_its_data_is_bounded_too() -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    endings = {
        "a field after it": [b"0\r\nX: ", *[PIECE] * MANY],
        "fields after it": [b"0\r\n", *[b"X: 1\r\n" * 10_000] * MANY],
        "an extension of a chunk": [b"1;x=", *[PIECE] * MANY],
    }
    for name, rest in endings.items():
        async with served(plain) as port, connected(port) as peer:
            await peer.send(chunked)
            assert await peer.send_all(rest) < 16 << 20, name
            assert (await peer.answer())[0] in (400, 431), name
            await peer.closed()


async def test_many_small_chunks_are_a_body_like_any_other() -> None:
    async with served(plain) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await peer.send(b"1;extension=1234567890\r\nA\r\n" * 20_000, b"0\r\nX: 1\r\n\r\n")
        assert (await peer.answer())[2] == b"20000"


async def test_a_request_that_is_wrong_is_never_answered_into_the_answer_of_another() -> None:
    going_on = asyncio.Event()
    async with served(waiting_for(going_on)) as port, connected(port) as peer:
        await peer.send(GET + b"\r\n")
        await peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: " + PIECE * 2)
        going_on.set()
        assert (await peer.answer())[2] == b"done"
        rest = await peer.closed()  # nothing, or an answer of its own where the first was complete by then
        assert not rest or rest.startswith(b"HTTP/1.1 431 ")


async def test_requests_that_wait_for_others_on_one_connection_are_few() -> None:
    going_on = asyncio.Event()
    async with served(waiting_for(going_on)) as port, connected(port) as peer:
        await peer.send((GET + b"\r\n") * 3_000)
        going_on.set()
        for _ in range(1 + ConnectionLimits().pipelined):
            assert (await peer.answer())[2] == b"done"
        assert await peer.closed() == b""


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"NO HTTP\r\n\r\n", b"GET / HTTP/1.1\r\nbad\r\n\r\n"]
)
async def test_what_is_no_http_is_a_problem_as_others_are(data: bytes) -> None:
    async with served(plain) as port, connected(port) as peer:
        await peer.send(data)
        status, fields, body = await peer.answer()
        assert (status, json.loads(body)["code"], fields["connection"]) == (400, "http.malformed", "close")
        await peer.closed()


# ---------------------------------------------------------------- how long it may take


SLOW = {
    "silent": (b"", b""),
    "half a line": (b"GET /hea", b""),
    "half a head": (b"GET /taxii2/ HTTP/1.1\r\nHost: x\r\n", b""),
    "a byte now and then": (b"GET / HTTP/1.1\r\nX: ", b"A"),
    "blank lines": (b"\r\n", b"\r\n"),
    "the head of a second request": (GET + b"\r\nGET /", b"A"),
    "a body after its answer": (b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"A"),
}


@pytest.mark.parametrize("slow", SLOW)
async def test_whoever_does_not_finish_a_head_is_let_go(slow: str) -> None:
    begin, drip = SLOW[slow]
    before = timed_out("head")
    async with served(plain, head_s=0.2, idle_s=LONG) as port, connected(port) as peer:
        await peer.send(begin)
        await until(lambda: _dripped(peer, drip), within_s=PATIENCE_S, what="the server closes the connection")
        received = bytes(peer.received)
        assert timed_out("head") == before + 1
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", received)]
        if slow in ("silent", "blank lines"):
            assert statuses == []
        elif slow == "a body after its answer":
            assert statuses == [200]
        else:
            assert statuses[-1] == 408
            assert (b"http_status" in received) == (slow == "half a head")


async def _dripped(peer: Peer, drip: bytes) -> bool:
    await peer.send(drip)
    return peer.over


async def test_a_connection_that_asks_nothing_more_is_let_go() -> None:
    before = timed_out("request")
    async with served(plain, head_s=LONG, idle_s=0.2) as port, connected(port) as peer:
        await peer.send(GET + b"\r\n")
        assert (await peer.answer())[0] == 200
        assert await peer.closed() == b""
    assert timed_out("request") == before + 1


async def test_a_request_that_is_being_answered_has_no_deadline_of_its_head() -> None:
    going_on = asyncio.Event()
    async with served(waiting_for(going_on), head_s=0.1, idle_s=0.1) as port, connected(port) as peer:
        await peer.send(GET + b"\r\n")
        async with connected(port) as other:  # that one is let go shows that the time has passed
            await other.closed()
        going_on.set()
        assert (await peer.answer())[2] == b"done"


async def test_a_reader_that_takes_nothing_keeps_no_connection_that_was_closed() -> None:
    async with served(plain, flush_s=0.1) as port, connected(port) as peer:
        peer.take_nothing()
        await peer.send(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await until(lambda: open_now() == 1, within_s=PATIENCE_S)
        await until(lambda: open_now() == 0, within_s=PATIENCE_S, what="the connection is cut off")


# ---------------------------------------------------------------- TLS


def a_context(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the server, and for who trusts it."""
    authority = Authority.make(folder)
    server = authority.server_context(folder)
    return server, ssl.create_default_context(cafile=str(authority.ca_file))


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x02\x00"])
async def test_a_handshake_that_never_ends_counts_as_the_head(begin: bytes, tmp_path: Path) -> None:
    server, _ = a_context(tmp_path)
    before = timed_out("handshake")
    async with served(plain, tls=server, head_s=0.3, idle_s=LONG) as port, connected(port) as peer:
        await peer.send(begin)
        assert await peer.closed() == b""
        await until(lambda: timed_out("handshake") == before + 1, within_s=PATIENCE_S)
        await until(lambda: open_now() == 0, within_s=PATIENCE_S)


async def test_over_tls_heads_are_bounded_as_well(tmp_path: Path) -> None:
    server, trusting = a_context(tmp_path)
    async with served(plain, tls=server, head_s=LONG) as port, connected(port, tls=trusting) as peer:
        await peer.send(GET + b"\r\n")
        assert (await peer.answer())[0] == 200
        await peer.send(*just_too_large())
        assert (await peer.answer())[0] == 431
        await peer.closed()


async def test_what_is_no_tls_leaves_nothing_behind(tmp_path: Path) -> None:
    server, _ = a_context(tmp_path)
    async with served(plain, tls=server) as port:
        for _ in range(3):
            async with connected(port) as peer:
                await peer.send(GET + b"\r\n")
                await peer.closed()
        await until(lambda: open_now() == 0, within_s=PATIENCE_S)


# ---------------------------------------------------------------- how many


async def test_connections_beyond_the_ceiling_are_refused_at_once_and_counted() -> None:
    before = refused("all")
    async with (
        served(plain, connections=3, each_address=None, head_s=LONG) as port,
        contextlib.AsyncExitStack() as stack,
    ):
        kept = [await stack.enter_async_context(connected(port)) for _ in range(3)]
        await until(lambda: open_now() == 3, within_s=PATIENCE_S)
        async with connected(port) as peer:
            status, fields, body = await peer.answer()
            assert (status, json.loads(body)["code"]) == (503, "http.too-many-connections")
            assert int(fields["retry-after"]) >= 1
            assert await peer.closed() == b""
        assert refused("all") == before + 1
        await kept[0].send(GET + b"\r\n")
        assert (await kept[0].answer())[0] == 200
        await kept[0].close()
        await until(lambda: open_now() == 2, within_s=PATIENCE_S)
        async with connected(port) as peer:
            await peer.send(GET + b"\r\n")
            assert (await peer.answer())[0] == 200
    await until(lambda: open_now() == 0, within_s=PATIENCE_S)


async def test_one_address_cannot_take_the_places_of_others() -> None:
    before = refused("address")
    async with served(plain, connections=10, each_address=2, head_s=LONG) as port, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(connected(port))
        await until(lambda: open_now() == 2, within_s=PATIENCE_S)
        async with connected(port) as peer:
            assert (await peer.answer())[0] == 503
        assert refused("address") == before + 1
        async with connected(port, address="127.0.0.2") as other:
            await other.send(GET + b"\r\n")
            assert (await other.answer())[0] == 200


async def test_over_tls_a_connection_too_many_is_closed_before_its_handshake(tmp_path: Path) -> None:
    server, _ = a_context(tmp_path)
    async with (
        served(plain, tls=server, connections=1, head_s=LONG) as port, connected(port), connected(port) as peer
    ):  # fmt: skip
        assert await peer.closed() == b""


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"]), st.booleans())),
    st.integers(1, 6),
    st.none() | st.integers(1, 4),
)
def test_no_ceiling_is_ever_passed_and_what_is_given_back_is_free_again(
    steps: list[tuple[str, bool]], connections: int, each: int | None
) -> None:
    opened = OpenConnections(ConnectionLimits(connections=connections, each_address=each))
    inside: list[tuple[str, Any]] = []
    for address, comes in steps:
        name = "v6" if ":" in address else address  # both are of one network
        if not comes and inside:
            leave = inside.pop(0)[1]
            leave()
            leave()
        elif comes:
            alike = sum(1 for one, _ in inside if one == name)
            over = "all" if len(inside) >= connections else "address" if each is not None and alike >= each else None
            assert opened.full(address) == over
            if over is None:
                inside.append((name, opened.take(address)))


@pytest.mark.parametrize("files", [128, 256, 1_024, 20_000, 65_536, 1 << 20])
def test_the_ceiling_stays_below_the_limit_of_open_files(files: int) -> None:
    allowed = connections_allowed(None, files=files)
    assert 1 <= allowed <= min(4_096, files - 64)
    assert connections_allowed(allowed, files=files) == allowed
    with pytest.raises(WrongUsage, match="MAX_CONNECTIONS"):
        connections_allowed(files, files=files)


async def test_when_no_file_is_left_the_server_goes_on_as_soon_as_there_is_one() -> None:
    before, (soft, hard) = refused("files"), resource.getrlimit(resource.RLIMIT_NOFILE)
    async with served(plain, head_s=LONG) as port, contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(port)) for _ in range(3)]
        await until(lambda: open_now() == 3, within_s=PATIENCE_S)
        late = await stack.enter_async_context(_late(port))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (_next_file(), hard))
            await late.connect()
            await until(lambda: refused("files") > before, within_s=PATIENCE_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await peers[0].send(GET + b"\r\n")
        assert (await peers[0].answer())[0] == 200
        assert await late.ask() == 200


def _next_file() -> int:
    """The number that the next opened file would have, which is the lowest free one."""
    number = os.dup(0)
    os.close(number)
    return number


class _Late:
    """A connection whose file is there before it is made."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket()
        self._socket.setblocking(False)

    async def connect(self) -> None:
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))

    async def ask(self) -> int:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, GET + b"\r\n")
        async with asyncio.timeout(PATIENCE_S):
            return int((await loop.sock_recv(self._socket, 1000)).split()[1])

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def _late(port: int) -> AsyncIterator[_Late]:
    late = _Late(port)
    try:
        yield late
    finally:
        late.close()


async def test_connections_are_shown_to_prometheus() -> None:
    async with served(plain) as port, connected(port):
        await until(lambda: b"ctihub_http_connections 1.0" in generate_latest(metrics.CONNECTIONS), within_s=PATIENCE_S)


# ---------------------------------------------------------------- the whole process


def test_a_hub_goes_on_while_many_connect_and_never_ask(tmp_path: Path) -> None:
    environment = {"CTIHUB_HEAD_TIMEOUT": "1", "CTIHUB_MAX_CONNECTIONS_PER_ADDRESS": "200"}
    hub = RunningHub(tmp_path, environment)
    with contextlib.ExitStack() as stack, hub.running():
        kept = [stack.enter_context(socket.create_connection(("127.0.0.1", hub.port))) for _ in range(300)]
        for one in kept[::2]:
            with contextlib.suppress(OSError):
                one.sendall(b"GET /heal")
        for one in kept:
            one.settimeout(PATIENCE_S)
            with contextlib.suppress(ConnectionError):
                while one.recv(65_536):
                    pass
        told = httpx.get(f"{hub.url}/metrics", trust_env=False, timeout=PATIENCE_S).text
    counted = {series: float(value) for series, _, value in (line.partition(" ") for line in told.splitlines())
               if series.startswith("ctihub_http_connections")}  # fmt: skip
    refused_here = counted['ctihub_http_connections_refused_total{ceiling="address"}']
    late = counted['ctihub_http_connections_timed_out_total{awaited="head"}']
    assert refused_here > 0
    assert refused_here + late == 300
    assert counted["ctihub_http_connections"] < 200
