"""Bytes to one JSON object, records to objects: what every JSON reader agrees on, and nothing else."""

from __future__ import annotations

import codecs
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.encodings import Decoder, utf8
from hub.core.judge import check
from hub.core.read import read
from hub.core.records import split
from hub.model.problems import Problem
from hub.model.words import Limits
from tests.core.verdicts import LIMITS, an_indicator

BUNDLE = {"type": "bundle", "id": "bundle--5f0c6a0f-5e5a-4b3e-8a55-1d5b0f6f3d10"}


def code(value: bytes, limits: Limits = LIMITS) -> str:
    found = read(value, limits)
    return found.code.value if isinstance(found, Problem) else "read"


def cut_code(value: bytes, limits: Limits = LIMITS) -> str:
    found = split(value, limits)
    return found.code.value if isinstance(found, Problem) else "cut"


def a_bundle(*objects: Any, **properties: Any) -> bytes:
    return json.dumps({**BUNDLE, "objects": list(objects)} | properties).encode()


def test_an_object_is_read_as_it_was_written() -> None:
    obj = an_indicator(description="naïve, \N{PILE OF POO} and \u0000", x_deep={"a": [1, -2.5, True, None, "x"]})
    assert read(json.dumps(obj).encode(), LIMITS) == obj
    assert read(json.dumps(obj, ensure_ascii=False).encode(), LIMITS) == obj


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a": 1, "a": 1}', "json.duplicate-key"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "json.duplicate-key"),
        (b'{"a": [{"": 1, "": 2}]}', "json.duplicate-key"),
        (b'{"a": NaN}', "json.number"),
        (b'{"a": -Infinity}', "json.number"),
        (b'{"a": [1e400]}', "json.number"),
        (b'{"a": -1e400}', "json.number"),
        (b'{"a": {"b": 9007199254740993}}', "json.number"),
        (b'{"a": -9007199254740992}', "json.number"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "json.number"),
        (b'{"a": 01}', "json.malformed"),
        (b'{"a": 1,}', "json.malformed"),
        (b'{"a": 1} {"b": 2}', "json.malformed"),
        (b'{"a": "\x01"}', "json.malformed"),
        (b'{"a": "\xff"}', "json.not-utf8"),
        (b'{"a": "\\ud800"}', "json.not-utf8"),
        (b'{"a": "\\ud800\\u0041"}', "json.not-utf8"),
        ('{"a": 1}'.encode("utf-16"), "json.not-utf8"),
        (b"[]", "json.not-object"),
        (b'"a"', "json.not-object"),
        (b"null", "json.not-object"),
        (b"1", "json.not-object"),
        (b"", "record.empty"),
        (b" \r\n\t", "record.empty"),
        (b"[" * 100_000, "json.nesting"),
        (b'{"a":' * 100_000, "json.nesting"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(value: bytes, expected: str) -> None:
    assert code(value) == expected


@pytest.mark.parametrize("value", [b'{"a": 9007199254740991}', b'{"a": 1e308}', b'{"a": "\\ud83d\\ude00"}'])
def test_what_every_reader_reads_alike_is_read(value: bytes) -> None:
    assert code(value) == "read"


def test_a_byte_order_mark_and_blanks_around_the_object_are_passed_over() -> None:
    assert read(b'\xef\xbb\xbf{"a": 1}\r\n', LIMITS) == {"a": 1}


def test_a_whole_number_with_a_fraction_is_the_whole_number() -> None:
    found = read(b'{"a": 85.0, "b": [1e3, 0.5, -0.0], "c": {"d": 2.0}}', LIMITS)
    assert found == {"a": 85, "b": [1000, 0.5, 0], "c": {"d": 2}}
    assert isinstance(found, dict)
    assert type(found["a"]) is int
    assert type(found["c"]["d"]) is int


@pytest.mark.parametrize(("deep", "expected"), [(31, "read"), (32, "json.nesting"), (150, "json.nesting")])
def test_nesting_is_counted_from_the_object_itself(deep: int, expected: str) -> None:
    assert code(b'{"a":' + b"[" * deep + b"]" * deep + b"}") == expected


def test_many_containers_side_by_side_are_not_nested() -> None:
    assert code(json.dumps({"a": [[] for _ in range(1_000)]}).encode()) == "read"


def test_the_pointer_to_what_is_too_deep_leads_there() -> None:
    found = read(b'{"a/b":' + b'{"~":' * 40 + b"1" + b"}" * 40 + b"}", LIMITS)
    assert isinstance(found, Problem)
    assert found.at == "/a~1b" + "/~0" * 31


def test_the_size_counts_in_bytes() -> None:
    limits = Limits(object_bytes=20)
    assert code(b'{"a": "123456789012"}'[:20], limits) == "json.malformed"
    assert code(b'{"a": "123456789012"}', limits) == "object.too-large"


def test_a_problem_says_where_in_the_bytes_it_is() -> None:
    found = read(b'{"a": 1,\n "a": 2}', LIMITS)
    assert isinstance(found, Problem)
    assert "line 2" in found.says
    assert "'a'" in found.says


def test_one_object_is_one_slice_as_it_came() -> None:
    value = json.dumps(an_indicator()).encode()
    assert split(value, LIMITS) == [value]


def test_a_bundle_is_cut_into_the_bytes_of_its_objects_in_order() -> None:
    value = b'{"type":"bundle", "id":"bundle--1", "objects" : [ {"b" : 1.50,"a":1},\n3 , {"c": "\\u00e9"} ]}'
    assert split(value, LIMITS) == [b'{"b" : 1.50,"a":1}', b"3", b'{"c": "\\u00e9"}']


def test_a_bundle_may_spell_its_type_with_escapes() -> None:
    assert split(b'{"type": "\\u0062undle", "id": "bundle--1", "objects": [{}]}', LIMITS) == [b"{}"]


def test_a_bundle_without_objects_holds_none() -> None:
    assert split(json.dumps(BUNDLE).encode(), LIMITS) == []


def test_a_broken_object_does_not_stop_its_neighbours() -> None:
    value = b'{"type":"bundle","id":"bundle--1","objects":[{"a":1,"a":2},{"b":"\xff"},{"c":1e400},{"d":1}]}'
    slices = split(value, LIMITS)
    assert isinstance(slices, list)
    assert [code(one) for one in slices] == ["json.duplicate-key", "json.not-utf8", "json.number", "read"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "record.empty"),
        (b"\n", "record.empty"),
        (a_bundle(), "bundle.invalid"),
        (json.dumps({**BUNDLE, "objects": {}}).encode(), "bundle.invalid"),
        (json.dumps({**BUNDLE, "objects": None}).encode(), "bundle.invalid"),
        (json.dumps({"type": "bundle", "objects": [{}]}).encode(), "bundle.invalid"),
        (a_bundle({}, id="indicator--1"), "bundle.invalid"),
        (a_bundle({}, spec_version="3.0"), "stix.spec-version"),
        (b'{"type":"bundle","id":"bundle--1","objects":[{}],"objects":[{}]}', "json.duplicate-key"),
        (b'{"type":"bundle","id":"bundle--1","type":"bundle","objects":[{}]}', "json.duplicate-key"),
        (b'{"type":"bundle","id":"bundle--1","objects":[{"a":NaN}]}', "json.number"),
        (b'{"type":"bundle","id":"bundle--1","objects":[{"a":1}', "json.malformed"),
        (b'{"type":"bundle","id":"bundle--1","objects":' + b"[" * 100_000, "json.nesting"),
    ],
)
def test_an_envelope_that_cannot_be_trusted_refuses_the_record(value: bytes, expected: str) -> None:
    assert cut_code(value) == expected


