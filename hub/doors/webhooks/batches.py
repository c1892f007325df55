"""The body of a batch of changes: the same bytes under the same id for every attempt.

Source: Standard Webhooks 1.0, "Payload structure" (type, timestamp, data).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.model.stix_types import SCO_TYPES
from hub.model.times import exact_time
from hub.model.webhooks import Webhook, WebhookFilter
from hub.model.words import Seq, StixObject
from hub.questions.changes import single_value, stix_pattern_of
from hub.store.port import LogPage, LogRow, RowCause

CHANGES = "collection.changes"
TEST = "webhook.test"
MESSAGE_ROWS = 500
MESSAGE_BYTES = 1 << 20
"""The objects of a batch have no more bytes than this, or there is one object only."""
_NEVER = RowCause(None, None)
_NOTHING_PRUNED = Seq(0)


@dataclass(frozen=True, slots=True)
class WebhookBatch:
    """The changes of a collection after one change up to another, as a webhook gets them."""

    first: Seq
    last: Seq
    """No row up to here is left out but those that the filter leaves out."""
    body: bytes
    count: int
    """How many changes are in it; 0: nothing is to be sent."""
    received_us: tuple[tuple[int, int], ...]
    """``date_added`` and the time of receipt of those changes that a received claim has caused, in microseconds."""

    def id_for(self, webhook: Webhook) -> str:
        """The id of the message: of the webhook and the numbers, so that a receiver knows a repetition."""
        said = f"{webhook.id} {self.first} {self.last}"
        return f"msg_{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def batch_of(
    webhook: Webhook, page: LogPage, causes: Mapping[Seq, RowCause], pruned: Seq = _NOTHING_PRUNED
) -> WebhookBatch:
    """The batch that a webhook gets after its position. ``page``: the rows from there on; ``causes``: of them;
    ``pruned``: the last row of the log whose older versions may have been deleted.
    """
    progress = webhook.progress
    rows = [pair for pair in page.with_bodies() if progress.batch_to is None or pair[0].seq <= progress.batch_to]
    if rows and page.more and len(rows) == len(page.rows):
        last = rows[-1][0].seq
    else:
        last = progress.batch_to or (rows[-1][0].seq if rows else page.end.seq if page.end else progress.position)
    first = Seq(progress.position + 1)
    sent: list[tuple[LogRow, dict[str, Any]]] = []
    for row, body in rows:
        had_older = not row.first or row.seq <= pruned
        if (change := change_of_row(row, body, webhook.filter, had_older=had_older)) is not None:
            sent.append((row, change))
    times = ((row.date_added_us, causes.get(row.seq, _NEVER).received_us) for row, _ in sent)
    known = tuple((added_us, at_us) for added_us, at_us in times if at_us is not None)
    changes = [change for _, change in sent]
    data = {"collection": webhook.collection_name, "from": first, "to": last, "changes": changes}
    at_us = sent[-1][0].date_added_us if sent else 0
    return WebhookBatch(first, last, body_of(CHANGES, at_us, data), len(changes), known)


def body_of(kind: str, at_us: int, data: Mapping[str, Any]) -> bytes:
    """The body of a message."""
    return orjson.dumps({"type": kind, "timestamp": exact_time(at_us), "data": data})


def change_of_row(row: LogRow, body: bytes, wanted: WebhookFilter, *, had_older: bool) -> dict[str, Any] | None:
    """What is said of one row; None if the filter leaves it out. ``had_older``: whether the object may have had an
    older version under this id.

    What has been withdrawn is told whatever the filter says of kinds and confidence, and so is an object whose new
    version the filter leaves out, as withdrawn: otherwise its old version would stay with the receiver for ever.
    """
    if wanted.types and row.type not in wanted.types:
        return None
    obj: StixObject = orjson.loads(body) if body else {}
    about = _About(row.type, obj)
    is_shown = not row.withdrawn and about.passes(wanted)
    if not is_shown and not row.withdrawn and not had_older:
        return None
    said: dict[str, Any] = {
        "seq": row.seq,
        "date_added": exact_time(row.date_added_us),
        "change": row.change if is_shown else "withdrawn",
        "id": row.object_id,
        "type": row.type,
    }
    said |= dict(about.fields())
    if is_shown:
        said["object"] = orjson.Fragment(body)
    return said


class _About:
    """What an object is about; its pattern is read once, and only if somebody asks."""

    def __init__(self, kind: str, obj: StixObject) -> None:
        self._type = kind
        self._obj = obj
        self._read = stix_pattern_of(obj)

    def passes(self, wanted: WebhookFilter) -> bool:
        """Whether kinds and confidence pass a filter, as those of collections; types without them always do."""
        if self._type in SCO_TYPES:
            return not wanted.kinds or self._type in wanted.kinds
        if self._type != "indicator":
            return True
        kinds = self._read.kinds if self._read is not None else ()
        if wanted.kinds and not wanted.kinds.intersection(kinds):
            return False
        return int(self._obj.get("confidence") or 0) >= wanted.min_confidence

    def fields(self) -> Iterator[tuple[str, Any]]:
        """The value, if it is a single one, and the confidence."""
        if (value := single_value(self._obj, self._read)) is not None:
            yield "value", value
        if "confidence" in self._obj:
            yield "confidence", self._obj["confidence"]
