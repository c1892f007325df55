"""The resources that TAXII 2.1 defines, as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.doors.taxii.query import SPEC_VERSION
from hub.model.policy import Collection
from hub.model.times import exact_time, taxii_time
from hub.store.port import JoinedPage, LogPage, PageSpan

STIX_JSON = f"application/stix+json;version={SPEC_VERSION}"
EMPTY = b"{  }"
"""The empty object. Clients have decoded one of two bytes as UTF-16; four bytes are enough to recognise UTF-8."""
_NAMES = {"clear": "TLP:CLEAR", "green": "TLP:GREEN", "amber": "TLP:AMBER", "amber+strict": "TLP:AMBER+STRICT"}


def discovery(root_url: str) -> bytes:
    """Section 4.1.1."""
    return orjson.dumps(
        {
            "title": "ctihub",
            "description": "Threat information that national centres share, merged.",
            "default": root_url,
            "api_roots": [root_url],
        }
    )


def api_root(max_content_length: int) -> bytes:
    """Section 4.2.1."""
    return orjson.dumps(
        {
            "title": "ctihub",
            "description": "All collections that your credentials open.",
            "versions": [f"application/taxii+json;version={SPEC_VERSION}"],
            "max_content_length": max_content_length,
        }
    )


def collection(one: Collection) -> dict[str, Any]:
    """Section 5.2.1. The title is the collection's name, which has no dot and never changes. There is no alias, since
    clients compare the id with the URL that they requested.
    """
    level = one.audience.level.label
    audience = f"Up to {_NAMES.get(level, f'TLP:{level.upper()}')}, for {one.audience.group}."
    return {
        "id": one.id,
        "title": one.name,
        "description": f"Alerts. {audience}" if one.alert else audience,
        "can_read": True,
        "can_write": False,
        "media_types": [STIX_JSON],
    }


def envelope(page: JoinedPage, following: str | None) -> bytes:
    """Section 3.7: the stored bytes, joined without parsing. ``following`` is the ``next``, if there are more objects.

    An empty envelope also has ``objects``, against section 2: clients read it without a check.
    """
    return b"%s%s]}" % (_opening(following, b"objects"), page.bodies)


def manifest(page: LogPage, following: str | None) -> bytes:
    """Section 5.3.1, with ``next`` as in envelopes: clients page manifests the same way."""
    if not page.rows:
        return EMPTY
    records = [
        {
            "id": row.object_id,
            "date_added": taxii_time(row.date_added_us),
            "version": exact_time(row.version_us),
            "media_type": STIX_JSON,
        }
        for row in page.rows
    ]
    return b"%s%s]}" % (_opening(following, b"objects"), orjson.dumps(records)[1:-1])


def versions(page: LogPage, following: str | None) -> bytes:
    """Section 5.8.1, with ``next``."""
    if not page.rows:
        return EMPTY
    times = [exact_time(row.version_us) for row in page.rows]
    return b"%s%s]}" % (_opening(following, b"versions"), orjson.dumps(times)[1:-1])


def _opening(following: str | None, name: bytes) -> bytes:
    if following is None:
        return b'{"more":false,"%s":[' % name
    return b'{"more":true,"next":"%s","%s":[' % (following.encode(), name)


def date_headers(span: PageSpan | None, end_us: int, added_after_us: int | None) -> Mapping[str, str]:
    """Sections 3.4 and 5.4: ``date_added`` of the first and last object. For an empty page it is the time up to which
    the client has everything, since clients without the header use their own clocks: not later than ``end_us``, the end
    of the log, so that a client that keeps it comes back from a wrong ``added_after``.
    """
    otherwise_us = end_us if added_after_us is None else min(added_after_us, end_us)
    first_us, last_us = (span.first_us, span.last_us) if span is not None else (otherwise_us, otherwise_us)
    return {"X-TAXII-Date-Added-First": taxii_time(first_us), "X-TAXII-Date-Added-Last": taxii_time(last_us)}
