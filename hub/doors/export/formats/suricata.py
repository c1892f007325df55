"""``export.suricata``: a rule for each value. Source: Suricata user guide, "Suricata Rules".

A hash stands for each value in the number of its rule (``sid``), so that a value keeps its number in every list. Where
two values of one list have the same number, the second one gets the next free number.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from pydantic import Field

from hub.doors.export.annotation import without_marks
from hub.doors.export.entry import NETWORK_KINDS, Entry
from hub.doors.export.exact_values import is_host_name, network_of, web_address_of
from hub.doors.export.format import About, Format, Options, ProductLimits, Writer

SIDS = 1 << 30
"""How many numbers there are from ``sid`` on."""
_MOST_SID = (1 << 31) - 1
"""Suricata takes 32 bits, but databases of alerts often keep 31."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._/?=&%~-]+")
_BUFFERS = {"dns": ("dns", "dns.query"), "tls": ("tls", "tls.sni"), "http": ("http", "http.host")}


class SuricataOptions(Options):
    """The parameters of ``export.suricata``."""

    action: Literal["alert", "drop", "reject"] = Field("alert", description="what a rule does")
    names: Literal["dns", "tls", "http"] = Field("dns", description="where domain names are looked for")
    sid: int = Field(1_000_000_000, ge=1, le=_MOST_SID - SIDS, description="the first number of a rule")


def escape(value: str) -> str:
    """Returns a value as ``content`` and ``msg`` have it: all but plain characters in hexadecimal, between bars.

    >>> escape('a";b')
    'a|22 3B|b'
    """
    return _UNSAFE.sub(lambda found: f"|{found[0].encode('utf-8', 'surrogatepass').hex(' ').upper()}|", value)


class Sids:
    """The numbers of the rules of one list, each used once."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._used: set[int] = set()

    def of(self, rule: str) -> int:
        """Returns the number of a rule, by what it looks for."""
        number = int.from_bytes(hashlib.blake2b(rule.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        number %= SIDS
        while number in self._used:
            number = (number + 1) % SIDS
        self._used.add(number)
        return self._first + number


def _begin(about: About[SuricataOptions]) -> Writer:
    options, sids = about.options, Sids(about.options.sid)

    def line(entry: Entry, sids: Sids = sids) -> bytes | None:
        match = _match(entry, options.names)
        if match is None:
            return None
        header, keywords = match
        sid = sids.of(f"{header} {keywords}{entry.value}")
        confidence = "unknown" if entry.confidence is None else entry.confidence
        return (
            f'{options.action} {header} (msg:"ctihub {about.collection} {entry.type} {escape(entry.value)}"; {keywords}'
            f"threshold:type limit, track by_src, count 1, seconds 3600; classtype:trojan-activity; "
            f"metadata:stix_id {_word(entry.id)}, confidence {confidence}, tlp {_word(entry.tlp) or 'none'}; "
            f"sid:{sid}; rev:1;)\n"
        ).encode()

    return Writer(line, alone=lambda entry: line(entry, Sids(options.sid)))


def _match(entry: Entry, names: str) -> tuple[str, str] | None:
    """Returns the header of a rule without its action, and the keywords that find the value; None if there are none."""
    if entry.type == "url":
        web = web_address_of(entry.value)
        if web is None:
            return None
        keywords = f"flow:established,to_server; {_whole('http.host', web.host)}{_whole('http.uri.raw', web.path)}"
        return f"http $HOME_NET any -> any {web.port.removeprefix(':') or 'any'}", keywords
    if entry.type == "domain-name":
        protocol, buffer = _BUFFERS[names]
        nocase = "" if names == "http" else "nocase; "
        found = f"{protocol} $HOME_NET any -> any any", _whole(buffer, entry.value) + nocase
        return found if is_host_name(entry.value) else None
    network = network_of(entry)
    return None if network is None else (f"ip $HOME_NET any <> {entry.value} any", "")


def _whole(buffer: str, value: str) -> str:
    """Returns the keywords that match a buffer that is the value, no more and no less."""
    return f'{buffer}; content:"{escape(value)}"; bsize:{len(value.encode())}; '


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]", "_", without_marks(text))


FORMAT = Format(
    name="suricata",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=escape,
    says_type=True,
    kinds=NETWORK_KINDS,
    limits=ProductLimits(lines=100_000, line_bytes=8_191),
    options=SuricataOptions,
)
