"""Cutting bytes into objects: any layout, cut anywhere, nothing lost, nothing repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.objects import ObjectSplitter, split

LAYOUTS: dict[str, Callable[[list[object]], str]] = {
    "bundle": lambda objects: json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}),
    "bundle, objects first": lambda objects: json.dumps({"id": "bundle--1", "objects": objects, "type": "bundle"}),
    "bundle over many lines": lambda objects: json.dumps({"type": "bundle", "objects": objects}, indent=2),
    "bundle with a byte order mark": lambda objects: "\ufeff" + json.dumps({"type": "bundle", "objects": objects}),
    "TAXII envelope": lambda objects: json.dumps({"more": False, "next": "x]}", "objects": objects}),
    "list": json.dumps,
    "list over many lines": lambda objects: json.dumps(objects, indent=1),
    "NDJSON": lambda objects: "\n".join(map(json.dumps, objects)),
    "NDJSON with blank lines and CRLF": lambda objects: "\r\n\r\n".join(map(json.dumps, objects)) + "\r\n",
    "objects over many lines": lambda objects: "\n".join(json.dumps(one, indent=4) for one in objects),
    "NDJSON of bundles": lambda objects: "\n".join(json.dumps({"type": "bundle", "objects": [o]}) for o in objects),
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", "}{", "],[", '\\"', "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
stix_like = st.builds(
    lambda number, extra: {"type": "indicator", "id": f"indicator--{number}", **extra},
    st.integers(0, 999),
    st.dictionaries(st.sampled_from(["a", "b", "labels", "name", "x_c"]), json_values, max_size=4),
)


def cut(data: bytes, at: list[int]) -> Iterator[bytes]:
    """``data`` in the pieces that cuts at ``at`` make."""
    edges = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return (data[start:end] for start, end in pairwise(edges))


@pytest.mark.parametrize("layout", LAYOUTS)
@given(objects=st.lists(stix_like, min_size=1, max_size=5), at=st.lists(st.integers(0, 10_000), max_size=6))
def test_any_layout_cut_anywhere_gives_the_objects(layout: str, objects: list[object], at: list[int]) -> None:
    data = LAYOUTS[layout](objects).encode()
    assert [json.loads(raw) for raw in split(cut(data, at))] == objects


@given(data=st.binary(max_size=300), at=st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_give_the_same_lines_however_they_are_cut(data: bytes, at: list[int]) -> None:
    whole = list(split([data]))
    assert list(split(cut(data, at))) == whole
    assert not any(b"\n" in raw or b"\r" in raw for raw in whole)


BITS = ['{"type":"indicator"', '{"type":"bundle","objects":[', "{", "}", "[", "]", ",", '"', "\\", ":", "\n"]
json_bits = st.lists(st.sampled_from([*BITS, '"objects"', "1", " "]), max_size=30)


@given(bits=json_bits, at=st.lists(st.integers(0, 500), max_size=5))
def test_broken_json_gives_the_same_lines_however_it_is_cut(bits: list[str], at: list[int]) -> None:
    data = "".join(bits).encode()
    assert list(split(cut(data, at))) == list(split([data]))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_list_on_a_line_of_ndjson_is_one_object_for_the_hub_to_refuse(at: int) -> None:
    lines = [b'{"id":"a"}', b'{"id":"b"}']
    lines.insert(at, b'[{"id":"c"},{"id":"d"}]')
    assert list(split([b"\n".join(lines)])) == lines


def test_a_list_that_is_the_whole_file_is_opened() -> None:
    assert list(split([b'[{"id":"a"},{"id":"b"}]\n'])) == [b'{"id":"a"}', b'{"id":"b"}']
    assert list(split([b'[{"id":"a"},\n{"id":"b"}]'])) == [b'{"id":"a"}', b'{"id":"b"}']


@given(bits=json_bits)
def test_what_is_no_punctuation_of_a_bundle_comes_out_somewhere(bits: list[str]) -> None:
    """A mark that stands anywhere outside what holds the objects is in some line."""
    data = "".join(bits).encode() + b'\n{"mark":"MARK"}\n'
    out = b"".join(split([data]))
    head = data[: data.find(b"MARK")]
    assert b"MARK" in out or b'"objects":[' in head


def test_a_malformed_line_of_ndjson_spoils_only_itself() -> None:
    lines = [b'{"id":"a"}', b'{"id":"b', b'{"id":', b"not json", b'{"id":"c"}', b"[1,", b'{"id":"d"}}']
    assert list(split([b"\n".join(lines)])) == lines


def test_ndjson_that_begins_with_a_malformed_line_is_read_by_lines() -> None:
    lines = [b'{"type":"indicator","name":"x', b'{"id":"b"}', b'{"id":"c"}']
    assert list(split([b"\n".join(lines)])) == lines


def test_a_missing_quote_spoils_one_object_of_a_bundle_over_many_lines() -> None:
    objects = [{"id": f"i--{n}", "name": f"name {n}", "labels": ["x", "y"]} for n in range(5)]
    text = json.dumps({"type": "bundle", "objects": objects}, indent=1).replace('"name 2"', '"name 2')
    out = list(split([text.encode()]))
    good = [json.loads(raw) for raw in out if raw.count(b"name 2") == 0]
    assert good == [one for one in objects if one["id"] != "i--2"]
    assert len(out) == 5


def test_a_bracket_that_closes_nothing_spoils_one_object() -> None:
    out = list(split([b'{"type":"bundle","objects":[{"a":1]},{"b":[2},{"c":3}]}']))
    assert out == [b'{"a":1]}', b'{"b":[2}', b'{"c":3}']


def test_what_is_no_object_in_a_bundle_comes_out_as_it_is() -> None:
    assert list(split([b'{"objects":[{"a":1},2,"x, y",null,[3],{"b":1}]}'])) == [
        b'{"a":1}', b"2", b'"x, y"', b"null", b"[3]", b'{"b":1}',
    ]  # fmt: skip


def test_an_object_that_the_end_of_the_file_cuts_off_comes_out_as_it_is() -> None:
    assert list(split([b'{"type":"bundle","objects":[{"a":1},{"b":"x'])) == [b'{"a":1}', b'{"b":"x']


def test_an_empty_bundle_has_no_objects() -> None:
    assert list(split([b'{"type":"bundle","id":"bundle--1"}'])) == []
    assert list(split([b'{"type":"bundle","id":"bundle--1","objects":[]}\n'])) == []
    assert list(split([])) == list(split([b" \n\n "])) == []


def test_an_object_with_a_list_called_objects_is_no_bundle() -> None:
    raw = b'{"type":"x-custom","id":"x-custom--1","objects":[{"a":1}]}'
    assert list(split([raw])) == [raw]


def test_a_line_break_inside_an_object_becomes_a_tab_and_stays_wrong_inside_a_string() -> None:
    (raw,) = split([b'{"a":\n1,"b":"x\ny"}'])
    assert raw == b'{"a":\t1,"b":"x\ty"}'


def test_objects_of_a_stix_2_0_bundle_get_its_version() -> None:
    out = list(split([b'{"type":"bundle","spec_version":"2.0","objects":[{"id":"a"},{ },{"spec_version":"2.1"}]}']))
    assert out == [b'{"spec_version":"2.0","id":"a"}', b'{"spec_version":"2.0" }', b'{"spec_version":"2.1"}']


def test_objects_of_a_bundle_of_another_version_stay_as_they_are() -> None:
    assert list(split([b'{"type":"bundle","spec_version":"2.1","objects":[{"id":"a"}]}'])) == [b'{"id":"a"}']


@pytest.mark.parametrize("opening", [b'{"type":"bundle","objects":[', b"[", b""])
def test_an_object_over_the_limit_comes_out_cut_and_the_next_is_whole(opening: bytes) -> None:
    big = b'{"id":"big","x":"' + b"y" * 5_000 + b'"}'
    data = opening + big + (b"\n" if not opening else b",") + b'{"id":"next"}' + b"]}"[: len(opening)]
    splitter = ObjectSplitter(limit_bytes=1_000)
    out = [raw for at in range(0, len(data), 100) for raw in splitter.feed(data[at : at + 100])] + splitter.close()
    assert out[:2] == [big[:1_000], b'{"id":"next"}']


def test_the_rest_that_is_held_stays_below_limit_and_piece() -> None:
    splitter = ObjectSplitter(limit_bytes=10_000)
    splitter.feed(b'{"type":"bundle","objects":[{"x":"')
    for _ in range(1_000):
        splitter.feed(b"y" * 1_000)
        assert len(splitter._rest) <= 66_000  # 64 KiB are looked at before anything is decided
    assert splitter.feed(b'"},{"id":"next"}]}') == [b'{"id":"next"}']


def test_deep_nesting_is_cut_where_the_object_ends() -> None:
    deep = b'{"a":' * 2_000 + b"1" + b"}" * 2_000
    assert list(split([b"[" + deep + b',{"b":2}]'])) == [deep, b'{"b":2}']
