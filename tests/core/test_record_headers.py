"""What a push writes into the headers of its records is read back; what anybody else writes there does no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.intake.receipts import new_uid
from hub.model.event_log import Record
from hub.model.record_headers import RecordHeaders, headers_of, read_headers, with_source, withdrawal_headers
from hub.model.words import Withdrawal

NAMES = st.sampled_from(["receipt", "index", "too-large", "withdrawal", "source", "x"])


@given(index=st.integers(0, 2**31 - 1 - 100_000), size=st.none() | st.integers(0, 10**15))
def test_what_a_push_writes_is_read_back(index: int, size: int | None) -> None:
    uid = new_uid()
    assert read_headers(headers_of(uid, index, too_large_bytes=size)) == RecordHeaders(uid, index, size)


@pytest.mark.parametrize("how", list(Withdrawal))
def test_how_a_push_withdraws_is_read_back(how: Withdrawal) -> None:
    uid = new_uid()
    assert read_headers(withdrawal_headers(uid, 3, how)) == RecordHeaders(uid, 3, None, how)


def test_a_record_that_does_not_say_how_it_withdraws_does_so_softly_and_another_word_is_kept() -> None:
    assert read_headers(()).withdrawal is Withdrawal.SOFT
    assert read_headers([("withdrawal", b"Stands")]).withdrawal == b"Stands"


def test_a_record_without_headers_was_not_pushed() -> None:
    assert read_headers(()) == RecordHeaders(None, 0, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("receipt", b""),
        ("receipt", b"a\x00b"),
        ("receipt", "\N{LATIN SMALL LETTER E WITH ACUTE}".encode()),
        ("receipt", b"a" * 65),
        ("index", b"-1"),
        ("index", b"1.5"),
        ("index", b"%d" % 2**31),
        ("index", "\N{ARABIC-INDIC DIGIT ONE}".encode()),
        ("x", b"1"),
    ],
)
def test_what_no_push_writes_counts_as_nothing(name: str, value: bytes) -> None:
    assert read_headers([(name, value)]) == RecordHeaders()


def test_a_size_that_is_no_number_still_says_that_the_object_was_cut() -> None:
    assert read_headers([("too-large", b"much")]).size_bytes == 0


@given(st.lists(st.tuples(NAMES, st.binary(max_size=80))))
def test_any_headers_give_something_that_the_store_takes(headers: list[tuple[str, bytes]]) -> None:
    found = read_headers(headers)
    assert 0 <= found.index < 2**31
    assert found.receipt is None or (found.receipt.isascii() and "\x00" not in found.receipt)


def test_the_source_of_a_record_in_a_shared_topic_is_read_back() -> None:
    record = with_source(Record(None, b"{}", headers_of("a" * 24, 3)), "soc")
    assert read_headers(record.headers) == RecordHeaders("a" * 24, 3, source="soc")
