"""JSON text to UTF-8, whichever Unicode encoding it comes in: PowerShell writes UTF-16, Notepad a byte order mark."""

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
    """JSON text in UTF-8, whichever Unicode encoding it comes in. What cannot be decoded is no UTF-8 then either."""
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
    """What stands for bytes that are no character: half of a surrogate pair, which no reader of UTF-8 takes, so that
    one object is refused and the others are read.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ud800", error.end


codecs.register_error(_STAYS_BROKEN, _half_a_pair)


def _encoding_of(head: bytes) -> str | None:
    """The encoding of JSON text by its first bytes, None for UTF-8: a byte order mark, else where the zero bytes of two
    ASCII characters stand (RFC 4627, section 3).
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    return _ZEROS.get(tuple(byte == 0 for byte in head[:4])) or _ZEROS.get(tuple(byte == 0 for byte in head[:2]))
