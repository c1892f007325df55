"""Values that were erased are recognised by their digests exactly where they are found by themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.forgettings import Erasable
from hub.model.forgotten import Forgotten, digest_of_value, plain, plain_readings, plain_value, says_any
from hub.model.words import CanonicalKey, StixId

KEY = b"secret"


def recognises(value: str, text: str) -> bool:
    """Whether a text says a value, by the value and by its digest: both must say the same."""
    its = plain_value(value)
    forgotten = Forgotten.of(KEY, [digest_of_value(KEY, its)])
    found = [(says_any(reading, (its,)), forgotten.is_said_in(reading)) for reading in plain_readings(text)]
    assert all(one is other for one, other in found), (value, text)
    return any(one for one, _ in found)


@pytest.mark.parametrize(("value", "text"), [
    ("alice@mail.example", "write to ALICE@mail.example."),
    ("alice@mail.example", "alice[at]mail[.]example"),
    ("alice@mail.example", "https://x.example/?to=alice%40mail.example&x=1"),
    ("alice@mail.example", json.dumps("line\nalice@mail.example\ttab")),
    ("alice@mail.example", json.dumps(json.dumps("“alice@mail.example”"))),
    ("Jörg Müller", "JÖRG\n  MÜLLER lives here"),
    ("Jörg Müller", json.dumps("Jörg Müller")),
    ("198.51.100.7", "[ipv4-addr:value = '198.51.100.7/32']"),
    ("198.51.100.7", "198.51.100[.]7"),
    ("http://a.example/b", "hxxp://a[.]example/b"),
    ("a.example", "http://a.example/b"),
    ("C:\\new\\file", json.dumps("C:\\new\\file")),
    ("\U00020bb7\u91ce \u592a\u90ce", json.dumps("by \U00020bb7\u91ce \u592a\u90ce.")),
    ("J\u00f6rg M\u00fcller", json.dumps(ascii("J\u00f6rg\tM\u00fcller"))),
    ("Jane \U00020bb7", ascii("Jane \U00020bb7")),
    ("alice@mail.example", "al\u200bice@mail\u3002exam\u00adple"),
    ("2001:db8::1", "src:2001:db8::1, [2001:db8::1]:443"),
    ("2001:db8::", "2001:db8::/48"),
])  # fmt: skip
def test_a_value_is_found_in_its_spellings(value: str, text: str) -> None:
    assert recognises(value, text)


@pytest.mark.parametrize(("value", "text"), [
    ("alice@mail.example", "malice@mail.example"),
    ("alice@mail.example", "x.alice@mail.example"),
    ("alice@mail.example", "alice@mail.example.org"),
    ("198.51.100.7", "198.51.100.77"),
    ("198.51.100.7", "1198.51.100.7"),
    ("198.51.100.7", "9.198.51.100.7"),
    ("198.51.100.7", "198.51.100.7.9"),
    ("2001:db8::1", "2001:db8::1:5"),
    ("2001:db8::1", "64:2001:db8::1"),
    ("2001:db8::", "2001:db8::7"),
    ("00:11:22:33:44:55", "00:11:22:33:44:55:66:77"),
    ("Jörg", "Jörgen"),
    ("Jörg", "éJörg"),
])  # fmt: skip
def test_what_only_looks_like_it_is_something_else(value: str, text: str) -> None:
    assert not recognises(value, text)


@given(value=st.text("ab. @:-_é\\", min_size=1), before=st.text("ab. @%\\\"'u0", max_size=5), after=st.text("ab. @-"))
def test_a_digest_recognises_what_the_value_finds(value: str, before: str, after: str) -> None:
    its = plain_value(value)
    if its:
        recognises(value, before + value + after)


@given(st.text())
def test_any_text_has_plain_readings(text: str) -> None:
    for reading in plain_readings(text):
        assert plain(reading) is not None


def test_what_is_to_be_erased_survives_being_stored() -> None:
    what = Erasable(("a", "b"), (CanonicalKey(b"\x01" * 32),), (StixId("malware--x"),), (b"\x02",), True)
    assert Erasable.decode(what.encode()) == what
