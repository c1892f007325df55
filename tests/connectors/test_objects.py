"""Cutting bytes into objects: any layout, cut anywhere, nothing lost, nothing repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

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


def a_bundle(*objects: object, **properties: object) -> dict[str, object]:
    return {"type": "bundle", "id": "bundle--1", "objects": list(objects), **properties}


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


@pytest.mark.parametrize("version", ["2.0", "2.1"])
@pytest.mark.parametrize("layout", [{}, {"sort_keys": True}, {"sort_keys": True, "indent": 1}])
@given(at=st.lists(st.integers(0, 500), max_size=5))
def test_objects_get_the_version_of_the_innermost_bundle_that_says_one(
    version: str, layout: dict[str, Any], at: list[int]
) -> None:
    other = "2.0" if version == "2.1" else "2.1"
    silent, says_other = a_bundle({"id": "b"}), a_bundle({"id": "c"}, spec_version=other)
    whole = a_bundle({"id": "a"}, silent, says_other, {"id": "d", "spec_version": "9"}, 1, spec_version=version)
    out = [json.loads(raw) for raw in split(cut(json.dumps(whole, **layout).encode(), at))]
    versions = {"a": version, "b": version, "c": other, "d": "9"}
    assert out == [*({"id": name, "spec_version": said} for name, said in versions.items()), 1]


def test_objects_of_a_bundle_that_says_no_version_or_an_unknown_one_stay_as_they_are() -> None:
    for said in (b"", b'"spec_version":"3",'):
        assert list(split([b'{"type":"bundle",' + said + b'"objects":[{"id":"a"},{"id":"b"}]}'])) == [
            b'{"id":"a"}',
            b'{"id":"b"}',
        ]


def test_what_waits_for_a_version_behind_it_is_bounded() -> None:
    splitter = ObjectSplitter(limit_bytes=1_000)
    one = b'{"id":"a","x":"' + b"y" * 100 + b'"},'
    out = splitter.feed(b'{"id":"bundle--1","objects":[')
    for _ in range(1_000):
        out += splitter.feed(one)
        assert splitter._waiting_bytes <= 1_000
    out += splitter.feed(b'{}],"spec_version":"2.1","type":"bundle"}')
    assert len(out) == 1_001


NESTED: dict[str, Callable[[list[object]], object]] = {
    "bundles in a list": lambda objects: [a_bundle(one) for one in objects],
    "bundles and objects in a list": lambda objects: [a_bundle(objects[0]), *objects[1:]],
    "a bundle in a bundle": lambda objects: a_bundle(a_bundle(*objects)),
    "bundles and objects in a bundle": lambda objects: a_bundle(*objects[:1], a_bundle(), a_bundle(*objects[1:])),
    "three bundles deep": lambda objects: a_bundle(a_bundle(a_bundle(*objects[:1])), *objects[1:]),
    "three bundles deep in a list": lambda objects: [a_bundle(a_bundle(a_bundle(*objects)))],
    "three bundles deep in an envelope": lambda objects: {
        "more": False,
        "objects": [a_bundle(a_bundle(a_bundle(*objects)))],
    },
    "bundles in an envelope": lambda objects: {"objects": [a_bundle(one) for one in objects], "more": True},
    "an envelope in a list": lambda objects: [{"objects": objects}],
}


@pytest.mark.parametrize("nesting", NESTED)
@pytest.mark.parametrize("layout", [{}, {"sort_keys": True}, {"indent": 2}])
@given(objects=st.lists(stix_like, min_size=1, max_size=5), at=st.lists(st.integers(0, 10_000), max_size=6))
def test_bundles_are_taken_apart_wherever_an_object_may_stand(
    nesting: str, layout: dict[str, Any], objects: list[object], at: list[int]
) -> None:
    document = NESTED[nesting](objects)
    assert [json.loads(raw) for raw in split(cut(json.dumps(document, **layout).encode(), at))] == objects


@given(at=st.lists(st.integers(0, 500), max_size=5))
def test_a_bundle_in_three_others_comes_out_in_them_and_its_neighbours_alone(at: list[int]) -> None:
    deep = a_bundle({"id": "a"})
    whole = a_bundle(a_bundle(a_bundle(deep, {"id": "b"}), {"id": "c"}))
    out = [json.loads(raw) for raw in split(cut(json.dumps(whole).encode(), at))]
    assert out == [a_bundle(a_bundle(a_bundle(deep))), {"id": "b"}, {"id": "c"}]


def test_a_bundle_of_more_than_the_limit_inside_another_is_taken_apart() -> None:
    objects = [{"id": str(number), "spec_version": "2.1", "x": "y" * 100} for number in range(200)]
    data = json.dumps(a_bundle(a_bundle(*objects), {"id": "last"})).encode()
    splitter = ObjectSplitter(limit_bytes=1_000)
    out = [raw for at in range(0, len(data), 300) for raw in splitter.feed(data[at : at + 300])] + splitter.close()
    assert [json.loads(raw) for raw in out] == [*objects, {"id": "last"}]


def test_a_broken_object_in_a_bundle_in_a_bundle_spoils_only_itself() -> None:
    inner = b'{"type":"bundle","objects":[{"id":"a"},{"id":"b" 1]},7,{"id":"c"}]}'
    out = list(split([b'{"type":"bundle","objects":[' + inner + b',{"id":"d"}]}']))
    assert out == [b'{"id":"a"}', b'{"id":"b" 1]}', b"7", b'{"id":"c"}', b'{"id":"d"}']


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("layout", ["bundle over many lines", "NDJSON with blank lines and CRLF", "list"])
@given(objects=st.lists(stix_like, min_size=1, max_size=3), at=st.lists(st.integers(0, 10_000), max_size=6))
def test_any_unicode_encoding_is_read(layout: str, encoding: str, objects: list[object], at: list[int]) -> None:
    text = LAYOUTS[layout]([*objects, {"name": "naïve \N{PILE OF POO}"}])
    data = text.encode(encoding)
    assert [json.loads(raw) for raw in split(cut(data, at))] == [*objects, {"name": "naïve \N{PILE OF POO}"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@given(data=st.binary(max_size=40), at=st.lists(st.integers(0, 300), max_size=5))
def test_what_cannot_be_decoded_spoils_its_own_line_and_stays_wrong(encoding: str, data: bytes, at: list[int]) -> None:
    good = '{"id":"a"}\n{"id":"b"}\n'.encode(encoding)
    out = list(split(cut(good + data, at)))
    assert out[:2] == [b'{"id":"a"}', b'{"id":"b"}']


def test_half_a_character_is_no_utf8() -> None:
    (raw,) = split(['{"id":"a"}'.encode("utf-16")[:-1]])
    with pytest.raises(UnicodeDecodeError):
        raw.decode()


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
    assert splitter.feed(b'"},{"id":"next"}]}')[-1] == b'{"id":"next"}'


def test_deep_nesting_is_cut_where_the_object_ends() -> None:
    deep = b'{"a":' * 2_000 + b"1" + b"}" * 2_000
    assert list(split([b"[" + deep + b',{"b":2}]'])) == [deep, b'{"b":2}']
