"""Detects content that is not a feed: a web page, a document, an archive, an error in JSON.

Servers answer 200 with a login page, proxies with a notice, services with an error. Saved as a file, each would look
like a feed without entries. The detection uses the content, not names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.sdk.connector import shortened
from connectors.sdk.other_formats import other_format

START_BYTES = 64 << 10
"""How much of a source is checked: the form of a login page may follow long style sheets."""
_SHOWN_CHARACTERS = 60
_SHOWN_KEYS = 6

_DOWNLOAD = "Look at the address that it was downloaded from."
_LOGIN = "The address wants an account or a key: download it with one."
_UNPACK = "Unpack it first."

_MAGIC = (
    (b"%PDF-", "a PDF document", "Ask for the data as CSV or STIX."),
    (b"\x89PNG", "an image", _DOWNLOAD),
    (b"\xff\xd8\xff", "an image", _DOWNLOAD),
    (b"GIF8", "an image", _DOWNLOAD),
    (b"\xd0\xcf\x11\xe0", "an Office document of the old kind", "Save it as CSV."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ", "a file packed with xz", _UNPACK),
    (b"BZh", "a file packed with bzip2", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd", _UNPACK),
    (b"SQLite format 3", "an SQLite database", _DOWNLOAD),
    (b"-----BEGIN PGP MESSAGE", "a message that is encrypted with PGP", "Decrypt it first."),
    (b"version https://git-lfs.github.com", "a pointer of Git LFS, not the file itself", "Fetch it with git lfs pull."),
)
_BZIP2_BLOCK = b"1AY&SY"
_ZIP = b"PK\x03\x04"
_BLANK = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|script|link|div|form|iframe|h1|center)\b", re.I)
_XML = re.compile(rb"<\?xml\b[^>]*>|<(?=[A-Za-z][\w.:-]*(?:\s[^<>]*)?/?>)")
_ROOT = re.compile(rb"<([A-Za-z][\w.:-]*)")
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.DOTALL | re.I)
_HEADING = re.compile(rb"<h1[^>]*>(.*?)</h1", re.DOTALL | re.I)
_TAG = re.compile(rb"<[^>]*>")
_PASSWORD_FIELD = re.compile(rb"""type\s*=\s*["']?password|samlrequest""", re.I)
_SIGN_IN = re.compile(rb"sign[ -]?in\b|log[ -]?in\b|single sign-?on", re.I)

_ERROR_WORDS = {
    "query_status", "status", "status_code", "http_status", "code", "error", "errors", "error_code",
    "error_description", "title", "msg", "message", "detail", "details", "description", "reason", "fault",
}  # fmt: skip
_ALL_IS_WELL = {"ok", "success", "200", "0"}
"""Status words of successful answers."""
_WANTS_ACCOUNT = re.compile(r"auth|api.?key|token|credential|log.?in|sign.?in|unauthori|forbidden|\b40[13]\b", re.I)


@dataclass(frozen=True, slots=True)
class NotAFeed:
    """A description of content that is not a feed, to follow "it is"."""

    what: str
    way_out: str
    is_login: bool = False
    """Whether it is a login page."""


def not_a_feed(start: bytes) -> NotAFeed | None:
    """Returns what the first bytes certainly are, if that cannot be a feed with any configuration; else None.

    >>> not_a_feed(b"%PDF-1.7").what
    'a PDF document'
    """
    for magic, what, way_out in _MAGIC:
        if start.startswith(magic) and (magic != b"BZh" or start[4:10] == _BZIP2_BLOCK):
            return NotAFeed(what, way_out)
    if start.startswith(_ZIP):
        return _archive(start)
    text = _COMMENT.sub(b"", start[:START_BYTES].replace(b"\0", b"")).lstrip(_BLANK)
    if text.startswith(b"<"):
        return _marked_up(text)
    return None


def instead(start: bytes) -> NotAFeed:
    """Returns the best description, from its first bytes, of a source without objects."""
    return not_a_feed(start) or _json(start) or _text(start)


