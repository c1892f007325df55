"""Since when a contribution has been visible to an audience without a break: what decides contested ids.

A run ends where a version is revoked, withdrawn, or marked so that the audience may not see it. Which versions an
audience may see differs from audience to audience, so a claim remembers how its earlier versions were marked: one entry
for each marking, however many versions there were. Source: docs/semantics.md, section 6, "Owner's objects".
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from hub.model.claims import Claim
from hub.model.markings import Marks
from hub.model.words import Level, Stamp, StixId

_STAMP_BYTES = 24


def runs_on(old: Claim, new: Claim) -> Stamp:
    """What ``since`` is of the version ``new`` that follows ``old`` while both are live."""
    if old.marks == new.marks:
        return old.since
    begun: list[tuple[bytes, Marks]] = [(new.stamp, new.marks)]
    seen = [new.marks]
    for stamp, marks in [(old.since[:_STAMP_BYTES], old.marks), *_earlier(old.since)]:
        if marks in seen:  # who sees all that came after sees this as well: one run of them
            begun[-1] = (stamp, begun[-1][1])
        else:
            seen.append(marks)
            begun.append((stamp, marks))
    return Stamp(begun[0][0] + (_packed(begun[1:]) if len(begun) > 1 else b""))


def began(since: bytes, sees: Callable[[Marks], bool]) -> bytes:
    """The stamp of the first version of the run that a visible claim with this ``since`` stands in."""
    if len(since) == _STAMP_BYTES:
        return since
    first = since[:_STAMP_BYTES]
    for stamp, marks in _earlier(since):
        if not sees(marks):
            break
        first = stamp
    return first


def stamps_in(since: bytes) -> list[bytes]:
    """All stamps that ``since`` holds: of the last run, and of those before the last markings."""
    return [since[:_STAMP_BYTES], *(stamp for stamp, _ in _earlier(since))]


def restamped(since: bytes, anew: Callable[[bytes], bytes]) -> Stamp:
    """``since`` with ``anew`` of each of its stamps."""
    earlier = [(anew(stamp), marks) for stamp, marks in _earlier(since)]
    return Stamp(anew(since[:_STAMP_BYTES]) + (_packed(earlier) if earlier else b""))


def _packed(begun: list[tuple[bytes, Marks]]) -> bytes:
    return orjson.dumps(
        [
            [
                stamp.hex(),
                _number(marks.level),
                marks.own,
                _number(marks.granular_level),
                marks.granular,
                marks.unreadable,
            ]
            for stamp, marks in begun
        ]
    )


def _earlier(since: bytes) -> list[tuple[bytes, Marks]]:
    """The runs before the last marking, newest first."""
    if len(since) == _STAMP_BYTES:
        return []
    return [
        (
            bytes.fromhex(stamp),
            Marks(_level(level), _ids(own), _level(granular_level), _ids(granular), unreadable),
        )
        for stamp, level, own, granular_level, granular, unreadable in orjson.loads(since[_STAMP_BYTES:])
    ]


def _number(level: Level | None) -> int | None:
    return None if level is None else int(level)


def _level(number: int | None) -> Level | None:
    return None if number is None else Level(number)


def _ids(refs: list[str]) -> tuple[StixId, ...]:
    return tuple(StixId(ref) for ref in refs)
