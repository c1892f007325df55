"""The opaque ``next``: a position in a change log and the filters of the request, signed.

The server has no state for it, so it is valid after restarts and in other processes, and never expires. It does not
contain ``limit``, which taxii2-client changes on the second page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from dataclasses import dataclass

import orjson

from hub.model.words import Seq

_MAC_BYTES = 12
_VERSION = 1
_PLAIN, _DEFLATED = b"\0", b"\1"
_LONGEST_BYTES = 1 << 20


class BadCursor(ValueError):
    """The text is not a cursor of this hub."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position, and the filters of the request."""

    log: int
    after: Seq
    added_after_us: int | None = None
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    spec_versions: tuple[str, ...] = ()


def encode(cursor: Cursor, key: bytes) -> str:
    """Returns the cursor as URL-safe text."""
    said = [
        _VERSION, cursor.log, cursor.after, cursor.added_after_us,
        cursor.ids, cursor.types, cursor.versions, cursor.spec_versions,
    ]  # fmt: skip
    plain = orjson.dumps(said)
    packed = zlib.compress(plain)  # there may be many ids
    body = _DEFLATED + packed if len(packed) < len(plain) else _PLAIN + plain
    return base64.urlsafe_b64encode(_mac(body, key) + body).rstrip(b"=").decode()


def decode(text: str, key: bytes) -> Cursor:
    """The inverse of ``encode``. Raises BadCursor for anything that ``encode`` did not write with this key."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadCursor(text) from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(body, key)):
        raise BadCursor(text)
    plain = body[1:] if body[:1] == _PLAIN else zlib.decompressobj().decompress(body[1:], _LONGEST_BYTES)
    version, log, after, added_after_us, ids, types, versions, spec_versions = orjson.loads(plain)
    if version != _VERSION:
        raise BadCursor(text)
    return Cursor(log, Seq(after), added_after_us, tuple(ids), tuple(types), tuple(versions), tuple(spec_versions))


def _mac(body: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=key, person=b"ctihub-taxii").digest()
