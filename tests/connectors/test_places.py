"""Each object knows its line in NDJSON, or its position in another document, however the bytes arrive."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk import places as module
from connectors.sdk.objects import split, split_with_lines
from connectors.sdk.places import ObjectPlace, ObjectPlaces
from connectors.sdk.publisher import Acknowledged
from connectors.sdk.runner import RunReport

LINES = st.sampled_from(
    [
        b'{"a":1}',
        b"",
        b"not json",
        b'{"type":"bundle","objects":[{"b":1},{"c":2}]}',
        b"{",
        b"  ",
        b'{"x":"' + b"y" * 300 + b'"}',
        b"[1]",
    ]
)


def _cut(text: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[begin:end] for begin, end in pairwise(at)]


@given(lines=st.lists(LINES, max_size=12), cuts=st.lists(st.integers(0, 2_000), max_size=6), end=st.booleans())
def test_the_line_of_an_object_does_not_depend_on_where_the_text_is_cut(
    lines: list[bytes], cuts: list[int], end: bool
) -> None:
    text = b"\n".join([b'{"first":0}', b'{"second":0}', *lines]) + (b"\n" if end else b"")
    found = list(split_with_lines(_cut(text, cuts), limit_bytes=200))
    assert [body for body, _ in found] == list(split([text], limit_bytes=200))
    numbered = text.split(b"\n")
    for body, line in found:
        where = numbered[line - 1]
        assert line
        assert body in where or body.startswith(where[:1]), (body, line)
    assert [line for _, line in found] == sorted(line for _, line in found)
    assert found[0][1] == 1


def test_lines_are_counted_over_blank_ones_and_the_first_bytes() -> None:
    text = b'\n\n{"a":1}\n{"z":1}\n\n{"b":2}\nnot json\n'
    for size in (1, 3, 1_000):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert [line for _, line in split_with_lines(chunks)] == [3, 4, 6, 7]


def test_objects_of_a_document_have_no_line() -> None:
    text = b'{"type":"bundle","objects":[\n{"a":1},\n{"b":2}\n]}'
    assert [line for _, line in split_with_lines([text])] == [0, 0]


PLACES = st.lists(
    st.none() | st.builds(ObjectPlace, st.sampled_from("ab"), st.sampled_from(["line", "row"]), st.integers(1, 4))
)


@given(places=PLACES)
def test_a_place_is_found_again_by_its_index(places: list[ObjectPlace | None]) -> None:
    found = ObjectPlaces()
    found.extend(places)
    assert [found.at(index) for index in range(-1, len(places) + 1)] == [None, *places, None]


def test_objects_in_sequence_take_one_run_and_too_many_runs_end_in_unknown_places() -> None:
    found = ObjectPlaces()
    found.extend(ObjectPlace("a", "line", number) for number in range(1, 10_000))
    assert len(found._starts) == 1
    found = ObjectPlaces()
    gaps = [ObjectPlace("a", "line", 2 * number) for number in range(1, module.MOST_RUNS + 100)]
    found.extend(gaps)
    assert len(found._starts) == module.MOST_RUNS + 1
    assert found.at(module.MOST_RUNS - 1) == gaps[module.MOST_RUNS - 1]
    assert found.at(module.MOST_RUNS + 50) is None


def test_what_a_publisher_leaves_out_does_not_move_the_places_of_the_others() -> None:
    report = RunReport()
    batch = [ObjectPlace("a", "line", number) for number in range(1, 5)]
    report.add_places(batch, Acknowledged(3, left_out=(1,)))
    report.add_places(batch, Acknowledged(7))
    report.add_places(batch, Acknowledged(4))
    assert [report.places.at(index) for index in range(3)] == [batch[0], batch[2], batch[3]]
    assert [report.places.at(index) for index in range(3, 10)] == [None] * 7, "not one object for each"
    assert [report.places.at(index) for index in range(10, 14)] == batch
    assert report.places_too_large == [batch[1]]


def test_a_place_is_readable() -> None:
    assert str(ObjectPlace("feed.ndjson", "line", 3)) == "feed.ndjson:3"
    assert str(ObjectPlace("bundle.json", "object", 1_053)) == "bundle.json, object 1,053"
