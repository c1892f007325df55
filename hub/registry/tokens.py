"""Tokens: 256 random bits with a prefix that secret scanners can find. Only the SHA-256 is kept.

Nothing slower is needed against guessing, as there are no weak tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NewType

PREFIX = "ctihub_"
_RANDOM_BYTES = 32
_LONGEST = 256
"""Longer than any token that was ever made: what a peer sends as one is not hashed beyond this."""

Token = NewType("Token", str)
"""Leaves the hub once, when it is made."""


def new_token() -> Token:
    """A fresh token: the prefix and 43 characters of base64url."""
    return Token(PREFIX + secrets.token_urlsafe(_RANDOM_BYTES))


def as_token(sent: str) -> Token | None:
    """What somebody sent as a token; None for what cannot be one of ours."""
    may_be = sent.startswith(PREFIX) and len(sent) <= _LONGEST and sent.isascii()
    return Token(sent) if may_be else None


def token_digest(token: Token) -> bytes:
    """The SHA-256 under which a token is kept."""
    return hashlib.sha256(token.encode("ascii")).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)
