"""Named locks on PostgreSQL: advisory locks that end with the transaction.

Within one call, locks are taken in the order of their names, which prevents deadlocks. Across calls a deadlock is
possible, since only the loaded data show which other names to lock. PostgreSQL then ends one of the steps (after
``deadlock_timeout``), and the worker repeats it alone, which always succeeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.claims import ClaimKey, claim_key
from hub.model.policy import Policy
from hub.model.reads import CLAIM, PLACEMENT, REPLACED, THING, UNDER_ID, Answers, Reads
from hub.model.words import CanonicalKey, StixId
from hub.model.writes import Writes
from hub.store.postgres_errors import Contended, LockTableFull
from hub.store.vouched import Told, vouched_things

_GATE = (0x6374_6975, 1)
"""The lock that ``share`` and ``alone`` take. The two-number form has a separate name space: no conflict with names."""

_SHARE = "select pg_advisory_xact_lock_shared($1, $2)"
_ALONE = "select pg_advisory_xact_lock($1, $2)"
# ``count`` avoids sending thousands of empty rows; the locks are taken in the order of the array.
_EACH = "select count(*) from (select {}(name) from unnest($1::bigint[]) as name offset 0) as taken"
_EXCLUSIVE = _EACH.format("pg_advisory_xact_lock")
_SHARED = _EACH.format("pg_advisory_xact_lock_shared")

ALONE_FOR = 64
"""How many steps run alone after one with too many locks: few enough to retry soon, enough to avoid failures."""


@dataclass(slots=True)
class LockRoom:
    """The lock limits of one process. PostgreSQL's lock table has a fixed size, shared by all clients."""

    most_names: int
    """A step that needs more names than this runs alone."""
    alone_for: int = 0
    """How many more steps run alone."""

    def run_alone(self, steps: int) -> None:
        """Make the next ``steps`` steps run alone."""
        self.alone_for = max(self.alone_for, steps)


async def room_of(conn: AsyncConnection) -> LockRoom:
    """Returns a limit of half of the server's lock table per step. A larger step raises ``LockTableFull``."""
    names = ("max_locks_per_transaction", "max_connections", "max_prepared_transactions")
    per_client, clients, prepared = [
        int((await conn.exec_driver_sql("select current_setting($1)", (name,))).scalar_one()) for name in names
    ]
    return LockRoom(max(per_client * (clients + prepared) // 2, 1))


class AdvisoryLocks:
    """See ``hub/store/locks.Locks``."""

    def __init__(self, conn: AsyncConnection, room: LockRoom) -> None:
        self._conn = conn
        self._room = room
        self._takes_part = False
        self._is_alone = False
        self._vouched: frozenset[CanonicalKey] | None = None
        self._told = Told()
        self._exclusive: set[int] = set()
        self._shared: set[int] = set()

    async def share(self) -> None:
        """See ``Locks``."""
        if self._takes_part:
            return
        if self._room.alone_for > 0:
            await self.alone()
            self._room.alone_for -= 1
            return
        await self._conn.exec_driver_sql(_SHARE, _GATE)
        self._takes_part = True

    async def alone(self) -> None:
        """See ``Locks``."""
        if not self._is_alone:
            await self._conn.exec_driver_sql(_ALONE, _GATE)
            self._takes_part = self._is_alone = True

    async def before(self, reads: Reads, policy: Policy) -> None:
        """See ``Locks``."""
        await self.share()
        if self._is_alone:
            return
        if self._vouched is None:
            self._vouched = vouched_things(policy)
        changed = {_name_of_thing(thing) for thing in reads.about(THING) - self._vouched}
        changed.update(_name_of_claim(key) for key in reads.about(PLACEMENT) | reads.about(REPLACED))
        read = {_name_of_id(stix_id) for stix_id in reads.about(UNDER_ID)}
        read.update(_name_of_claim(key) for key in reads.about(CLAIM))
        await self._take(changed, read)

    def note(self, answers: Answers, policy: Policy) -> None:
        """See ``Locks``."""
        if self._vouched is not None:
            self._told.note(answers, self._vouched, policy)

    async def confirm(self, writes: Writes) -> None:
        """See ``Locks``."""
        if not self._is_alone and not await self._told.still_holds(self._conn, writes):
            raise Contended

    async def found(self, keys: Iterable[ClaimKey]) -> bool:
        """See ``Locks``."""
        return not self._is_alone and await self._take({_name_of_claim(key) for key in keys}, set())

    async def _take(self, exclusive: set[int], shared: set[int]) -> bool:
        exclusive -= self._exclusive
        shared -= self._shared | self._exclusive | exclusive
        if not exclusive and not shared:
            return False
        self._exclusive |= exclusive
        self._shared |= shared
        if len(self._exclusive) + len(self._shared) > self._room.most_names:
            raise LockTableFull
        for sql, names in ((_EXCLUSIVE, exclusive), (_SHARED, shared)):
            if names:
                await self._conn.exec_driver_sql(sql, (sorted(names),))
        return True


def _name_of_thing(thing: CanonicalKey) -> int:
    return int.from_bytes(thing[:8], signed=True)


def _name_of_claim(key: ClaimKey) -> int:
    """Returns the name of the contribution's STIX id, whose digest is part of the key."""
    return int.from_bytes(key[4:12], signed=True)


def _name_of_id(stix_id: StixId) -> int:
    return _name_of_claim(claim_key(0, stix_id))
