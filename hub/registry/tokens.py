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


def digest_of(token: str) -> bytes | None:
    """The SHA-256 under which a token is kept; None for what cannot be a token of ours."""
    if not token.startswith(PREFIX) or len(token) > _LONGEST or not token.isascii():
        return None
    return hashlib.sha256(token.encode("ascii")).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)