def test_a_key_that_comes_twice_is_found_behind_a_copy_of_the_objects() -> None:
    value = b'{"type":"bundle","id":"bundle--1","x":[{"a":1}],"objects":[{"a":1}],"x":2}'
    assert cut_code(value) == "json.duplicate-key"


def test_a_bundle_of_more_objects_than_allowed_is_refused() -> None:
    limits = Limits(bundle_objects=2)
    assert cut_code(a_bundle({}, {}), limits) == "cut"
    assert cut_code(a_bundle({}, {}, {}), limits) == "bundle.too-large"


def bundle(*objects: Any, **properties: Any) -> dict[str, Any]:
    return {**BUNDLE, "objects": list(objects)} | properties


ONE, TWO, THREE = ({"id": name} for name in "abc")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ([ONE, TWO], [ONE, TWO]),
        ([bundle(ONE), bundle(TWO), THREE], [ONE, TWO, THREE]),
        (bundle(bundle(ONE), TWO, bundle(THREE)), [ONE, TWO, THREE]),
        (bundle(bundle(bundle(ONE), TWO), THREE), [ONE, TWO, THREE]),
        ([bundle(bundle(bundle(ONE)))], [ONE]),
        ({"more": True, "objects": [bundle(bundle(bundle(ONE))), TWO]}, [ONE, TWO]),
        ([{"objects": [ONE]}, {"objects": [TWO], "next": "x"}], [ONE, TWO]),
        (bundle(bundle(bundle(bundle(ONE), TWO)), THREE), [bundle(ONE), TWO, THREE]),
        (bundle({"type": "bundle", "objects": [ONE]}, TWO), [ONE, TWO]),
        (bundle({"type": "bundle"}, {"type": "bundle", "objects": None}, bundle(), TWO), [TWO]),
        (bundle({"type": "bundle", "objects": {}}, TWO), [{"type": "bundle", "objects": {}}, TWO]),
        (bundle({"type": "x-custom", "objects": [ONE]}), [{"type": "x-custom", "objects": [ONE]}]),
        (bundle({"created": "x", "objects": [ONE]}), [{"created": "x", "objects": [ONE]}]),
        (bundle(1, [ONE], "bundle", None), [1, [ONE], "bundle", None]),
        ([], [[]]),
    ],
)
@pytest.mark.parametrize("sort_keys", [False, True])
def test_bundles_are_taken_apart_wherever_an_object_may_stand(record: Any, expected: Any, sort_keys: bool) -> None:
    slices = split(json.dumps(record, sort_keys=sort_keys).encode(), LIMITS)
    assert isinstance(slices, list)
    assert [json.loads(one) for one in slices] == expected


