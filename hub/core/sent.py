"""What identifies an object as its sender wrote it, before anything is checked."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

_LONGEST_CHARS = 255
_LONGEST_TIME_CHARS = 40
_is_time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII).fullmatch


class Sent(NamedTuple):
    """What identifies a sent object. None: not to be found, or no text of a usable length."""

    id: str | None = None
    version: str | None = None
    """``modified``, or ``created`` if there is none (TAXII 2.1, section 4.3.1). None for what is no timestamp."""
    type: str | None = None


class _Stamped(msgspec.Struct):
    id: Any = None
    type: Any = None
    modified: Any = None
    created: Any = None


_stamped = msgspec.json.Decoder(_Stamped)


def sent_of(value: bytes) -> Sent:
    """Read what identifies an object that may be anything, also no JSON.

    >>> sent_of(b'{"id": "ipv4-addr--1", "type": "ipv4-addr", "created": "2026-01-01T00:00:00Z"}')
    Sent(id='ipv4-addr--1', version='2026-01-01T00:00:00Z', type='ipv4-addr')
    >>> sent_of(b'{"id": 1'), sent_of(b'{"id": 1}')
    (Sent(id=None, version=None, type=None), Sent(id=None, version=None, type=None))
    """
    try:
        found = _stamped.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sent()
    return Sent(_text(found.id), _time(found.modified) or _time(found.created), _text(found.type))


def _text(said: object) -> str | None:
    """A text that can be stored and written again."""
    if not isinstance(said, str) or not 0 < len(said) <= _LONGEST_CHARS or not said.isprintable():
        return None
    return said


def _time(said: object) -> str | None:
    return said if isinstance(said, str) and len(said) <= _LONGEST_TIME_CHARS and _is_time(said) else None
