"""Basic types that all packages share. A source contributes, a thing has a canonical key, a collection shows views."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, NewType
from uuid import UUID

SourceName = NewType("SourceName", str)
GroupName = NewType("GroupName", str)
CollectionName = NewType("CollectionName", str)
StixId = NewType("StixId", str)
CanonicalKey = NewType("CanonicalKey", bytes)
"""The SHA-256 that identifies a thing; see ``docs/canonical-key.md``."""
Seq = NewType("Seq", int)

StixObject = dict[str, Any]
"""A decoded STIX object. Used only between the JSON decoder and ``normalise``, and inside ``merge``."""

Topic = NewType("Topic", str)


class TopicPartition(NamedTuple):
    """One partition: an ordered sequence of records of the event log."""

    topic: Topic
    partition: int


Positions = Mapping[TopicPartition, int]
"""For each partition the offset of the next record to read."""

PUBLIC = GroupName("public")
COMMUNITY = GroupName("community")
NETWORK = GroupName("network")
BUILT_IN_GROUPS = (PUBLIC, COMMUNITY, NETWORK)


class Level(IntEnum):
    """How far a claim may travel, as TLP 2.0 of FIRST; greater is stricter."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """The usual form: ``clear`` … ``amber+strict``, ``red``."""
        return _LEVEL_LABELS[self]

    @classmethod
    def of(cls, label: str) -> Level:
        """The level that a label names, in any case, with or without ``tlp:``; WHITE is CLEAR. Raises ValueError."""
        word = label.strip().lower().removeprefix("tlp:").strip()
        word = "clear" if word == "white" else _AMBER_STRICT.sub("amber+strict", word)
        for level, name in _LEVEL_LABELS.items():
            if name == word:
                return level
        raise ValueError(f"No TLP level is called {label!r}; the levels are {', '.join(_LEVEL_LABELS.values())}")


_AMBER_STRICT = re.compile(r"amber[\s+_-]+strict")
_LEVEL_LABELS = {
    Level.CLEAR: "clear",
    Level.GREEN: "green",
    Level.AMBER: "amber",
    Level.AMBER_STRICT: "amber+strict",
    Level.RED: "red",
}


class State(StrEnum):
    """The final state of a received object (docs/semantics.md, section 3)."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    HELD = "held"
    REJECTED = "rejected"


class Withdrawal(StrEnum):
    """What a record without a value does to the claim under its key (docs/semantics.md, section 3, "Ways out")."""

    STANDS = "stands"
    """Withdraws it for a mistake: what was withdrawn does not count when it comes again."""
    SOFT = "soft"
    """Withdraws it because its source lists it no more: whatever comes after counts."""
    RESTORE = "restore"
    """Ends a withdrawal that stands, so that what comes after counts."""


class Naming(StrEnum):
    """The name under which a source's claims are shown."""

    NAMED = "named"
    ALIAS = "alias"
    ANONYMOUS = "anonymous"


def type_of_id(stix_id: str) -> str:
    """The type in a STIX id.

    >>> type_of_id("ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd")
    'ipv4-addr'
    """
    return stix_id.partition("--")[0]


Stamp = NewType("Stamp", bytes)
"""Time and position of receipt, packed so that bytes sort by (time, partition, offset, index in the record)."""


def stamp_of(time_us: int, partition: int, offset: int, index: int = 0) -> Stamp:
    """Pack a stamp; ``index``: the position of the object in a record with several objects (a bundle)."""
    return Stamp(struct.pack(">QIQI", time_us, partition, offset, index))


def received_us(stamp: bytes) -> int:
    """The time of receipt in a stamp, in microseconds since 1970."""
    return int.from_bytes(stamp[:8])


def derived_id(kind: str, namespace: UUID, name: str, version: Literal[4, 5] = 5) -> StixId:
    """A STIX id with a UUIDv5 (RFC 9562, section 5.5); five times as fast as ``uuid.uuid5``.

    ``version`` 4 gives it the form of a random UUID, which STIX requires for observables whose content determines no
    id.
    """
    raw = hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(raw[16], 16) & 3]
    return StixId(f"{kind}--{raw[:8]}-{raw[8:12]}-{version}{raw[13:16]}-{variant}{raw[17:20]}-{raw[20:32]}")


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes at which input is refused; the defaults are those of ``hub/config.py``."""

    object_bytes: int = 1 << 20
    bundle_objects: int = 100_000
    pattern_chars: int = 65_536
    future_s: int = 600
    nesting: int = 32
