"""Converts JSON text in any Unicode encoding to UTF-8: PowerShell writes UTF-16, Notepad adds a byte order mark."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = {
    (True, True, True, False): "utf-32-be",
    (False, True, True, True): "utf-32-le",
    (True, False): "utf-16-be",
    (False, True): "utf-16-le",
}

_HEAD_BYTES = 4

STAYS_BROKEN = "hub.stays-broken"
"""An error handler for decoding. It replaces an invalid byte with a lone surrogate, which the JSON parser refuses."""


def _half_a_pair(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ud800", error.end


codecs.register_error(STAYS_BROKEN, _half_a_pair)


def utf8(value: bytes) -> bytes:
    """JSON text in UTF-8 without a byte order mark. Bytes that cannot be decoded give invalid UTF-8."""
    encoding = encoding_of(value)
    if encoding is None:
        return value.removeprefix(codecs.BOM_UTF8)
    return value.decode(encoding, STAYS_BROKEN).encode("utf-8", "surrogatepass")


def encoding_of(head: bytes) -> str | None:
    """The encoding of JSON text by its first four bytes; None for UTF-8. Uses the byte order mark, or else the
    positions of the zero bytes in the first two ASCII characters (RFC 4627, section 3).
    """
    if head[:1] in (b"{", b"[") and head[1:2] != b"\0":
        return None
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    return _ZEROS.get(tuple(byte == 0 for byte in head[:4])) or _ZEROS.get(tuple(byte == 0 for byte in head[:2]))


class Decoder:
    """Converts JSON text that arrives in parts to UTF-8. Sans-IO: buffers a few bytes at most."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        """The UTF-8 text of these further bytes."""
        if self._head is not None:
            data = self._head + data
            if len(data) < _HEAD_BYTES:
                self._head = data
                return b""
            self._begin(data)
        return self._decoded(data)

    def end(self) -> bytes:
        """The remaining text, at the end of the input."""
        head = self._head or b""
        if self._head is not None:
            self._begin(head)
        return self._decoded(head, final=True)

    def _begin(self, data: bytes) -> None:
        encoding = encoding_of(data)
        self._head = None
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)(STAYS_BROKEN)

    def _decoded(self, data: bytes, *, final: bool = False) -> bytes:
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")
