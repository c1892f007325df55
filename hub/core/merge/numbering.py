"""Turns drafts into numbered and dated rows of the change logs, and into views.

Source: docs/semantics.md, section 7. Numbers and dates are assigned while the logs are locked, so this must be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from hub.core.merge.content import Content, digest_of_rendered, rendered, revoked_version
from hub.core.merge.drafts import Draft
from hub.model.claims import Change, View
from hub.model.stix_types import stix_type
from hub.model.times import exact_time, parse_us, stix_time
from hub.model.words import Seq, StixId
from hub.model.writes import Head

_STEP_US = 20
"""Minimum distance between two rows of a log: at most 50 share a millisecond, so that a client that truncates dates to
milliseconds and reads pages of 100 never gets a page with a single date (docs/taxii.md)."""


@dataclass(slots=True)
class NewRows:
    """The rows that a step appends, and the resulting views."""

    changes: list[Change] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    past_ids: list[View] = field(default_factory=list)
    hidden: set[tuple[int, Seq]] = field(default_factory=set)
    heads: dict[int, Head] = field(default_factory=dict)


def _type(draft: Draft) -> str:
    return draft.content.type if draft.content is not None else draft.before.type if draft.before else ""


def _place(draft: Draft, vouched: frozenset[StixId]) -> tuple[int, str]:
    kind = _type(draft)
    if kind == "identity" and draft.object_id in vouched:
        return (0, draft.object_id)
    return (stix_type(kind).order, draft.object_id)


def numbered(
    drafts: Iterable[Draft],
    heads: Mapping[int, Head],
    now_us: int,
    vouched: frozenset[StixId],
    body: Callable[[Draft], bytes],
) -> NewRows:
    """Number and date the drafts. ``vouched``: the identities of the hub and the sources, which come before others.
    ``body`` returns the newest bytes of a view that ends.
    """
    out = NewRows()
    by_log: dict[int, list[Draft]] = {}
    for draft in drafts:
        by_log.setdefault(draft.collection.no, []).append(draft)
    for log, some in by_log.items():
        shown = sorted((d for d in some if d.content is not None), key=lambda d: _place(d, vouched))
        gone = sorted((_leaving(d) for d in some if _leaves(d)), key=lambda d: _place(d, vouched), reverse=True)
        moved = {d.thing for d in shown}
        head, ordered = heads[log], [*shown, *gone]
        for draft, following in zip_longest(ordered, ordered[1:]):
            clock = _Clock(now_us, is_last=following is None or _type(following) != _type(draft))
            if draft.content is not None:
                head = _show(out, draft, head, clock)
            else:
                last = body(draft) if draft.is_merged else b""
                head = _end(out, draft, head, clock, last, moved=draft.thing in moved)
        out.heads[log] = head
    return out


def _leaves(draft: Draft) -> bool:
    """Whether an object ends: its view ends, or gets another id."""
    before = draft.before
    return before is not None and (draft.content is None or (before.alive and before.object_id != draft.object_id))


def _leaving(draft: Draft) -> Draft:
    return draft if draft.content is None or draft.before is None else replace(
        draft, content=None, object_id=draft.before.object_id
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Clock:
    """The time of a step, for its rows in one log."""

    time_us: int
    is_last: bool
    """Whether the row is the last one of its type in sequence. It is dated on a whole millisecond, so that a client
    that truncates dates, and asks for what is later than the last one of the types that it reads, gets nothing again
    (docs/taxii.md)."""

    def next(self, head: Head, before: View | None, *, hub_made: bool) -> Head:
        """The number and the date of the row. ``before``: the last view under the same id."""
        date_us = max(self.time_us, head.date_us + _STEP_US)
        if hub_made and before is not None and date_us // 1000 * 1000 <= before.modified_us:
            date_us = before.modified_us // 1000 * 1000 + 1000  # one id with one modified must have one content
        return Head(Seq(head.seq + 1), -(-date_us // 1000) * 1000 if self.is_last else date_us)


def _end(out: NewRows, draft: Draft, head: Head, clock: _Clock, last: bytes, *, moved: bool) -> Head:
    """End an object. ``last``: the bytes of its last version, which are shown again as revoked; empty if it ends
    without one. ``moved``: its thing goes by another id from now on.
    """
    before, log = draft.before, draft.collection.no
    assert before is not None  # noqa: S101 - _leaves
    head = clock.next(head, before, hub_made=bool(last))
    modified_us = head.date_us // 1000 * 1000
    bytes_ = revoked_version(last, stix_time(modified_us)) if last else b""
    version_us = modified_us if last else head.date_us
    out.changes.append(
        Change(log, head.seq, before.object_id, before.type, True, head.date_us, version_us, bytes_, False, before.seq)
    )
    if not last:
        out.hidden.add((log, head.seq))
    if not moved:
        out.views.append(
            View(
                log, draft.thing, before.object_id, before.type, before.generation + 1, head.seq, False, before.digest,
                before.created_us, modified_us if last else before.modified_us, (), dated_us=head.date_us,
            )
        )  # fmt: skip
    return head


def _show(out: NewRows, draft: Draft, head: Head, clock: _Clock) -> Head:
    content, before, log = draft.content, draft.before, draft.collection.no
    assert content is not None  # noqa: S101 - the caller asked
    same_id = before is not None and before.object_id == draft.object_id
    head = clock.next(head, before if same_id else None, hub_made=content.own_id is None)
    created_us, modified_us, created, modified = _times(draft, content, head.date_us)
    if before is not None and not same_id:
        out.past_ids.append(before)
    follows = before.seq if before is not None and same_id and before.alive else None
    version_us = modified_us or created_us or head.date_us
    out.changes.append(
        Change(
            log, head.seq, draft.object_id, content.type, False, head.date_us, version_us,
            rendered(content, draft.object_id, created, modified), follows is None, follows,
        )
    )  # fmt: skip
    out.views.append(
        View(
            log, draft.thing, draft.object_id, content.type, _generation(draft, content), head.seq, True,
            content.digest, created_us, modified_us, content.uses, content.due_day, head.date_us,
        )
    )  # fmt: skip
    return head


def _generation(draft: Draft, content: Content) -> int:
    """How often the view has ended. Also increases when an owner's id replaces an id that the hub made."""
    before = draft.before
    if before is None:
        return draft.collection.first_generation
    made_before = before.alive and before.object_id != draft.object_id and content.own_id is not None
    return before.generation + made_before


def _times(draft: Draft, content: Content, date_us: int) -> tuple[int, int, str | None, str | None]:
    """``created`` and ``modified``, in microseconds (0: none) and as text (None: none)."""
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
    last_us, last_digest = _last_shown(draft)
    if last_us == 0:
        return created_us, own_us, content.created, content.modified
    modified_us = last_us if last_digest == content.digest else max(own_us, last_us + 1000)
    return created_us, modified_us, content.created, (
        content.modified if modified_us == own_us else exact_time(modified_us)
    )  # fmt: skip


def _last_shown(draft: Draft) -> tuple[int, bytes]:
    """``modified`` of the last object under this id, in microseconds (0: there was none), and its digest."""
    before, past = draft.before, draft.past
    if before is not None and before.object_id == draft.object_id:
        return before.modified_us, before.digest
    return (0, b"") if past is None else (past.version_us, digest_of_rendered(past.body))
