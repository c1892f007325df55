"""A body in any pieces gives the same objects, and nothing over a limit is held."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.objects import split
from hub.intake.body import EXCERPT_BYTES, Encoding, NdjsonLines, Piece, Unpacked, inflater, objects_of, objects_on
from hub.intake.receipts import ReceiptCodec, ReceiptName, new_uid
from hub.model.errors import NotFound, Refused, WrongType
from hub.model.words import Limits

LIMIT = 2_000
ZIP = (Path(__file__).parent.parent / "data" / "real-life" / "packed.json.zip").read_bytes()
COMPRESS: dict[Encoding, Callable[[bytes], bytes]] = {
    Encoding.IDENTITY: bytes, Encoding.GZIP: gzip.compress, Encoding.ZSTD: zstandard.compress,
}  # fmt: skip


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def pieces(parts: list[bytes], limit: int = LIMIT) -> list[Piece]:
    lines = NdjsonLines(Limits(object_bytes=limit), 10 * limit)
    found = [piece for part in parts for piece in lines.feed(part)]
    return found + lines.end()


no_list = st.binary(max_size=40).filter(lambda line: b"\n" not in line and not line.lstrip(b" \t\r").startswith(b"["))
some_lines = st.lists(no_list, max_size=8)


@given(lines=some_lines, places=st.lists(st.integers(min_value=0), max_size=6))
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], places: list[int]) -> None:
    body = b"\n".join(lines)
    expected = [line.strip(b" \t\r") for line in lines if line.strip(b" \t\r")]
    assert [piece.value for piece in pieces(cut(body, places))] == expected


@given(sizes=st.lists(st.integers(0, 3 * LIMIT), max_size=5), places=st.lists(st.integers(min_value=0), max_size=6))
def test_a_line_over_the_limit_is_cut_and_its_size_kept(sizes: list[int], places: list[int]) -> None:
    body = b"\n".join(b"x" * size for size in sizes)
    found = pieces(cut(body, places))
    assert [piece.size for piece in found] == [size for size in sizes if size]
    for piece in found:
        assert piece.cut == (piece.size > LIMIT)
        assert len(piece.value) == (EXCERPT_BYTES if piece.cut else piece.size)


def test_blanks_around_a_line_do_not_count() -> None:
    assert pieces([b"  " + b"x" * LIMIT + b" \r\n"]) == [Piece(b"x" * LIMIT, LIMIT)]


def test_an_endless_line_holds_no_more_than_the_limit() -> None:
    lines = NdjsonLines(Limits(object_bytes=LIMIT), 10 * LIMIT)
    for _ in range(10_000):
        assert lines.feed(b"x" * 1_000) == []
    assert len(lines._held) <= LIMIT + EXCERPT_BYTES
    assert lines.end() == [Piece(b"x" * EXCERPT_BYTES, 10_000_000)]


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    sort_keys=st.booleans(),
    places=st.lists(st.integers(min_value=0), max_size=6),
)
def test_a_bundle_on_a_line_is_taken_apart_also_where_it_is_over_the_limit_of_an_object(
    sizes: list[int], sort_keys: bool, places: list[int]
) -> None:
    objects = [[{"id": f"x--{number}", "x": "y" * 80} for number in range(size)] for size in sizes]
    bundles = [{"type": "bundle", "id": "bundle--1", "objects": some} for some in objects]
    body = "\n".join(json.dumps(one, sort_keys=sort_keys) for one in [*bundles, objects[0], {"id": "last"}]).encode()
    found = [json.loads(piece.value) for piece in pieces(cut(body, places))]
    assert found == [one for some in (*objects, objects[0]) for one in some] + [{"id": "last"}]


OTHERS = [7, None, "bundle", {}, {"type": "x-a", "objects": [{"id": 1}]}, {"type": "bundle"}]
said = st.sampled_from([{"spec_version": "2.0"}, {"spec_version": "2.1"}, {}])
anything = st.builds(lambda number, version: {"id": number, **version}, st.integers(), said) | st.sampled_from(OTHERS)


def some(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(inside, min_size=1, max_size=3)


def bundles_of(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bundle = {"type": "bundle", "id": "bundle--1"}
    return st.builds(lambda found, version: {**bundle, "objects": found, **version}, some(inside), said)


nested = st.recursive(anything, bundles_of, max_leaves=8)
envelopes = st.builds(lambda found: {"more": False, "objects": found}, some(nested))


@given(
    document=bundles_of(nested) | envelopes | some(nested | envelopes),
    layout=st.sampled_from([{}, {"sort_keys": True}, {"indent": 1}, {"indent": 2, "sort_keys": True}]),
    places=st.lists(st.integers(min_value=0), max_size=6),
)
def test_connectors_and_the_hub_cut_anything_into_the_same_objects(
    document: Any, layout: dict[str, Any], places: list[int]
) -> None:
    body = json.dumps(document, **layout).encode()
    limits = Limits()
    by_hub = [json.loads(piece.value) for piece in objects_of(body, limits)]
    lines = split(cut(body, places))
    assert [json.loads(one) for line in lines for one in objects_on(line, limits)] == by_hub


def test_a_bundle_over_the_limit_of_bundles_is_one_object_over_the_limit() -> None:
    line = json.dumps({"type": "bundle", "id": "bundle--1", "objects": [{"x": "y" * 100}] * 300}).encode()
    found = pieces([line, b'\n{"id":"next"}'])
    assert [(piece.size, piece.cut) for piece in found] == [(len(line), True), (13, False)]


@pytest.mark.parametrize(
    "line", [b'{"type":"bundle","objects":[{"a":1}', b'{"type":"bundle","objects":[]}', b"[]", b"["]
)
def test_a_line_that_cannot_be_cut_is_one_object_for_the_hub_to_refuse(line: bytes) -> None:
    assert pieces([line + b'\n{"id":"next"}']) == [Piece(line, len(line)), Piece(b'{"id":"next"}', 13)]


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("text", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
@given(places=st.lists(st.integers(min_value=0), max_size=6))
def test_a_body_is_decompressed_and_decoded_however_it_is_cut(encoding: Encoding, text: str, places: list[int]) -> None:
    unpacked = Unpacked(encoding)
    parts = cut(COMPRESS[encoding]('{"name":"naïve"}\n'.encode(text)), places)
    found = b"".join(block for part in parts for block in unpacked.blocks(part)) + unpacked.end()
    assert found == '{"name":"naïve"}\n'.encode()


@pytest.mark.parametrize(
    "packed", [ZIP, gzip.compress(b"{}", mtime=0), zstandard.compress(b"{}")], ids=["zip", "gzip", "zstd"]
)
@given(places=st.lists(st.integers(min_value=0), max_size=3))
def test_a_body_that_is_packed_without_a_word_is_told_so(packed: bytes, places: list[int]) -> None:
    unpacked = Unpacked(Encoding.IDENTITY)
    with pytest.raises(WrongType, match="The body is"):
        list(chain.from_iterable(unpacked.blocks(part) for part in cut(packed, places)))


@pytest.mark.parametrize("encoding", list(Encoding))
@given(data=st.binary(max_size=5_000), places=st.lists(st.integers(min_value=0), max_size=6), members=st.integers(1, 3))
def test_a_compressed_body_is_the_same_however_it_is_cut(
    encoding: Encoding, data: bytes, places: list[int], members: int
) -> None:
    body = COMPRESS[encoding](data) * members
    unpacking = inflater(encoding)
    found = b"".join(block for part in cut(body, places) for block in unpacking.blocks(part))
    unpacking.end()
    assert found == data * members


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
@given(data=st.binary(min_size=1, max_size=300), junk=st.binary(max_size=50))
def test_bytes_that_are_no_compressed_stream_are_refused_and_nothing_else(
    encoding: Encoding, data: bytes, junk: bytes
) -> None:
    unpacking = inflater(encoding)
    with contextlib.suppress(Refused):
        list(unpacking.blocks(data))
        list(unpacking.blocks(junk))
        unpacking.end()


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.ZSTD])
def test_no_block_is_greater_than_a_few_megabytes(encoding: Encoding) -> None:
    zeros = bytes(64 << 20)
    body = gzip.compress(zeros) if encoding is Encoding.GZIP else zstandard.compress(zeros)
    unpacking = inflater(encoding)
    sizes = [len(block) for block in unpacking.blocks(body)]
    assert sum(sizes) == len(zeros)
    assert max(sizes) <= 9 << 20


# ---------------------------------------------------------------- receipts' names

names = st.builds(
    ReceiptName,
    source=st.integers(0, 2**32 - 1),
    uid=st.builds(new_uid),
    received=st.integers(0, 2**32 - 1),
    ends=st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**63), max_size=5),
)


@given(name=names)
def test_a_receipts_text_says_its_name(name: ReceiptName) -> None:
    codec = ReceiptCodec(b"k" * 32)
    text = codec.encode(name)
    assert codec.decode(text) == name
    assert text.replace("-", "").replace("_", "").isalnum()
    with pytest.raises(NotFound):
        ReceiptCodec(b"other" * 6).decode(text)


@given(text=st.text(max_size=100))
def test_any_text_is_a_receipt_or_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        ReceiptCodec(b"k" * 32).decode(text)
