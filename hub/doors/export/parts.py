"""Lists whose lines are kept: the log is divided into parts, and only parts that have changed are written again.

A row that a collection shows disappears only when a later row replaces it, and no row appears below the end of the log.
So the rows after the last list say which parts of it have changed. Lines that do not depend on one another can be kept
by part, and a list of a million values takes time for what is new.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from hub.doors.export.distinct import value_digest
from hub.doors.export.entry import NETWORK_KINDS, Entry, ListItem
from hub.doors.export.format import Format, Writer
from hub.doors.export.selection import Skipped

PART_ROWS = 1_024
"""Rows of the log, shown or not. What one change costs grows with it, what a list costs falls."""
_UNIQUE_KINDS = NETWORK_KINDS | {"md5", "sha-1", "sha-256"}
"""Kinds whose values are told apart by the value alone."""


@dataclass(frozen=True, slots=True)
class ListPart:
    """The lines of the rows of a part, and what is needed to leave out values that other parts have."""

    lines: bytes
    digests: array[int]
    """One for each line, see ``distinct.value_digest``."""
    ends: array[int]
    """Where each line ends in ``lines``."""
    shared: frozenset[int]
    """The digests of values that other parts may have as well."""
    skipped: int
    left_out: frozenset[int] = frozenset()
    """The digests of values that were left out and that other parts may have as well; ``skipped`` counts the others."""

    def without(self, digests: frozenset[int] | set[int]) -> bytes:
        """Returns the lines of all other values."""
        starts = [0, *self.ends]
        found = zip(self.digests, starts, self.ends, strict=False)
        return b"".join(self.lines[start:end] for digest, start, end in found if digest not in digests)


def part_of(
    items: Iterable[ListItem], format: Format, writer: Writer, skipped: Skipped, *, all_shared: bool = False
) -> ListPart:
    """Returns the part that has these items, each value once. ``skipped`` has counted what they left out.
    ``all_shared``: other parts may have any of them as well.
    """
    lines: list[bytes] = []
    digests, ends = array("Q"), array("Q")
    seen, shared, left_out = set[int](), set[int](), set[int]()
    for item in items:
        digest = value_digest(item.key(with_type=format.says_type))
        if digest in seen:
            continue
        seen.add(digest)
        is_shared = all_shared or (isinstance(item, Entry) and not (item.is_alone and item.type in _UNIQUE_KINDS))
        line = writer.line(item)
        if line is None or (format.limits.line_bytes is not None and len(line) > format.limits.line_bytes):
            if is_shared:
                left_out.add(digest)
            else:
                skipped.count += 1
            continue
        lines.append(line)
        digests.append(digest)
        ends.append((ends[-1] if ends else 0) + len(line))
        if is_shared:
            shared.add(digest)
    return ListPart(b"".join(lines), digests, ends, frozenset(shared), skipped.count, frozenset(left_out))


class Duplicates:
    """Finds in each part the values that an earlier part has. First ``expect`` all parts, then ask in order."""

    def __init__(self) -> None:
        self._shared: set[int] = set()
        self._seen: set[int] = set()

    def expect(self, part: ListPart) -> None:
        """Take a part into account."""
        self._shared |= part.shared

    def of(self, part: ListPart) -> set[int]:
        """Returns the digests of the values of a part that an earlier one has had."""
        candidates = self._shared.intersection(part.digests)
        found = candidates & self._seen
        self._seen |= candidates
        return found