def web_page(text: bytes) -> NotAFeed:
    """Describes a web page with its title, and whether it is a login page."""
    title, heading = ((found[1] if (found := part.search(text)) else b"") for part in (_TITLE, _HEADING))
    shown = _TAG.sub(b"", title.strip() or heading).decode("utf-8", "replace")
    told = f" ({_quoted(shown)})" if shown.strip() else ""
    if _PASSWORD_FIELD.search(text) or _SIGN_IN.search(title) or _SIGN_IN.search(heading):
        return NotAFeed(f"a web page that asks for a login{told}", _LOGIN, is_login=True)
    return NotAFeed(f"a web page{told}", _DOWNLOAD)


def _archive(start: bytes) -> NotAFeed:
    if b"[Content_Types].xml" in start or b"xl/" in start:
        return NotAFeed("an Office document", "Save it as CSV.")
    return NotAFeed("a ZIP archive", _UNPACK)


def _marked_up(text: bytes) -> NotAFeed | None:
    xml = _XML.match(text)
    inside = text[xml.end() :].lstrip(_BLANK) if xml and xml.group().startswith(b"<?") else text
    if _HTML.match(inside):
        return web_page(text)
    if not xml:
        return None
    root = _ROOT.search(inside)
    name = root[1].decode("ascii", "replace") if root else ""
    if name.lower().endswith("stix_package"):
        return NotAFeed("STIX 1 in XML", "Convert it to STIX 2.1 first (stix2-elevator).")
    what = f"XML (<{shortened(name, _SHOWN_CHARACTERS)}>)" if name else "XML"
    return NotAFeed(what, "Ask for the data as CSV or STIX.")


def _json(start: bytes) -> NotAFeed | None:
    """Describes a single JSON object that is not STIX: an error of a service, or the format of another system."""
    if len(start) >= START_BYTES:
        return _other_format(start)
    try:
        said = orjson.loads(start)
    except orjson.JSONDecodeError:
        return _other_format(start)
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    if not isinstance(said, dict):
        return None
    return _other_format(start) or error_in_json(said) or NotAFeed(f"a JSON object with {_keys(said)}", _DOWNLOAD)


def error_in_json(said: Mapping[str, Any], deep: int = 3) -> NotAFeed | None:
    """Returns the error in a decoded JSON object, at most ``deep`` levels down; None if it has none."""
    words = {key: _word(value, deep) for key, value in said.items() if key.lower() in _ERROR_WORDS}
    words = {key: value for key, value in words.items() if value and value.lower() not in _ALL_IS_WELL}
    if not words:
        return None
    told = ", ".join(f"{key} {_quoted(value)}" for key, value in words.items())
    way_out = _LOGIN if _WANTS_ACCOUNT.search(" ".join(words.values())) else _DOWNLOAD
    return NotAFeed(f"an error in JSON: {told}", way_out)


def _word(value: Any, deep: int) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    found = error_in_json(value, deep - 1) if isinstance(value, Mapping) and deep else None
    return found.what.partition(": ")[2] if found else ""


def _other_format(start: bytes) -> NotAFeed | None:
    found = other_format(start)
    return NotAFeed(found.what, found.way_out) if found else None


def _text(start: bytes) -> NotAFeed:
    plain = start.replace(b"\0", b"").lstrip(_BLANK)
    line = plain.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if not line:
        return NotAFeed("blank", _DOWNLOAD)
    if sum(character.isprintable() for character in line) < 0.8 * len(line):
        return NotAFeed("no text", _DOWNLOAD)
    return NotAFeed(f"text that begins {_quoted(line)}", _DOWNLOAD)


def _keys(said: Mapping[str, Any]) -> str:
    named = [shortened(key, 24) for key in list(said)[:_SHOWN_KEYS]]
    return ", ".join(named) + (" …" if len(said) > _SHOWN_KEYS else "") if named else "nothing in it"


def _quoted(text: str) -> str:
    """Returns quoted text that is safe for a terminal."""
    shown = "".join(one if one.isprintable() else "\ufffd" for one in shortened(text, _SHOWN_CHARACTERS))
    return f'"{shown}"'
