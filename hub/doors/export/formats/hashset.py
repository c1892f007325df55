"""``export.hashset``: the canonical keys of values, sorted, so that nobody reads the values from the list.

Source: docs/canonical-key.md. A list keeps 32 bytes for each value until its end.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.doors.export.entry import Entry
from hub.doors.export.format import Format, Writer
from hub.doors.export.value_keys import KEYED_KINDS, key_of_value

_KEY_BYTES = 32


class _SortedKeys:
    """Keys by their first byte, so that only one part of 256 is sorted at a time."""

    def __init__(self) -> None:
        self._parts = [bytearray() for _ in range(256)]

    def line(self, entry: Entry) -> bytes:
        key = key_of_value(entry)
        self._parts[key[0]] += key
        return b""

    def tail(self) -> Iterator[bytes]:
        for part in self._parts:
            keys = {bytes(part[at : at + _KEY_BYTES]) for at in range(0, len(part), _KEY_BYTES)}
            yield b"".join(key.hex().encode() + b"\n" for key in sorted(keys))
            part.clear()


def _begin(_: object) -> Writer:
    keys = _SortedKeys()
    return Writer(keys.line, alone=lambda _: b"", tail=keys.tail)


def _hidden(_: str) -> str:
    """Returns nothing: a value does not stand in the list."""
    return ""


FORMAT = Format(
    name="hashset",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=_hidden,
    says_type=True,
    kinds=KEYED_KINDS,
)
