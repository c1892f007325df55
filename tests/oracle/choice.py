"""Whose claim counts of several under one id: docs/semantics.md, section 6, "Owner's object"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.oracle.sight import Seen
from tests.oracle.words import as_text

_NEVER = (2**60, 0)


def chosen(seen: Sequence[Seen], pins: Mapping[str, str], audience: str) -> Seen:
    """The claim that is shown, or that a reference to the id means."""
    seen = [one for one in seen if not one.source.is_member] or seen
    pinned = pins.get(seen[0].claim.id)
    of_pinned = [one for one in seen if pinned in (one.author, one.source.identity if _is_silent(one) else None)]
    if pinned is not None and of_pinned:
        return min(of_pinned, key=_within_author)
    authors: dict[str, list[Seen]] = {}
    for one in seen:
        authors.setdefault(_author(one), []).append(one)
    some_live = any(not one.claim.revoked for one in seen)

    def order(claims: Iterable[Seen]) -> tuple[Any, ...]:
        live = [one for one in claims if not one.claim.revoked]
        named_by = {one.source.name for one in (live if some_live else claims)}
        began = min((one.claim.since.get(audience, one.claim.stamp) for one in live), default=_NEVER)
        return (-len(named_by), began, _within_author(min(claims, key=_within_author))[1:])

    return min(min(authors.values(), key=order), key=_within_author)


def _is_silent(one: Seen) -> bool:
    return "created_by_ref" not in one.obj


def _author(one: Seen) -> str:
    """Who the author is; that of one centre who is not known is another than that of the next."""
    if one.author == "own":
        return one.source.identity
    return f"unknown to {one.source.name}" if one.author == "unknown" else one.author


def _within_author(one: Seen) -> tuple[Any, ...]:
    modified = tuple(-ord(letter) for letter in one.claim.modified)
    digest = hashlib.blake2b(as_text(one.obj).encode(), digest_size=16).digest()
    return (not one.is_own, modified, -one.source.trust, bytes(255 - byte for byte in digest), one.source.identity)
