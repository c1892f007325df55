"""Content first, stamps after: drafts become numbered, dated rows of the change logs, and views.

Source: docs/semantics.md, section 7. Numbers and dates are known only once the logs are locked, so nothing here is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hub.core.merge.content import Content, rendered, revoked_version
from hub.core.merge.weave import Draft
from hub.model.claims import Change, View
from hub.model.step import Head
from hub.model.stix import SCO_TYPES
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import Seq, StixId

_STEP_US = 20
"""Between two rows of a log: at most 50 share a millisecond, so that a client that cuts dates to milliseconds and pages
by 100 never gets a page of one date (docs/taxii.md)."""

_ORDER = {
    "extension-definition": 1, "marking-definition": 2, "identity": 3, "location": 3, **dict.fromkeys(SCO_TYPES, 4),
    "indicator": 7, "malware-analysis": 7, "observed-data": 8, "relationship": 9, "sighting": 10, "grouping": 11,
    "note": 11, "opinion": 11, "report": 11, "language-content": 12,
}  # fmt: skip
_OTHERS = 6
"""What is referred to comes first: every type that is not named above stands between observables and indicators."""

HUB_MADE = frozenset({"indicator", "relationship"})


@dataclass(slots=True)
class Stamped:
    """The rows that a step appends, and the views after it."""

    changes: list[Change] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    past_ids: list[View] = field(default_factory=list)
    hidden: set[tuple[int, Seq]] = field(default_factory=set)
    heads: dict[int, Head] = field(default_factory=dict)


def _place(draft: Draft, vouched: frozenset[StixId]) -> tuple[int, str]:
    kind = draft.content.type if draft.content is not None else draft.before.type if draft.before else ""
    if kind == "identity" and draft.object_id in vouched:
        return (0, draft.object_id)
    return (_ORDER.get(kind, _OTHERS), draft.object_id)


def stamp(
    drafts: Iterable[Draft],
    heads: Mapping[int, Head],
    now_us: int,
    vouched: frozenset[StixId],
    body: Callable[[Draft], bytes],
) -> Stamped:
    """Number and date the drafts. ``vouched`` are the identities of the hub and the centres, which stand before
    others; ``body`` gives the newest bytes of a view that ends.
    """
    out = Stamped()
    by_log: dict[int, list[Draft]] = {}
    for draft in drafts:
        by_log.setdefault(draft.collection.no, []).append(draft)
    for log, some in by_log.items():
        head = heads[log]
        shown = sorted((d for d in some if d.content is not None), key=lambda d: _place(d, vouched))
        gone = sorted((d for d in some if d.content is None), key=lambda d: _place(d, vouched), reverse=True)
        for draft in (*shown, *gone):
            head = _append(out, draft, head, now_us, body)
        out.heads[log] = head
    return out


def _append(out: Stamped, draft: Draft, head: Head, now_us: int, body: Callable[[Draft], bytes]) -> Head:
    date_us = max(now_us, head.date_us + _STEP_US)
    before = draft.before
    hub_made = before.type in HUB_MADE if draft.content is None and before else _is_hub_made(draft.content)
    if hub_made and before is not None and date_us // 1000 * 1000 <= before.modified_us:
        date_us = before.modified_us // 1000 * 1000 + 1000  # one id and one modified mean one content
    seq = Seq(head.seq + 1)
    if draft.content is None:
        _end(out, draft, seq, date_us, body)
    else:
        _show(out, draft, draft.content, seq, date_us)
    return Head(seq, date_us)


def _is_hub_made(content: Content | None) -> bool:
    return content is not None and content.own_id is None


def _end(out: Stamped, draft: Draft, seq: Seq, date_us: int, body: Callable[[Draft], bytes]) -> None:
    """The view ends: a hub-made object has a last, revoked version, another one just leaves."""
    before = draft.before
    if before is None:
        return
    modified_us = date_us // 1000 * 1000
    last = before.type in HUB_MADE
    bytes_ = revoked_version(body(draft), stix_time(modified_us)) if last else b""
    version_us = modified_us if last else date_us
    log = draft.collection.no
    out.changes.append(
        Change(log, seq, before.object_id, before.type, True, date_us, version_us, bytes_, False, before.seq)
    )
    if not last:
        out.hidden.add((log, seq))
    out.views.append(
        View(
            log, draft.thing, before.object_id, before.type, before.generation + 1, seq, False, before.digest,
            before.created_us, modified_us if last else before.modified_us, (),
        )
    )  # fmt: skip


def _show(out: Stamped, draft: Draft, content: Content, seq: Seq, date_us: int) -> None:
    before, log = draft.before, draft.collection.no
    same_id = before is not None and before.object_id == draft.object_id
    created_us, modified_us, created, modified = _times(draft, content, date_us)
    generation = 0 if before is None else before.generation
    if before is not None and not same_id:
        out.past_ids.append(before)
    follows = before.seq if before is not None and same_id and before.alive else None
    version_us = modified_us or created_us or date_us
    out.changes.append(
        Change(
            log, seq, draft.object_id, content.type, False, date_us, version_us,
            rendered(content, draft.object_id, created, modified), follows is None, follows,
        )
    )  # fmt: skip
    out.views.append(
        View(
            log, draft.thing, draft.object_id, content.type, generation, seq, True, content.digest, created_us,
            modified_us, content.uses,
        )
    )  # fmt: skip


def _times(draft: Draft, content: Content, date_us: int) -> tuple[int, int, str | None, str | None]:
    """``created`` and ``modified``, in microseconds (0: none) and as text."""
    before = draft.before
    if content.own_id is None:
        now_us = date_us // 1000 * 1000
        runs_on = before is not None and before.alive and before.object_id == draft.object_id
        created_us = before.created_us if before is not None and runs_on else now_us
        return created_us, now_us, stix_time(created_us), stix_time(now_us)
    created_us = 0 if content.created is None else parse_us(content.created)
    if content.modified is None:
        return created_us, 0, content.created, None
    own_us = parse_us(content.modified)
    if before is None or before.modified_us == 0:
        return created_us, own_us, content.created, content.modified
    if before.digest == content.digest:  # the same content comes back and keeps the time it had
        same = before.modified_us == own_us
        return (
            created_us,
            before.modified_us,
            content.created,
            content.modified if same else exact_time(before.modified_us),
        )
    if own_us > before.modified_us:
        return created_us, own_us, content.created, content.modified
    later_us = before.modified_us // 1000 * 1000 + 1000
    return created_us, later_us, content.created, stix_time(later_us)
