"""Since when a contribution has been visible to an audience without interruption; this decides contested ids.

A run ends when a version is revoked or withdrawn, or was not visible to the audience when its successor arrived. A
claim therefore records who could see its earlier versions under the policy of that time: a version that an audience
never saw must not count under a later policy. Consecutive versions with the same recipients share one entry.
Source: docs/semantics.md, section 6, "Owner's objects".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import orjson

from hub.core.merge.reach import Recipients, recipients_now
from hub.model.claims import Claim, ClaimState
from hub.model.policy import Audience, Policy
from hub.model.words import GroupName, Level, Stamp

_STAMP_BYTES = 24


def runs_on(old: Claim, new: Claim, policy: Policy) -> Stamp:
    """The ``since`` of the version ``new`` that follows ``old`` under this policy."""
    seen_by = recipients_now(old, policy) if old.state is new.state is ClaimState.LIVE else None
    if seen_by is None:
        return new.stamp
    begun: list[tuple[bytes, Recipients]] = []
    known: set[Recipients] = set()
    for stamp, recipients in [(old.since[:_STAMP_BYTES], seen_by), *_earlier(old.since)]:
        stamp = min(stamp, new.stamp)  # a released object may be older than the one that it follows
        if recipients in known:  # whoever sees all later versions sees this one too, so both belong to one run
            begun[-1] = (stamp, begun[-1][1])
        else:
            known.add(recipients)
            begun.append((stamp, recipients))
    return Stamp(new.stamp + _packed(begun))


def began(since: bytes, audience: Audience) -> bytes:
    """The stamp of the first version of the run that the audience has seen, for an audience that sees the claim now."""
    if len(since) == _STAMP_BYTES:  # the usual case
        return since
    first = since[:_STAMP_BYTES]
    for stamp, recipients in _earlier(since):
        if not recipients.include(audience):
            break
        first = stamp
    return first


def stamps_in(since: bytes) -> list[bytes]:
    """All stamps in ``since``: of the newest version, and of the runs before it."""
    return [since[:_STAMP_BYTES], *(stamp for stamp, _ in _earlier(since))]


def restamped(since: bytes, anew: Callable[[bytes], bytes]) -> Stamp:
    """``since`` with each stamp replaced by ``anew`` of it."""
    earlier = [(anew(stamp), recipients) for stamp, recipients in _earlier(since)]
    return Stamp(anew(since[:_STAMP_BYTES]) + (_packed(earlier) if earlier else b""))


def _packed(begun: list[tuple[bytes, Recipients]]) -> bytes:
    return orjson.dumps([[stamp.hex(), int(to.level), to.groups] for stamp, to in begun])


@lru_cache(maxsize=1024)
def _earlier(since: bytes) -> tuple[tuple[bytes, Recipients], ...]:
    """The runs before the newest version with their recipients, newest first."""
    if len(since) == _STAMP_BYTES:
        return ()
    return tuple(
        (bytes.fromhex(stamp), Recipients(Level(level), tuple(tuple(map(GroupName, some)) for some in groups)))
        for stamp, level, groups in orjson.loads(since[_STAMP_BYTES:])
    )
