"""Tokens: 256 random bits with a prefix that secret scanners can find. The hub stores only their SHA-256.

A slower hash is not needed, as there are no weak tokens to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NewType

from hub.model.tokens import TokenDigest

PREFIX = "ctihub_"
_RANDOM_BYTES = 32
_SHOWN_CHARS = 4
"""So many of the random characters are kept, to tell tokens apart. They have 24 of 256 bits."""
_LONGEST = 256
"""Longer than any token. Longer input is rejected without hashing it."""

Token = NewType("Token", str)
"""A secret that is shown once, when it is created."""


def new_token() -> Token:
    """Returns a new token: the prefix and 43 characters of base64url."""
    return Token(PREFIX + secrets.token_urlsafe(_RANDOM_BYTES))


def as_token(sent: str) -> Token | None:
    """Returns received text as a token; None if it cannot be a token of the hub."""
    may_be = sent.startswith(PREFIX) and len(sent) <= _LONGEST and sent.isascii()
    return Token(sent) if may_be else None


def token_digest(token: Token) -> bytes:
    """Returns the SHA-256 of a token, as it is stored."""
    return hashlib.sha256(token.encode("ascii")).digest()


def kept_of(token: Token, now_us: int) -> TokenDigest:
    """Returns what the hub keeps of a new token."""
    return TokenDigest(0, token_digest(token), token[: len(PREFIX) + _SHOWN_CHARS], now_us)


def same(one: bytes, other: bytes) -> bool:
    """Returns whether two values are equal, in constant time."""
    return hmac.compare_digest(one, other)
