"""``export.snort-reputation``: addresses for Snort's reputation inspector, and for that of Suricata.

Sources: Snort, README.reputation, "IP List File Format"; Suricata user guide, "IP Reputation Format".
"""

from __future__ import annotations

from pydantic import Field

from hub.core.merge.voices import SILENT_CONFIDENCE
from hub.doors.export.entry import Entry
from hub.doors.export.exact_values import as_it_is, network_of
from hub.doors.export.format import About, Format, Options, Writer


class ReputationOptions(Options):
    """The parameters of ``export.snort-reputation``."""

    category: int | None = Field(
        None, ge=1, le=60, description="a category of Suricata: lines have it and a score, as Suricata reads them"
    )


def _begin(about: About[ReputationOptions]) -> Writer:
    category = about.options.category

    def line(entry: Entry) -> bytes | None:
        if network_of(entry) is None:
            return None
        if category is None:
            return f"{entry.value}\n".encode()
        score = SILENT_CONFIDENCE if entry.confidence is None else max(1, entry.confidence)
        return f"{entry.value},{category},{score}\n".encode()

    return Writer(line)


FORMAT = Format(
    name="snort-reputation",
    media_type="text/plain; charset=utf-8",
    begin=_begin,
    escape=as_it_is,
    says_type=False,
    lines_are_alone=True,
    kinds=frozenset({"ipv4-addr", "ipv6-addr"}),
    options=ReputationOptions,
)
