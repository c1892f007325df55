"""``export.cisco``: custom feeds of Security Intelligence. Source: Cisco, "Custom Lists and Feeds: Requirements"."""

from __future__ import annotations

from hub.doors.export.entry import NETWORK_KINDS
from hub.doors.export.exact_values import as_it_is, exact_line, limited_to
from hub.doors.export.format import Format, Writer

_MOST_BYTES = 500_000_000

FORMAT = Format(
    name="cisco",
    media_type="text/plain; charset=utf-8",
    begin=lambda _: Writer(limited_to(_MOST_BYTES, exact_line), alone=exact_line),
    escape=as_it_is,
    says_type=False,
    kinds=NETWORK_KINDS,
    one_kind=True,
)
