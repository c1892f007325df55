"""Reads a whole store as of one moment, slice by slice, to verify it (``hub/store/verification_port``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import Change, ClaimKey, View
from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.tasks import Recompute, RecomputeDue
from hub.model.verification import Difference, StoredSlice, StorePart
from hub.model.words import CanonicalKey, StixId
from hub.store import log_checks, tasks
from hub.store import tables as t
from hub.store.dialect import Dialect
from hub.store.loading import Loading
from hub.store.locks import NoLocks
from hub.store.rows import claim_of, view_of

_FEEDBACK = "feedback-on:"
_AFTER_FEEDBACK = "feedback-on;"
"""The next text after all that begin with ``_FEEDBACK``."""


class SqlSnapshot:
    """See the port."""

    def __init__(self, database: Dialect, conn: AsyncConnection) -> None:
        """Call ``begin`` next."""
        self._database = database
        self._conn = conn
        self._has_feedback = True
        self.policy: Policy
        self.deferred: dict[tuple[int, StixId], bytes] = {}

    async def begin(self, policy: Policy) -> SqlSnapshot:
        """Read what all slices need; returns itself."""
        self.policy = policy
        self.deferred = (await tasks.load_turns(self._conn))[None]
        r = t.referring.c
        some = select(r.target).where(r.target > _FEEDBACK, r.target < _AFTER_FEEDBACK).limit(1)
        self._has_feedback = (await self._conn.execute(some)).first() is not None
        return self

    async def unfinished(self) -> list[Recompute | RecomputeDue]:
        """See the port."""
        return await tasks.unfinished(self._conn)

    async def load(self, reads: Reads) -> Answers:
        """See the port."""
        return await Loading(self._database, self._conn, NoLocks()).answer(reads, self.policy)

    # ------------------------------------------------------------ slices

    async def last_claim(self) -> int:
        """See the port."""
        return int((await self._conn.execute(select(func.max(t.contributions.c.no)))).scalar() or 0)

    async def slice(self, after: int, until: int, limit: int) -> StoredSlice:
        """See the port. Claims that arrived together are stored together, and so are their views and rows."""
        c, p = t.contributions.c, t.placements.c
        within = select(c.no, c.key, c.thing).where(c.no > after, c.no <= until).order_by(c.no).limit(limit)
        numbered = (await self._conn.execute(within)).all()
        found = StoredSlice(numbered[-1].no if len(numbered) == limit else None, has_feedback=self._has_feedback)
        first = await self._add_claims(found, {row.thing for row in numbered if row.thing is not None})
        keys = [row.key for row in numbered if row.thing is None]
        for row in await self._rows(t.contributions, c.key, keys):
            found.placeable[row.key] = claim_of(row)
        for row in await self._rows(t.placements, p.key, keys):
            found.placements.setdefault(row.key, {})[row.collection] = CanonicalKey(row.thing)
        first |= await self._add_placed(
            found, {thing for where in found.placements.values() for thing in where.values()}
        )
        for thing in [thing for thing, no in first.items() if no <= after]:  # it was in an earlier slice
            del found.things[thing]
            found.placed.pop(thing, None)
        await self._add_views(found)
        await self._add_references(found, [row.key for row in numbered])
        return found

    async def _add_claims(self, found: StoredSlice, things: Set[CanonicalKey]) -> dict[CanonicalKey, int]:
        """Add all claims about these things; returns the number of the first of each."""
        first: dict[CanonicalKey, int] = {}
        for row in await self._rows(t.contributions, t.contributions.c.thing, things):
            claim, no = claim_of(row), row.no
            found.things.setdefault(row.thing, []).append(claim)
            if no < first.get(row.thing, no + 1):
                first[row.thing] = no
        return first

    async def _add_placed(self, found: StoredSlice, things: Set[CanonicalKey]) -> dict[CanonicalKey, int]:
        """Add all relationships that are placed at these things; returns the number of the first of each."""
        placements = await self._rows(t.placements, t.placements.c.thing, things)
        keys = {row.key for row in placements}
        rows = {row.key: row for row in await self._rows(t.contributions, t.contributions.c.key, keys)}
        claims = {key: found.placeable.get(key) or claim_of(row) for key, row in rows.items()}
        first: dict[CanonicalKey, int] = {}
        for row in placements:
            found.things.setdefault(row.thing, [])
            if row.key not in claims:
                continue
            found.placed.setdefault(row.thing, {}).setdefault(row.collection, []).append(claims[row.key])
            first[row.thing] = min(first.get(row.thing, rows[row.key].no), rows[row.key].no)
        return first

    async def _add_views(self, found: StoredSlice) -> None:
        for row in await self._rows(_VIEWS, t.views.c.thing, found.things.keys()):
            view, change = _view_and_row(row)
            found.views.setdefault(view.thing, {})[view.collection] = view
            if change is not None:
                found.rows[view.collection, view.thing] = change

    async def _add_references(self, found: StoredSlice, keys: Iterable[ClaimKey]) -> None:
        for row in await self._rows(t.referring, t.referring.c.key, list(keys)):
            found.references.setdefault(row.key, set()).add(row.target)

    async def without_claims(self, after: bytes, limit: int) -> StoredSlice:
        """See the port."""
        c, v, p = t.contributions.c, t.views.c, t.placements.c
        lonely = select(v.thing).where(
            v.thing > after, ~exists().where(c.thing == v.thing), ~exists().where(p.thing == v.thing)
        )
        things = (await self._conn.execute(lonely.distinct().order_by(v.thing).limit(limit))).scalars()
        found = StoredSlice(things={CanonicalKey(thing): [] for thing in things})
        await self._add_views(found)
        return found

    async def misplaced(self, limit: int) -> list[Difference]:
        """See the port."""
        c, p = t.contributions.c, t.placements.c
        placeable = exists().where(c.key == p.key, c.thing.is_(None))
        rows = await self._conn.execute(select(t.placements).where(~placeable).limit(limit))
        says = "is a placement of a relationship that there is not"
        return [Difference(StorePart.PLACEMENT, says, row.collection, row.thing, key=row.key) for row in rows]

    async def _rows(
        self, rows: Table | Select[Any], column: ColumnElement[Any], values: Collection[Any]
    ) -> Collection[Row[Any]]:
        return await self._database.rows_in(self._conn, rows, column, sorted(values)) if values else ()

    # ------------------------------------------------------------ logs and counts

    async def uses(self) -> dict[tuple[int, str], int]:
        """See the port."""
        rows = await self._conn.execute(select(t.uses))
        return {(no, used): number for no, used, number in map(tuple, rows) if number}

    async def log_differences(self, log: int, limit: int) -> list[Difference]:
        """See the port."""
        return await log_checks.differences(self._conn, log, limit)

    async def receipt_differences(self) -> list[Difference]:
        """See the port."""
        found = await log_checks.receipt_differences(self._conn, self.policy)
        return [*found, *await log_checks.live_differences(self._conn)]


_VIEWS = select(
    *(t.changes.c[name] for name in ("object_id", "type", "withdrawn", "date_added_us", "version_us", "body")), t.views
).join(
    t.changes, and_(t.changes.c.log == t.views.c.collection, t.changes.c.seq == t.views.c.seq), isouter=True
)  # fmt: skip
"""Views, each after the row that it points to."""


def _view_and_row(row: Iterable[Any]) -> tuple[View, Change | None]:
    """Converts a row of ``_VIEWS``."""
    object_id, kind, withdrawn, date_us, version_us, body, *columns = row
    view = view_of(columns)
    if object_id is None:
        return view, None
    return view, Change(view.collection, view.seq, object_id, kind, bool(withdrawn), date_us, version_us, body)
