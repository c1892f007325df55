"""Answers in gzip and zstd: what a client asks for, and that what it decodes is what others get."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from hub.doors.budgeted import PART_BYTES
from hub.doors.codings import LEAST_BYTES, Choice, choose, compress, compressor
from hub.intake import Encoding
from tests.doors.hubs import Hub, a_hub, addresses
from tests.doors.streams import Reader
from tests.story import an_indicator
from tests.waiting import until

PLAIN = Choice(Encoding.IDENTITY, 0)
GZIP, ZSTD = Choice(Encoding.GZIP, LEAST_BYTES), Choice(Encoding.ZSTD, LEAST_BYTES)


def decoded(body: bytes, coding: str) -> bytes:
    """A whole body; fails if it is cut off, or if something follows it."""
    if coding == "identity":
        return body
    if coding == "gzip":
        gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        content = gzip.decompress(body)
        assert gzip.eof
        assert not gzip.unused_data
        return content
    zstd = zstandard.ZstdDecompressor().decompressobj()
    content = zstd.decompress(body)
    assert zstd.eof
    assert not zstd.unused_data
    return content


# ---------------------------------------------------------------- what a client asks for


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ((), PLAIN), (("",), PLAIN), (("identity",), PLAIN), (("br, deflate",), PLAIN), (("*;q=0",), PLAIN),
        (("gzip",), GZIP), (("GZIP;Q=0.1",), GZIP), (("x-gzip",), GZIP), (("gzip, deflate",), GZIP), (("*",), GZIP),
        (("gzip;q=0.5, identity;q=0.5",), GZIP), (("gzip;q=0.5", "identity;q=0.1"), GZIP), (("br, *;q=0.1",), GZIP),
        (("zstd",), ZSTD), (("gzip, deflate, br, zstd",), ZSTD), (("gzip", "zstd"), ZSTD), (("gzip;q=0,zstd",), ZSTD),
        (("gzip;q=0.9, zstd;q=0.8",), GZIP), (("zstd;q=1.000,gzip;q=0.999",), ZSTD), (("*, gzip;q=0",), PLAIN),
        (("gzip;q=0",), PLAIN), (("gzip;q=0.000, *;q=0",), PLAIN), (("identity, gzip;q=0.9",), PLAIN),
        (("gzip;q=2",), PLAIN), (("gzip;q=0.1234",), PLAIN), (("gzip;level=9",), PLAIN), (("g zip",), PLAIN),
        (("gzip, identity;q=0",), GZIP._replace(least_bytes=0)), (("zstd, *;q=0",), ZSTD._replace(least_bytes=0)),
        (("identity;q=0",), PLAIN), (("br, identity;q=0",), PLAIN), (("\tgzip ;q=0.3 ,, ",), GZIP),
    ],
)  # fmt: skip
def test_what_accept_encoding_means(said: Sequence[str], meant: Choice) -> None:
    assert choose(said) == meant


WEIGHTS = st.one_of(st.none(), st.integers(0, 1000).map(lambda one: f"{one / 1000:.3f}"), st.just("1"), st.just("0"))
MEMBERS = st.tuples(st.sampled_from(["gzip", "zstd", "identity", "*", "br"]), WEIGHTS)


@given(st.lists(MEMBERS, max_size=6, unique_by=lambda member: member[0]), st.booleans())
def test_the_coding_is_one_that_the_client_accepts_and_likes_best(
    members: list[tuple[str, str | None]], split: bool
) -> None:
    written = [name if weight is None else f"{name};q={weight}" for name, weight in members]
    likes = {name: float(weight or 1) for name, weight in members}
    found = choose(written if split else [",".join(written)])
    plain = likes.get("identity", likes.get("*"))
    offered = {"gzip": likes.get("gzip", likes.get("*", 0.0)), "zstd": likes.get("zstd", 0.0)}
    if found.coding is Encoding.IDENTITY:
        assert all(weight == 0 or weight < likes.get("identity", 0) for weight in offered.values())
    else:
        assert offered[found.coding] == max(offered.values()) > 0
        assert offered[found.coding] >= likes.get("identity", 0)
        assert (found.least_bytes == 0) is (plain == 0)


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_header_gives_a_coding(said: list[str]) -> None:
    assert choose(said).coding in Encoding


@given(st.binary(max_size=3_000), st.sampled_from([Encoding.GZIP, Encoding.ZSTD]), st.lists(st.integers(0, 3_000)))
def test_a_stream_in_any_parts_can_be_read_up_to_each_flush(body: bytes, coding: Encoding, cuts: list[int]) -> None:
    assert decoded(compress(body, coding), coding) == body
    made = compressor(coding)
    assert made is not None
    reading = zlib.decompressobj(31) if coding is Encoding.GZIP else zstandard.ZstdDecompressor().decompressobj()
    sent, read = b"", b""
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(body)], strict=True):
        said = made.part(body[start:end], flush=True)
        sent, read = sent + said, read + reading.decompress(said)
        assert read == body[:end]
    assert decoded(sent + made.end(), coding) == body


# ---------------------------------------------------------------- over HTTP


async def raw(hub: Hub, path: str, who: str | None, accept: str | None, **headers: str) -> tuple[dict[str, str], bytes]:
    """The headers of an answer, and its bytes as they were sent."""
    said = {**hub.auth(who), **headers} | ({} if accept is None else {"accept-encoding": accept})
    request = hub.http.build_request("GET", path, headers=said)
    if accept is None:
        del request.headers["accept-encoding"]
    answer = await hub.http.send(request, stream=True)
    body = b"".join([part async for part in answer.aiter_raw()])
    assert answer.status_code == 200, body
    if "content-length" in answer.headers:
        assert int(answer.headers["content-length"]) == len(body)
    return dict(answer.headers), body


async def paths_with_much(hub: Hub) -> list[str]:
    await hub.tell("ro", *addresses(30))
    await hub.push("ro", *[b"{"] * 30)
    await hub.settle()
    url = await hub.objects_url("community")
    [one, *_] = [one["id"] for one in (await hub.get(url, "ro")).json()["objects"] if one["type"] == "indicator"]
    manifest = url.replace("objects", "manifest")
    return [
        url, manifest, f"{url}{one}/", "/taxii2/root/collections/", "/v1/collections", "/v1/rejections",
        "/v1/explain/2001:db8::1", "/v1/collections/community/export.csv", "/v1/openapi.json", "/rules/json.malformed",
        "/metrics",
    ]  # fmt: skip


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_what_is_decoded_is_what_is_sent_plain(hub: Hub, coding: str) -> None:
    for path in await paths_with_much(hub):
        plain, content = await raw(hub, path, "ro", None)
        assert "content-encoding" not in plain
        assert "Accept-Encoding" in plain["vary"]
        for _ in range(2):  # made, and perhaps kept
            headers, body = await raw(hub, path, "ro", coding)
            assert "Accept-Encoding" in headers["vary"]
            assert headers.get("etag") == plain.get("etag"), path
            if len(content) < LEAST_BYTES:
                assert ("content-encoding" in headers, body) == (False, content), path
                continue
            assert headers["content-encoding"] == coding, path
            assert len(body) < len(content)
            if path != "/metrics":  # which counts this request
                assert decoded(body, coding) == content, path
        assert (await raw(hub, path, "ro", "identity"))[1] == content or path == "/metrics"


async def test_small_answers_are_compressed_only_where_plain_ones_are_refused(hub: Hub) -> None:
    headers, body = await raw(hub, "/taxii2/", "soc", "gzip")
    assert "content-encoding" not in headers
    headers, body = await raw(hub, "/taxii2/", "soc", "gzip, identity;q=0")
    assert decoded(body, headers["content-encoding"]).startswith(b"{")
    url = await hub.objects_url("public")
    small, body = await raw(hub, f"{url}?match[type]=tool", "soc", "gzip")
    assert ("content-encoding" in small, body) == (False, b'{"more":false,"objects":[]}')
    small, body = await raw(hub, f"{url}?match[type]=tool", "soc", "gzip, identity;q=0")
    assert decoded(body, small["content-encoding"]) == b'{"more":false,"objects":[]}'


async def test_errors_and_receipts_are_plain(hub: Hub) -> None:
    answer = await hub.get("/taxii2/nothing", "soc", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert "content-encoding" not in (await hub.http.head("/healthz", headers={"accept-encoding": "gzip"})).headers


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_long_list_is_compressed_part_by_part(tmp_path: Path, coding: str) -> None:
    async with a_hub(tmp_path, list_part_bytes=100) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(1_500))
        path = "/v1/collections/community/export.jsonl"
        _, content = await raw(hub, path, "ro", None)
        headers, body = await raw(hub, path, "ro", coding)
        assert "content-length" not in headers
        assert decoded(body, coding) == content
        assert len(body) < len(content) / 3
        assert hub.doors.answers.free_bytes == hub.doors.answers.total_bytes


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_events_can_be_read_when_they_are_sent(hub: Hub, coding: str) -> None:
    reading = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    plain, read = Reader(), Reader()
    taking = read.send

    async def take(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": reading.decompress(message.get("body", b""))}
        await taking(message)

    def scope(*headers: tuple[bytes, bytes]) -> Message:
        credentials = (b"authorization", hub.auth("ro")["authorization"].encode())
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/v1/collections/community/stream", "raw_path": b"", "root_path": "",
            "query_string": b"", "headers": [credentials, *headers], "server": ("hub.example", 80),
            "client": ("192.0.2.1", 1),
        }  # fmt: skip

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.app(scope(), plain.receive, plain.send))
        tasks.create_task(hub.app(scope((b"accept-encoding", coding.encode())), read.receive, take))
        await until(lambda: read.status == 200, what="the head, before the first event")
        assert read.headers["content-encoding"] == coding
        for no in range(3):
            await hub.tell("ro", an_indicator(f"203.0.113.{no}"))
            await until(lambda: len(plain.events) > 0 and len(read.events) == len(plain.events))
        await until(lambda: min(one.events[-1].seq for one in (plain, read)) >= 5)
        plain.gone.set()
        read.gone.set()
    assert read.body == plain.body
    assert read.ended


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_reader_of_compressed_bytes_that_takes_none_is_let_go(tmp_path: Path, coding: str) -> None:
    async with a_hub(tmp_path, stall_s=0.2, list_part_bytes=100) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(1_500))
        budget = hub.doors.answers
        for path in (await hub.objects_url("community") + "?limit=5000", "/v1/collections/community/export.jsonl"):
            reader = Reader()
            reader.status = -1  # no events in it
            reader.taking.clear()
            headers = {**hub.auth("ro"), "accept-encoding": coding}
            scope = {
                "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
                "method": "GET", "scheme": "http", "path": path.partition("?")[0], "raw_path": b"", "root_path": "",
                "query_string": path.partition("?")[2].encode(), "server": ("hub.example", 80),
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()], "client": ("192.0.2.1", 1),
            }  # fmt: skip
            await hub.app(scope, reader.receive, reader.send)
            assert not reader.ended
            assert budget.free_bytes == budget.total_bytes


async def test_a_great_answer_without_an_etag_is_compressed_in_parts(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.push("ro", *[b"[" + b"x" * 300] * 900)
        await hub.settle()
        _, content = await raw(hub, "/v1/rejections", "ro", None)
        assert len(content) > PART_BYTES
        headers, body = await raw(hub, "/v1/rejections", "ro", "gzip")
        assert (decoded(body, "gzip"), "etag" in headers) == (content, False)
