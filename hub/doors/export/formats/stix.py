"""``export.stix``: one STIX bundle with all objects that the collection shows. Source: STIX 2.1, section 8."""

from __future__ import annotations

import uuid

from hub.doors.export.entry import ListedObject
from hub.doors.export.escape import as_json
from hub.doors.export.format import About, Format, Options, Unit, Writer

_NAMESPACE = uuid.UUID("5b0f1a57-6f0c-4c53-9d2b-4f2f5b6f2c11")
"""For the ids of bundles, which nothing refers to."""


def _begin(about: About[Options]) -> Writer:
    said = repr((about.collection, about.seq, about.changed_us, sorted(about.kinds), about.limit))
    before, end = b',"objects":[\n', b"}\n"  # without objects, a bundle has no list of them (section 8)

    def line(one: ListedObject) -> bytes:
        nonlocal before, end
        written = before + one.body
        before, end = b",\n", b"\n]}\n"
        return written

    head = f'{{"type":"bundle","id":"bundle--{uuid.uuid5(_NAMESPACE, said)}"'
    return Writer(line, alone=lambda one: one.body, head=head.encode(), tail=lambda: end)


FORMAT = Format(
    name="stix",
    media_type="application/stix+json;version=2.1",
    begin=_begin,
    escape=as_json,
    says_type=True,
    unit=Unit.OBJECT,
)
