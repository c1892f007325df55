"""The ids of statuses: what they tell, and that they cannot be made up."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.intake.statuses import MOST_OBJECTS, StatusCodec
from hub.model.errors import NotFound
from hub.model.record_headers import is_status_id

CODEC = StatusCodec(b"k" * 32)
sources = st.integers(0, 2**31 - 1)
counts = st.integers(0, MOST_OBJECTS)
times = st.integers(1_577_836_800_000, 1_577_836_800_000 + 2**41 - 1)


@given(sources, counts, times)
def test_an_id_is_a_uuid_of_version_4_that_tells_what_it_was_made_of(source: int, received: int, at_ms: int) -> None:
    name = CODEC.new(source, received, at_ms)
    assert (name.received, name.at_ms) == (received, at_ms)
    assert CODEC.read(source, name.id) == name
    found = UUID(name.id)
    assert (found.version, str(found)) == (4, name.id)
    assert is_status_id(name.id)


@given(sources, counts, times, st.integers(0, 127))
def test_an_id_with_a_changed_bit_is_unknown_and_so_is_that_of_another(
    source: int, received: int, at_ms: int, bit: int
) -> None:
    name = CODEC.new(source, received, at_ms)
    for codec, who, text in (
        (CODEC, source, str(UUID(int=UUID(name.id).int ^ 1 << bit))),
        (CODEC, source + 1, name.id),
        (StatusCodec(b"other" * 8), source, name.id),
    ):
        with pytest.raises(NotFound):
            codec.read(who, text)


def test_two_requests_of_one_moment_have_two_ids() -> None:
    assert len({CODEC.new(1, 1, 1_800_000_000_000).id for _ in range(1_000)}) == 1_000
