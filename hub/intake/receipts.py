"""Receipts: a signed text with all that is needed to answer (centre, count, log positions), so nothing else is stored.

The store counts the states of the objects; a receipt is complete when the store's positions have passed those in its
text, even after a crash (``hub/questions/receipts.py``). A receipt whose text was changed is unknown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.log.port import INTAKE_PREFIX
from hub.model.errors import NotFound
from hub.model.words import Positions, Topic, TopicPartition

_UID_BYTES = 12
_MAC_BYTES = 8
_HEAD = struct.Struct(">BIIH")
_END = struct.Struct(">IQ")
_VERSION = 1


def new_uid() -> str:
    """A new receipt uid, as used in record headers and ``receipt_parts``: 24 hexadecimal digits."""
    return secrets.token_bytes(_UID_BYTES).hex()


@dataclass(frozen=True, slots=True)
class ReceiptName:
    """The content of a receipt's text."""

    centre: int
    uid: str
    received: int
    ends: Mapping[int, int] = field(default_factory=dict)
    """By partition of the centre's topic, the position after the last record of the push."""

    def positions(self, centre_name: str) -> Positions:
        """The positions that the store must have reached for the receipt to be complete."""
        topic = Topic(INTAKE_PREFIX + centre_name)
        return {TopicPartition(topic, partition): end for partition, end in self.ends.items()}


class ReceiptCodec:
    """Encodes and decodes the text of receipts; ``key`` is the hub's, shared by all its processes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, name: ReceiptName) -> str:
        """URL-safe text, about 70 characters. It begins with the uid, which rejections contain."""
        body = _HEAD.pack(_VERSION, name.centre, name.received, len(name.ends))
        body += b"".join(_END.pack(partition, end) for partition, end in sorted(name.ends.items()))
        rest = base64.urlsafe_b64encode(body + self._mac(name.uid.encode() + body)).rstrip(b"=").decode()
        return f"{name.uid}-{rest}"

    def decode(self, text: str) -> ReceiptName:
        """The inverse of ``encode``. Raises NotFound for any other text."""
        uid, _, rest = text.partition("-")
        try:
            signed = uid.encode()
            raw = base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise unknown_receipt() from None
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(body) < _HEAD.size or not hmac.compare_digest(mac, self._mac(signed + body)):
            raise unknown_receipt()
        version, centre, received, count = _HEAD.unpack_from(body)
        if version != _VERSION or len(body) != _HEAD.size + count * _END.size:
            raise unknown_receipt()
        ends = dict(_END.iter_unpack(body[_HEAD.size :]))
        return ReceiptName(centre, uid, received, ends)

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=self._key, person=b"ctihub-receipt").digest()


def unknown_receipt() -> NotFound:
    """The same error for a receipt that never existed and for one of another centre."""
    return NotFound("receipt.unknown", "There is no such receipt.", "Use the receipt from the answer to the push.")
