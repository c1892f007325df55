"""Converts JSON text from any Unicode encoding to UTF-8: PowerShell writes UTF-16, Notepad a byte order mark."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
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


def as_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields JSON text in UTF-8, from any Unicode encoding. Invalid input becomes invalid UTF-8."""
    head, rest = b"", iter(chunks)
    while len(head) < 4 and (chunk := next(rest, None)) is not None:
        head += chunk
    encoding = _encoding_of(head)
    if encoding is None:
        yield head
        yield from rest
        return
    decoder = codecs.getincrementaldecoder(encoding)(_STAYS_BROKEN)
    yield decoder.decode(head).encode("utf-8", "surrogatepass")
    for chunk in rest:
        yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", True).encode("utf-8", "surrogatepass")


_STAYS_BROKEN = "ctihub.stays-broken"


def _half_a_pair(error: UnicodeError) -> tuple[str, int]:
    """Returns the replacement of invalid bytes: half of a surrogate pair, which is invalid UTF-8, so that only this
    object is rejected.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ud800", error.end


codecs.register_error(_STAYS_BROKEN, _half_a_pair)


def _encoding_of(head: bytes) -> str | None:
    """Returns the encoding of JSON text, None for UTF-8: by a byte order mark, or by the places of the zero bytes in
    the first two ASCII characters (RFC 4627, section 3).
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    return _ZEROS.get(tuple(byte == 0 for byte in head[:4])) or _ZEROS.get(tuple(byte == 0 for byte in head[:2]))
