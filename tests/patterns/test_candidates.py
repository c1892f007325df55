"""What a text may be: told at sight as by trying every kind."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import example, given

from hub.patterns import Observable, value_candidates
from hub.patterns.candidates import _WITHOUT_SCHEME, refang
from hub.patterns.observables import rule_for
from hub.patterns.observables.hashes import ALGORITHMS
from tests.examples import few

GUESSES = ("ipv4-addr", "ipv6-addr", "url", "email-addr", "mac-addr")
DIGESTS = ("SHA-256", "SHA-1", "MD5", "SHA-512", *ALGORITHMS)
NOT_GUESSED = ("SSDEEP", "MD6")
"""Many texts could be one."""


def read_by(kind: str, path: str, value: str) -> list[Observable]:
    rule = rule_for(kind, path)
    assert rule is not None
    found = rule.canonicalise(value)
    return [Observable(kind, path, found)] if isinstance(found, str) else []


def every_candidate(text: str) -> tuple[Observable, ...]:
    """``value_candidates`` without what it leaves out."""
    value = refang(text)
    found = [one for kind in GUESSES for one in read_by(kind, "value", value)]
    for name in dict.fromkeys(name for name in DIGESTS if name not in NOT_GUESSED):
        found += read_by("file", f"hashes.'{name}'" if "-" in name else f"hashes.{name}", value)
    found = found or read_by("domain-name", "value", value)
    if not found and _WITHOUT_SCHEME.match(value):
        found = [one for scheme in ("http", "https") for one in read_by("url", "value", f"{scheme}://{value}")]
    return (*(read_by("autonomous-system", "number", value) if value[:2].upper() == "AS" else ()), *found)


PARTS = st.sampled_from(
    ["198.51.100.7", "/24", "c2", ".example", "2001:db8::", ":", "http://", "a@", "AS", "64500", "00-11-22-33-44-55"]
    + [letter * 16 for letter in "0aFT"] + ["T1", "00112233", "-", " "]
)  # fmt: skip


@few(400)
@example("T1" + "0a" * 35)
@example("\ufb00" * 35)  # a ligature, which is two digits in capitals
@example("aB" * 64)
@given(st.lists(PARTS, max_size=8).map("".join) | st.text("0123456789abcdef", min_size=31, max_size=129))
def test_what_is_told_at_sight_is_what_every_kind_makes_of_it(text: str) -> None:
    assert value_candidates(text) == every_candidate(text)
