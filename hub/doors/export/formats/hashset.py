"""``export.hashset``: the canonical keys of values, sorted, so that nobody reads the values from the list.

Source: docs/canonical-key.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.doors.export.entry import Entry
from hub.doors.export.format import About, Format, Options, Writer
from hub.doors.export.sorted_keys import ROOM_BYTES, SortedKeys
from hub.doors.export.value_keys import KEYED_KINDS, key_of_value


def _begin(about: About[Options]) -> Writer:
    keys = SortedKeys(about.open_file)

    def line(entry: Entry) -> bytes:
        keys.add(key_of_value(entry))
        return b""

    def tail() -> Iterator[bytes]:
        for key in keys:
            yield key.hex().encode() + b"\n"

    return Writer(line, alone=lambda _: b"", tail=tail)


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
    room_bytes=lambda _: ROOM_BYTES,
)
