"""Values that were erased are recognised by their digests exactly where they are found by themselves, and what says
them withdraws what it would replace.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.outcomes import rejections
from hub.model.claims import ClaimState
from hub.model.forgettings import Erasable
from hub.model.forgotten import Forgotten, digest_of_value, plain, plain_readings, plain_value, says_any
from hub.model.problems import Code
from hub.model.words import CanonicalKey, State, StixId, Withdrawal
from tests.core.claims import a_policy, a_source
from tests.core.test_contributions import Hub, ends
from tests.story import malware

KEY = b"secret"
NAME = "Alice Muster-Example"
SAYS_IT = f"by {NAME}"
M = malware()["id"]
REFUSED = (State.REJECTED, Code.VALUE_FORGOTTEN)


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


# ---------------------------------------------------------------- what is refused withdraws what it would replace


def a_hub(**settings: str) -> Hub:
    """A hub in which a name was erased."""
    forgotten = Forgotten.of(KEY, [digest_of_value(KEY, plain_value(NAME))])
    return Hub(replace(a_policy(a_source(1)), settings=settings, forgotten=forgotten))


@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize(
    "more", [{"tlp": "clear"}, {"tlp": "amber"}, {"tlp": "red"}, {"name": "held"}, {"labels": [NAME], "revoked": True}]
)
def test_a_version_that_says_it_withdraws_what_it_would_replace(more: dict[str, Any], in_one_batch: bool) -> None:
    hub = a_hub()
    stands, newer = malware(tlp="clear"), malware(at=2, description=SAYS_IT, **more)
    outcomes = hub.batch(stands, newer) if in_one_batch else [*hub.batch(stands), *hub.batch(newer)]
    assert list(map(ends, outcomes)) == [(State.ACCEPTED,), REFUSED]
    assert hub.state(M) is ClaimState.WITHDRAWN_STANDING
    for older in (stands, malware(at=1, tlp="clear")):
        assert hub.one(older) == (State.UNCHANGED, Code.WITHDRAWAL_STANDS)
    assert hub.one(malware(at=2)) == (State.ACCEPTED,)


@pytest.mark.parametrize(
    "refused", [malware(at=-1, description=SAYS_IT), malware(at=1, description=SAYS_IT, name=7), {"x": SAYS_IT}]
)
def test_what_would_replace_nothing_withdraws_nothing(refused: dict[str, Any]) -> None:
    hub = a_hub()
    hub.batch(malware(at=0))
    assert hub.one(refused) == REFUSED
    assert hub.state(M) is ClaimState.LIVE


def test_a_version_that_says_it_supersedes_what_is_held() -> None:
    hub = a_hub()
    hub.batch(malware(name="held"))
    assert hub.waiting == [M]
    assert hub.one(malware(at=1, description=SAYS_IT)) == REFUSED
    assert hub.waiting == []


def test_the_source_is_told_no_id_of_what_says_it() -> None:
    hub = a_hub()
    hub.batch(malware())
    outcomes = hub.batch(malware(at=1, description=SAYS_IT))
    (told,) = rejections(outcomes, "")[1]
    assert (told["id"], told["excerpt"], told["code"]) == (None, "", "value.forgotten")
    assert outcomes[0].is_of_forgotten  # so its record is erased


def test_what_the_breaker_holds_of_it_says_nothing_and_withdraws_once_it_is_confirmed() -> None:
    hub = a_hub(**{"breaker.share": "20%", "breaker.least": "1"})
    hub.batch(*(malware(str(n)) for n in range(4)))
    said = [malware(str(n), at=1, description=SAYS_IT) for n in range(2)]
    assert hub.one(said[0]) == REFUSED
    assert hub.one(said[1]) == (State.HELD, Code.BREAKER_MASS_WITHDRAWAL)
    assert hub.state(said[1]["id"]) is ClaimState.LIVE
    (held,) = hub.store.tables.held.values()
    assert (held.stix_id, held.withdrawal) == (said[1]["id"], Withdrawal.STANDS)
    assert (held.value, held.digest, held.thing) == (b"", b"", None)
    hub.store.tables.breakers.clear()
    assert [ends(one)[0] for one in hub.released(held)] == [State.ACCEPTED]
    assert hub.state(said[1]["id"]) is ClaimState.WITHDRAWN_STANDING
    assert hub.one(malware("1")) == (State.UNCHANGED, Code.WITHDRAWAL_STANDS)
