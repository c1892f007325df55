"""Receipts: a sealed text with all that is needed to answer (source, count, log positions), so nothing else is stored.

The store counts the states of the objects; a receipt is complete when the store's positions have passed those in its
text, even after a crash (``hub/questions/receipts.py``). A receipt whose text was changed is unknown. The content is
encrypted, since the positions in a topic that many members share tell how much the others send.
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

    source: int
    uid: str
    received: int
    ends: Mapping[int, int] = field(default_factory=dict)
    """By partition of the source's topic, the position after the last record of the push."""

    def positions(self, topic: Topic) -> Positions:
        """The positions that the store must have reached for the receipt to be complete."""
        return {TopicPartition(topic, partition): end for partition, end in self.ends.items()}


class ReceiptCodec:
    """Encodes and decodes the text of receipts; ``key`` is the hub's, shared by all its processes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._stream_key = hashlib.blake2b(key=key, person=b"ctihub-receipt-s").digest()

    def encode(self, name: ReceiptName) -> str:
        """URL-safe text, about 70 characters. It begins with the uid, which rejections contain."""
        body = _HEAD.pack(_VERSION, name.source, name.received, len(name.ends))
        body += b"".join(_END.pack(partition, end) for partition, end in sorted(name.ends.items()))
        uid = name.uid.encode()
        sealed = self._crypt(uid, body)
        rest = base64.urlsafe_b64encode(sealed + self._mac(uid + sealed)).rstrip(b"=").decode()
        return f"{name.uid}-{rest}"

    def decode(self, text: str) -> ReceiptName:
        """The inverse of ``encode``. Raises NotFound for any other text."""
        uid, _, rest = text.partition("-")
        try:
            signed = uid.encode()
            raw = base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise unknown_receipt() from None
        sealed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(sealed) < _HEAD.size or not hmac.compare_digest(mac, self._mac(signed + sealed)):
            raise unknown_receipt()
        body = self._crypt(signed, sealed)
        version, source, received, count = _HEAD.unpack_from(body)
        if version != _VERSION or len(body) != _HEAD.size + count * _END.size:
            raise unknown_receipt()
        ends = dict(_END.iter_unpack(body[_HEAD.size :]))
        return ReceiptName(source, uid, received, ends)

    def _crypt(self, uid: bytes, body: bytes) -> bytes:
        """Encrypt or decrypt: XOR with a stream of the key and the uid, which is random and used once."""
        stream = hashlib.shake_256(self._stream_key + uid).digest(len(body))
        return (int.from_bytes(body) ^ int.from_bytes(stream)).to_bytes(len(body))

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=self._key, person=b"ctihub-receipt").digest()


def unknown_receipt() -> NotFound:
    """The same error for a receipt that never existed and for one of another source."""
    return NotFound("receipt.unknown", "There is no such receipt.", "Use the receipt from the answer to the push.")
