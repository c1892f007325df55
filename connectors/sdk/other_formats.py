"""Recognises the formats of other systems in a file that should hold STIX, and names the way to publish it.

What may be STIX is never recognised as something else: a STIX id anywhere in the beginning decides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SAMPLE_LINES = 20
_DELIMITERS = ",;\t|"
_BLANK = " \t\r\n\ufeff"
_STIX_ID = re.compile(rb'"(?:id|type)"\s*:\s*"[a-z0-9-]+--[0-9a-f]{8}-|"type"\s*:\s*"bundle"|"spec_version"\s*:', re.I)
_MISP = re.compile(rb'\s*(?:\[\s*)?\{\s*(?:"response"\s*:\s*[\[{]\s*(?:\{\s*)?)?"(?:Event|Attribute)"\s*:\s*[\[{]')
_CSAF = re.compile(rb'\s*\{.*?"csaf_version"\s*:\s*"', re.DOTALL)
_INTELMQ_KEY = re.compile(
    rb'"(classification\.(?:type|taxonomy)|feed\.(?:name|accuracy|provider)|time\.(?:source|observation)'
    rb'|source\.(?:ip|fqdn|url|asn|network)|event_description\.text)"\s*:'
)
_INTELMQ_KEYS = 2
_VALUE = re.compile(r"[\w.:/@\[\]?&=%~+,;#-]*(?:[.:]|\[\.\])[\w.:/@\[\]?&=%~+,;#-]+|[0-9a-fA-F]{32,128}")
_EXPORTS = "docs/connectors.md lists the mappings"


@dataclass(frozen=True, slots=True)
class OtherFormat:
    """The format of another system, to follow "this is", and the way to publish such a file."""

    what: str
    way_out: str


def other_format(start: bytes, path: str = "FILE") -> OtherFormat | None:
    """Returns the format of another system that the first bytes of a file have; None for STIX and for what is not
    recognised. ``path`` is named in the command that publishes it.

    >>> other_format(b'{"Event": {"info": "x", "Attribute": []}}').what
    'a MISP event'
    """
    start = start.replace(b"\0", b"")
    if _STIX_ID.search(start):
        return None
    if start.lstrip(_BLANK.encode())[:1] in (b"{", b"["):
        return _in_json(start.lstrip(_BLANK.encode()), path)
    return _in_lines(start.decode("utf-8", "replace"), path)


def _in_json(start: bytes, path: str) -> OtherFormat | None:
    if _MISP.match(start):
        return OtherFormat(
            "a MISP event",
            "Export it from MISP as STIX 2.1, or as CSV for ctihub connect csv path=FILE.csv mapping=misp; or convert"
            " it with misp-stix.",
        )
    if _CSAF.match(start):
        return OtherFormat("a CSAF advisory", "Convert it to STIX 2.1 first: no connector reads CSAF.")
    if len({found[1] for found in _INTELMQ_KEY.finditer(start)}) >= _INTELMQ_KEYS:
        return OtherFormat("a file of IntelMQ events", f"Use ctihub connect csv path={path} mapping=intelmq.")
    return None


def _in_lines(text: str, path: str) -> OtherFormat | None:
    lines = list(_sample(text))
    if not lines or any(line.lstrip()[:1] in ("{", "[", "]", "}", "<") for line in lines):
        return None
    if all(_VALUE.fullmatch(line.strip()) for line in lines):
        return OtherFormat("a list of values", f"Use ctihub connect csv path={path} mapping=list.")
    if any(_is_table(lines, delimiter) for delimiter in _DELIMITERS):
        return OtherFormat("CSV", f"Use ctihub connect csv path={path} mapping=…; {_EXPORTS}.")
    return None


def _sample(text: str) -> Iterator[str]:
    """Yields the first complete lines that are neither blank nor comments."""
    ended = text if text.endswith("\n") else text + "\n"
    count = 0
    for line in ended.splitlines()[: 10 * _SAMPLE_LINES]:
        if line.strip(_BLANK) and not line.lstrip(_BLANK).startswith(("#", "//")):
            yield line.strip("\ufeff")
            count += 1
            if count == _SAMPLE_LINES:
                return


def _is_table(lines: list[str], delimiter: str) -> bool:
    """Returns whether all lines have the same number of cells: two or more, of a single line three or more."""
    try:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
    except csv.Error:
        return False
    return len(widths) == 1 and min(widths) >= (2 if len(lines) > 1 else 3)
