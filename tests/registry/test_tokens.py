"""Tokens are random, recognisable, and kept only as a digest."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from hub.registry.tokens import PREFIX, as_token, new_token, same, token_digest


def test_a_token_has_the_prefix_and_256_bits() -> None:
    token = new_token()
    assert token.startswith(PREFIX)
    assert len(base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "=")) == 32


def test_no_token_comes_twice() -> None:
    assert len({new_token() for _ in range(1_000)}) == 1_000


def test_the_digest_is_the_sha_256_of_all_of_it() -> None:
    token = new_token()
    assert as_token(token) == token
    assert token_digest(token) == hashlib.sha256(token.encode()).digest()


@given(st.one_of(st.text(), st.text().map(PREFIX.__add__)))
def test_whatever_a_peer_sends_as_a_token_has_a_digest_or_none(said: str) -> None:
    token = as_token(said)
    assert token is None or (said.startswith(PREFIX) and len(token_digest(token)) == 32)


def test_nothing_long_is_hashed() -> None:
    assert as_token(PREFIX + "a" * 1_000_000) is None


def test_same_tells_digests_apart() -> None:
    assert same(b"a" * 32, b"a" * 32)
    assert not same(b"a" * 32, b"b" * 32)
