"""Erasing a value at the request of a person, as values: what to erase, and what has become of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from hub.model.claims import Claim
from hub.model.forgotten import (
    ForgottenDigest,
    digest_of_id,
    digest_of_key,
    digest_of_value,
    ends_with_beginning,
    plain_readings,
    says_any,
)
from hub.model.words import CanonicalKey, StixId


@dataclass(frozen=True)
class Erasable:
    """What to erase. It is kept until that is done; afterwards there are only digests of it."""

    values: tuple[str, ...] = ()
    """The value in its spellings, as ``forgotten.plain_value`` has them."""
    things: tuple[CanonicalKey, ...] = ()
    """The things that the value names."""
    ids: tuple[StixId, ...] = ()
    """The STIX ids that were named, and those of the things that were."""
    lookups: tuple[bytes, ...] = ()
    """The keys under which lookups find the value."""
    spelled: bool = False
    """Whether other spellings of the value can be recognised only by normalising an object."""

    @cached_property
    def _ids(self) -> re.Pattern[str] | None:
        ids = "|".join(re.escape(one.casefold()) for one in self.ids)
        return re.compile(rf'"id" ?: ?"(?:{ids})"') if ids else None

    @cached_property
    def _references(self) -> tuple[bytes, ...]:
        return tuple(thing.hex().encode() for thing in self.things)

    def is_said_in(self, text: str) -> bool:
        """Whether a text says the value, or is an object with one of the ids."""
        return any(
            says_any(reading, self.values) or (self._ids is not None and self._ids.search(reading) is not None)
            for reading in plain_readings(text)
        )

    def is_begun_in(self, text: str) -> bool:
        """Whether a text that was cut off ends with the beginning of the value."""
        return any(ends_with_beginning(reading, self.values) for reading in plain_readings(text))

    def is_quoted_in(self, message: str) -> bool:
        """Whether a message says the value, or its beginning where it shortens a text (``problems.cut``)."""
        return self.is_said_in(message) or any(map(self.is_begun_in, message.split("…")[:-1]))

    def is_claimed_by(self, claim: Claim) -> bool:
        """Whether a claim is about what is to be erased, says the value, or names the thing by its key."""
        if claim.thing in self.things or claim.id in self.ids:
            return True
        if any(reference in claim.body for reference in self._references):
            return True
        return bool(self.values) and self.is_said_in(claim.body.decode("utf-8", "replace"))

    def digests(self, key: bytes) -> list[ForgottenDigest]:
        """What is kept of it for ever. ``key``: the hub's secret."""
        return [
            *(digest_of_value(key, value) for value in self.values),
            *(digest_of_key(key, thing) for thing in self.things),
            *(digest_of_id(key, stix_id) for stix_id in self.ids),
        ]

    def encode(self) -> str:
        """The value as JSON."""
        said = {
            "values": self.values,
            "things": [thing.hex() for thing in self.things],
            "ids": self.ids,
            "lookups": [lookup.hex() for lookup in self.lookups],
            "spelled": self.spelled,
        }
        return json.dumps(said)

    @classmethod
    def decode(cls, text: str) -> Erasable:
        """The value that ``encode`` has written."""
        said = json.loads(text)
        return cls(
            tuple(said["values"]),
            tuple(CanonicalKey(bytes.fromhex(thing)) for thing in said["things"]),
            tuple(map(StixId, said["ids"])),
            tuple(map(bytes.fromhex, said["lookups"])),
            said["spelled"],
        )


class Request(NamedTuple):
    """Who wants something erased, and why."""

    who: str
    reason: str
    case: str | None


@dataclass(frozen=True, slots=True)
class ErasedCounts:
    """How much was erased."""

    claims: int = 0
    versions: int = 0
    """Rows of change logs, the last ones included."""
    receipts: int = 0
    """Problems in receipts, and ids in status resources."""
    held: int = 0
    rejections: int = 0
    records: int = 0
    """Records of the event log."""
    others: int = 0
    """Decisions of operators, pins, tasks."""

    @property
    def total(self) -> int:
        """All of these together."""
        return self.claims + self.versions + self.receipts + self.held + self.rejections + self.records + self.others


@dataclass(frozen=True, slots=True)
class Forgetting:
    """One request, and how far it is."""

    no: int
    at_us: int
    request: Request
    what: Erasable | None = field(repr=False)
    """None as soon as nothing of it is left in the tables and the event log."""
    closing_us: int
    """Until when the closing versions stay."""
    counts: ErasedCounts
    searched_us: int | None
    """When all was erased but the closing versions."""
    done_us: int | None
    """When the files were cleaned as well; None: this is still to be done."""
    lifted_us: int | None
    """When it was decided that the value may come again."""

    @property
    def is_waiting(self) -> bool:
        """Whether only the closing versions are left to be erased."""
        return self.what is not None and self.searched_us is not None
