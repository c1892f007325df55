"""The ids of TAXII status resources: UUIDs that tell what is needed to answer, so nothing else is stored.

A status id is also the uid of its push in the headers of records, so that the store has the results under it. It is
signed for its source: nobody else can use it, and an id that was never given is unknown.

Source: TAXII 2.1, section 4.3.1 (``id`` is a UUID, of version 4 as everywhere in TAXII).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import RFC_4122, UUID

from hub.model.errors import NotFound

_EPOCH_MS = 1_577_836_800_000
"""2020-01-01: an id has 41 bits for milliseconds, which last until 2089."""
_TIME_BITS, _COUNT_BITS, _NONCE_BITS, _MAC_BITS = 41, 20, 29, 32
MOST_OBJECTS = (1 << _COUNT_BITS) - 1
"""The greatest number of objects of a push that a status id can tell."""
_LOW_BITS, _MIDDLE_BITS = 62, 12


@dataclass(frozen=True, slots=True)
class StatusName:
    """What a status id tells."""

    id: str
    received: int
    at_ms: int
    """When the request was received, in milliseconds since 1970."""


class StatusCodec:
    """Writes and reads status ids; ``key`` is the hub's, shared by all its processes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self, source: int, received: int, at_ms: int) -> StatusName:
        """A new id for a push of a source; ``received`` is at most ``MOST_OBJECTS``."""
        at_ms = max(at_ms, _EPOCH_MS)
        said = ((at_ms - _EPOCH_MS) << _COUNT_BITS | received) << _NONCE_BITS | secrets.randbits(_NONCE_BITS)
        return StatusName(str(_uuid(said << _MAC_BITS | self._mac(source, said))), received, at_ms)

    def read(self, source: int, text: str) -> StatusName:
        """The inverse of ``new`` for the same source. Raises NotFound for anything else."""
        try:
            found = UUID(text)
        except ValueError:
            raise unknown_status() from None
        packed = _packed(found)
        said, mac = packed >> _MAC_BITS, packed & ((1 << _MAC_BITS) - 1)
        own = hmac.compare_digest(mac.to_bytes(4), self._mac(source, said).to_bytes(4))
        if not own or str(found) != text or found.variant != RFC_4122 or found.version != 4:
            raise unknown_status()
        counted = said >> _NONCE_BITS
        return StatusName(text, counted & MOST_OBJECTS, (counted >> _COUNT_BITS) + _EPOCH_MS)

    def _mac(self, source: int, said: int) -> int:
        body = source.to_bytes(8) + said.to_bytes(12)
        return int.from_bytes(
            hashlib.blake2b(body, digest_size=_MAC_BITS // 8, key=self._key, person=b"ctihub-status").digest()
        )


def unknown_status() -> NotFound:
    """The same error for a status that never existed and for one of another source."""
    return NotFound("taxii.status", "There is no such status.", "Use the id from the answer to your request.")


def _uuid(packed: int) -> UUID:
    """A UUID of version 4 with these 122 bits (RFC 9562, section 5.4)."""
    high, rest = packed >> (_LOW_BITS + _MIDDLE_BITS), packed & ((1 << (_LOW_BITS + _MIDDLE_BITS)) - 1)
    middle, low = rest >> _LOW_BITS, rest & ((1 << _LOW_BITS) - 1)
    return UUID(int=high << 80 | 4 << 76 | middle << 64 | 2 << 62 | low)


def _packed(uuid: UUID) -> int:
    high, middle, low = uuid.int >> 80, uuid.int >> 64 & 0xFFF, uuid.int & ((1 << _LOW_BITS) - 1)
    return (high << _MIDDLE_BITS | middle) << _LOW_BITS | low
