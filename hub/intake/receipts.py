"""Receipts: a name that carries all it needs to answer (centre, count, log positions), so that nothing more is written.

The store counts what became of the objects; a receipt is complete when the store's positions have passed those in its
name, which also holds after any crash (``hub/questions/receipts.py``). The name is signed: a changed one is unknown.
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
    """A fresh receipt uid, as the records' headers and ``receipt_parts`` carry it: 24 hexadecimal digits."""
    return secrets.token_bytes(_UID_BYTES).hex()


@dataclass(frozen=True, slots=True)
class ReceiptName:
    """What the text of a receipt says."""

    centre: int
    uid: str
    received: int
    ends: Mapping[int, int] = field(default_factory=dict)
    """Per partition of the centre's topic the position after the last record of the push."""

    def positions(self, centre_name: str) -> Positions:
        """Where the store must have got to for the receipt to be complete."""
        topic = Topic(INTAKE_PREFIX + centre_name)
        return {TopicPartition(topic, partition): end for partition, end in self.ends.items()}


class ReceiptCodec:
    """Writes and reads the text of receipts; ``key`` is the hub's, shared by all its processes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, name: ReceiptName) -> str:
        """URL-safe text, about 70 characters. It begins with the uid, by which rejections name the receipt."""
        body = _HEAD.pack(_VERSION, name.centre, name.received, len(name.ends))
        body += b"".join(_END.pack(partition, end) for partition, end in sorted(name.ends.items()))
        rest = base64.urlsafe_b64encode(body + self._mac(name.uid.encode() + body)).rstrip(b"=").decode()
        return f"{name.uid}-{rest}"

    def decode(self, text: str) -> ReceiptName:
        """The inverse. Raises NotFound for anything that ``encode`` did not write."""
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
    """The same for a receipt that never was and for one of another centre."""
    return NotFound("receipt.unknown", "There is no such receipt.", "Use the receipt from the answer to the push.")