def test_a_bundle_that_stands_too_deep_is_refused_alone() -> None:
    deep = bundle(bundle(bundle(bundle(an_indicator()), an_indicator())))
    slices = split(json.dumps(deep).encode(), LIMITS)
    assert isinstance(slices, list)
    assert [[problem.code.value for problem in check(one, LIMITS)] for one in slices] == [["bundle.too-deep"], []]


def test_a_key_that_comes_twice_in_an_inner_bundle_refuses_that_bundle_alone() -> None:
    value = b'[{"type":"bundle","objects":[{"a":1}],"objects":[{"b":1}]},{"type":"bundle","objects":[{"c":1}]}]'
    slices = split(value, LIMITS)
    assert isinstance(slices, list)
    assert [code(one) for one in slices] == ["json.duplicate-key", "read"]


def test_the_objects_of_all_bundles_together_are_counted() -> None:
    record = json.dumps([bundle(ONE, TWO), bundle(THREE)]).encode()
    assert cut_code(record, Limits(bundle_objects=3)) == "cut"
    assert cut_code(record, Limits(bundle_objects=2)) == "bundle.too-large"


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_objects_get_the_version_of_the_innermost_bundle_that_says_one(version: str) -> None:
    other = "2.0" if version == "2.1" else "2.1"
    inside = bundle({"id": "c"}, spec_version=other)
    deep = {"id": "b", "x": {"spec_version": "7"}}
    record = bundle({"id": "a"}, bundle(deep), inside, {}, {"spec_version": "9"}, spec_version=version)
    slices = split(json.dumps(record, sort_keys=True).encode(), LIMITS)
    assert isinstance(slices, list)
    assert [json.loads(one).get("spec_version") for one in slices] == [version, version, other, version, "9"]


def test_an_indicator_of_a_bundle_that_says_its_version_is_taken() -> None:
    silent = {name: value for name, value in an_indicator().items() if name != "spec_version"}
    for said, expected in ((None, ["stix.spec-version"]), ("2.1", []), ("2.0", ["stix.lifted"])):
        record = bundle(silent) if said is None else bundle(silent, spec_version=said)
        slices = split(json.dumps(record).encode(), LIMITS)
        assert isinstance(slices, list)
        (one,) = slices
        assert [problem.code.value for problem in check(one, LIMITS)] == expected


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(max_size=20), places=st.lists(st.integers(min_value=0), max_size=4))
def test_any_unicode_encoding_is_read_however_it_is_cut(encoding: str, text: str, places: list[int]) -> None:
    record = json.dumps([{"name": text}], ensure_ascii=False)
    data = record.encode(encoding, "surrogatepass")
    whole = record.encode("utf-8", "surrogatepass")
    assert utf8(data) == whole
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    decoder = Decoder()
    found = b"".join(decoder.feed(data[a:b]) for a, b in pairwise(edges)) + decoder.end()
    assert found.removeprefix(codecs.BOM_UTF8) == whole


@given(head=st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"{\0", b"\0\0\0{"]), data=st.binary())
def test_bytes_that_no_encoding_has_stay_wrong(head: bytes, data: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(head + data) + decoder.end() == utf8(head + data) or not head
    assert code('{"a":"'.encode("utf-16") + b"\x00\xd8" + '"}'.encode("utf-16-le")) == "json.not-utf8"
    assert code(utf8('{"a":"'.encode("utf-16") + b"\x00\xd8" + '"}'.encode("utf-16-le"))) == "json.not-utf8"


def test_text_that_only_speaks_of_a_bundle_is_one_object() -> None:
    value = json.dumps(an_indicator(description='"type": "bundle"')).encode()
    assert split(value, LIMITS) == [value]


@given(st.binary(max_size=200))
def test_any_bytes_give_an_outcome(value: bytes) -> None:
    assert isinstance(read(value, LIMITS), dict | Problem)
    assert isinstance(split(value, LIMITS), list | Problem)


@given(st.data())
def test_any_damage_to_a_bundle_gives_an_outcome(data: st.DataObject) -> None:
    value = bytearray(a_bundle(an_indicator(), {"type": "bundle"}))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    found = split(bytes(value), LIMITS)
    for one in found if isinstance(found, list) else []:
        assert isinstance(read(one, LIMITS), dict | Problem)
