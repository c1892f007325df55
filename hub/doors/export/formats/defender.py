"""``export.defender``: indicators for the import of Microsoft Defender for Endpoint.

Source: Microsoft Learn, "Manage indicators" and "Create indicators for IPs and URLs/domains", and the sample file of
the import page. The portal takes 500 rows in each import and 15,000 indicators in all, so a list comes in parts.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from hub.doors.export.annotation import without_marks
from hub.doors.export.entry import Entry
from hub.doors.export.escape import INVISIBLE, quoted_cell
from hub.doors.export.exact_values import is_host_name, network_of
from hub.doors.export.format import About, Format, Options, ProductLimits, Writer

ROWS = 500
"""The rows of one import."""
_MOST = 15_000
_TYPES = {
    "ipv4-addr": "IpAddress",
    "ipv6-addr": "IpAddress",
    "domain-name": "DomainName",
    "url": "Url",
    "sha-1": "FileSha1",
    "sha-256": "FileSha256",
}
_DIGITS = {"sha-1": 40, "sha-256": 64}
_HEAD = (
    b"IndicatorType,IndicatorValue,ExpirationTime,Action,Severity,Title,Description,RecommendedActions,RbacGroups,"
    b"Category,MitreTechniques,GenerateAlert\r\n"
)
_MISREAD = re.compile(rf"[{INVISIBLE}\s]|^[=+\-@]")
_SECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")


class DefenderOptions(Options):
    """The parameters of ``export.defender``."""

    action: Literal["Audit", "Warn", "Block", "BlockAndRemediate"] = Field("Audit", description="what Defender does")
    part: int = Field(1, ge=1, le=_MOST // ROWS, description="which 500 rows, best first")


def _begin(about: About[DefenderOptions]) -> Writer:
    options, count = about.options, 0

    def line(entry: Entry) -> bytes | None:
        nonlocal count
        if not _fits(entry):
            return None
        count += 1
        if (count - 1) // ROWS != options.part - 1:
            return b""  # in another part
        expires = _SECONDS.fullmatch(entry.valid_until or "")
        cells = (
            _TYPES[entry.type],
            entry.value,
            f"{expires[1]}.0Z" if expires else "",
            options.action,
            _severity(entry.confidence),
            f"ctihub {about.collection}",
            _description(entry),
            *("", "", "", ""),
            "True",
        )
        return (",".join(map(quoted_cell, cells)) + "\r\n").encode()

    return Writer(line, alone=lambda entry: b"" if _fits(entry) else None, head=_HEAD)


def _fits(entry: Entry) -> bool:
    """Returns whether Defender takes a value: it has no networks, and its portal is used with spreadsheets."""
    if _MISREAD.search(entry.value):
        return False
    match entry.type:
        case "ipv4-addr" | "ipv6-addr":
            return "/" not in entry.value and network_of(entry) is not None
        case "domain-name":
            return is_host_name(entry.value)
        case "url":
            return True
        case kind:
            return re.fullmatch(f"[0-9a-f]{{{_DIGITS[kind]}}}", entry.value) is not None


def _severity(confidence: int | None) -> str:
    if confidence is None or confidence == 0:
        return "Informational"
    return "High" if confidence >= 70 else "Medium" if confidence >= 30 else "Low"


def _description(entry: Entry) -> str:
    confidence = "" if entry.confidence is None else f" - confidence {entry.confidence}"
    tlp = f" - TLP:{without_marks(entry.tlp).upper()}" if entry.tlp else ""
    return f"indicator {without_marks(entry.id)}{confidence}{tlp}"


FORMAT = Format(
    name="defender",
    media_type="text/csv; charset=utf-8; header=present",
    begin=_begin,
    escape=quoted_cell,
    says_type=True,
    kinds=frozenset(_TYPES),
    limits=ProductLimits(lines=_MOST),
    options=DefenderOptions,
)
