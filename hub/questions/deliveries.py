"""What readers have got, and how far each is behind: a token of a device sees its own reads, a principal's own token
those of all its tokens, an operator everybody's.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.model.errors import NotAllowed
from hub.model.journal import ANONYMOUS, KEPT_ENTRIES, WEBHOOK, FetchedUpTo, JournalEntry
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.tokens import StoredToken, TokenScope, full_name
from hub.model.webhooks import Webhook
from hub.model.words import CollectionName, Seq
from hub.registry import grants
from hub.registry.access import Access
from hub.store.port import LogEnd, Store

NOBODY = "anonymous"
"""The name of all readers without credentials together."""


@dataclass(frozen=True, slots=True)
class ReaderLag:
    """How many changes of a collection a reader has not fetched, whichever door it uses."""

    reader: str
    collection: CollectionName
    last_seq: Seq
    reached: Seq
    """The highest change that it has got; 0: none."""
    at_us: int | None
    """When it last asked successfully; None: never."""
    doors: tuple[FetchedUpTo, ...]
    """One for each door and token, by both."""

    @property
    def behind(self) -> int:
        """The number of changes after the highest one that it has got."""
        return max(0, self.last_seq - self.reached)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """The answer: the newest entries, and the lags, the greatest first."""

    entries: Sequence[tuple[str, JournalEntry]]
    """With the name of the reader."""
    lags: Sequence[ReaderLag]
    lag_count: int
    """The number of all lags, of which ``lags`` may have only the greatest."""


async def deliveries(store: Store, access: Access, asker: Principal, of: str | None, limit: int) -> DeliveryReport:
    """Returns what ``of`` has got: the asker itself by default; for an operator everybody.

    A token that is limited to collections is told of these only. A named token of a source is told of its own reads
    only, without Kafka groups and webhooks, which have no token. ``limit`` bounds the entries, and the lags too.
    Raises NotAllowed for another's name, whether it exists or not, and for an operator NotFound.
    """
    is_operator = asker.kind is PrincipalKind.OPERATOR
    if not is_operator and of not in (None, asker.name):
        raise NotAllowed(
            "auth.operator-only", "Only an operator may see what others have read.", "Leave principal out for your own."
        )
    snapshot = await access.snapshot()
    readers = {one.no: one.name for one in snapshot.principals.values()} | {ANONYMOUS: NOBODY}
    only = await _only(access, asker, of, is_operator=is_operator)
    entries = await store.journal.entries(only, limit=KEPT_ENTRIES if asker.token else limit)
    fetched = [*await store.journal.fetched(only), *map(_fetched_by, await store.webhooks.all(only))]
    if asker.token and not is_operator:
        entries = _of_token(snapshot.tokens.get(full_name(asker.name, asker.token)), entries)
        fetched = [one for one in fetched if one.token == asker.token]
    ends = await store.logs.ends()
    scope = asker.scope
    named = [(readers[one.reader], one) for one in entries if one.reader in readers and _may_know(scope, one)]
    lags = await asyncio.to_thread(_lags, snapshot, ends, fetched, only)
    told = [one for one in lags if scope.may_read(one.collection)]
    return DeliveryReport(named[:limit], told[:limit], len(told))


def _fetched_by(webhook: Webhook) -> FetchedUpTo:
    """How far a webhook has come, with what its filter leaves out, or was there before it was added."""
    at_us = webhook.progress.delivered_us or webhook.created_us
    return FetchedUpTo(webhook.principal, "", webhook.collection, WEBHOOK, webhook.progress.position, at_us)


def _of_token(token: StoredToken | None, entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """Returns the entries of a token of their principal, without those of an earlier one with its name."""
    if token is None:  # it was removed meanwhile
        return []
    return [one for one in entries if one.token == token.name and one.began_us >= token.created_us]


def _may_know(scope: TokenScope, entry: JournalEntry) -> bool:
    return entry.collection is None or scope.may_read(CollectionName(entry.collection))


async def _only(access: Access, asker: Principal, of: str | None, *, is_operator: bool) -> int | None:
    """Returns the number of the reader that is asked for; None: all."""
    if of is None:
        return None if is_operator else asker.no
    found = await access.named(of)
    return ANONYMOUS if found is None else found.no


def _lags(
    snapshot: RegistrySnapshot, ends: Mapping[int, LogEnd], fetched: Iterable[FetchedUpTo], only: int | None
) -> list[ReaderLag]:
    """Returns the lag of each reader in each collection that it may read now, the greatest first."""
    by_place: defaultdict[tuple[int, int], dict[tuple[str, str], FetchedUpTo]] = defaultdict(dict)
    for one in sorted(fetched, key=lambda each: each.reached):
        by_place[one.reader, one.collection][one.door, one.token] = one
    readers: list[Principal | None] = [one for one in snapshot.principals.values() if only in (None, one.no)]
    if only in (None, ANONYMOUS):
        readers.append(None)
    found = []
    for reader in readers:
        no, name = (ANONYMOUS, NOBODY) if reader is None else (reader.no, reader.name)
        for collection in snapshot.collections.values():
            if collection.no in ends and grants.may_read(reader, collection, snapshot.groups):
                doors = [one for _, one in sorted(by_place.get((no, collection.no), {}).items())]
                found.append(_lag(name, collection.name, ends[collection.no].seq, doors))
    found.sort(key=lambda lag: (-lag.behind, lag.reader, lag.collection))
    return found


def _lag(reader: str, collection: CollectionName, last_seq: Seq, doors: Sequence[FetchedUpTo]) -> ReaderLag:
    reached = max((one.reached for one in doors), default=Seq(0))
    at_us = max((one.at_us for one in doors), default=None)
    return ReaderLag(reader, collection, last_seq, reached, at_us, tuple(doors))
