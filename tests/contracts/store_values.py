"""Values as a worker would write them, made small; and one step of writing, as a worker goes about it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from hub.model.claims import Change, Claim, ClaimState, View, claim_key, digest_of
from hub.model.policy import Source
from hub.model.policy_changes import GroupAdded
from hub.model.principals import Principal, PrincipalKind, source_of_member
from hub.model.reads import REPLACED, THING, Reads
from hub.model.tokens import TokenDigest
from hub.model.words import CanonicalKey, Naming, Seq, SourceName, StixId, Topic, TopicPartition, stamp_of
from hub.model.writes import Head, ReceiptCounts, ReceiptPart, Writes
from hub.registry.port import DirectoryWriter
from hub.store import tables as t
from hub.store.port import Store, Transaction
from hub.store.sql import SqlStore
from tests.stores import rows_of_log

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
INTAKE = TopicPartition(Topic("intake.ro"), 0)


def a_thing(name: object) -> CanonicalKey:
    return CanonicalKey(hashlib.sha256(str(name).encode()).digest())


def an_id(name: object, kind: str = "indicator") -> StixId:
    raw = hashlib.sha256(str(name).encode()).hexdigest()
    return StixId(f"{kind}--{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}")


def a_claim(name: object, centre: int = 1, **more: Any) -> Claim:
    stix_id = an_id(name)
    body = str(more.pop("said", name)).encode()
    at = stamp_of(START_US, 0, 0)
    claim = Claim(
        claim_key(centre, stix_id), centre, stix_id, "indicator", a_thing(name), START_US, at, at, ClaimState.LIVE,
        digest_of(body), body,
    )  # fmt: skip
    return replace(claim, **more)


def a_view(name: object, collection: int = 1, seq: int = 1, **more: Any) -> View:
    view = View(
        collection, a_thing(name), an_id(name), "indicator", 0, Seq(seq), True, digest_of(str(name).encode()), START_US,
        START_US, ("marking-definition--1", "identity--2"),
    )  # fmt: skip
    return replace(view, **more)


def a_change(seq: int, name: object = None, log: int = 1, **more: Any) -> Change:
    at_us = START_US + seq * 1000
    name = seq if name is None else name
    change = Change(log, Seq(seq), an_id(name), "indicator", False, at_us, at_us, str(name).encode())
    return replace(change, **more)


def a_receipt(receipt: str, centre: int = 1, **counts: int) -> ReceiptPart:
    return ReceiptPart(receipt, centre, ReceiptCounts(**counts), ())


def head_after(changes: Sequence[Change]) -> dict[int, Head]:
    return {change.log: Head(change.seq, change.date_added_us) for change in sorted(changes, key=lambda c: c.seq)}


async def add_centres(store: SqlStore, count: int) -> None:
    """Register centres ``c1``, ``c2`` …, each with its log of rejections."""
    async with store.registry.change() as directory:
        for number in range(1, count + 1):
            centre = Source(0, SourceName(f"c{number}"), StixId(f"identity--{number}"), "RO")
            principal = Principal(0, centre.name, PrincipalKind.CENTRE, centre.identity)
            await directory.add_principal(principal, TokenDigest(0, b"%d" % number, "", 0), centre)
        await directory.record(GroupAdded("g", {}), START_US)


async def add_member(directory: DirectoryWriter, name: str, *, accredited_by: int) -> Principal:
    """Register a member, which is anonymous."""
    member = Principal(0, name, PrincipalKind.MEMBER, StixId(f"identity--{name}"), accredited_by=accredited_by)
    centre = (await directory.snapshot()).centres[SourceName(f"c{accredited_by}")]
    return await directory.add_principal(
        member, TokenDigest(0, name.encode(), "", 0), source_of_member(member, Naming.ANONYMOUS, centre)
    )


async def append(store: Store, count: int, log: int = 1, **more: Any) -> None:
    """One step that appends rows to a log."""
    async with store.transaction() as tx:
        await tx.policy()
        await append_in(tx, count, log, **more)


async def append_in(tx: Transaction, count: int, log: int = 1, **more: Any) -> None:
    head = (await tx.heads([log]))[log]
    changes = [a_change(head.seq + i, log=log, **more) for i in range(1, count + 1)]
    await tx.write(Writes(changes=changes, heads=head_after(changes)))


async def count_up(store: Store, names: Sequence[str], logs: Sequence[int], at: TopicPartition) -> int:
    """One step of a worker: the claims of these names each say one more, and each log gets a row for each.

    Returns the position after it. All that it writes tells of the same numbers, so that a torn or lost step shows.
    """
    start = (await store.positions([at])).get(at, 0)
    async with store.transaction() as tx:
        policy = await tx.policy()
        await tx.advance({at: start}, {at: start + len(names)}, 1)
        claims = [a_claim(name) for name in names]
        asked = Reads().update(REPLACED, [claim.key for claim in claims])
        before = {key: claim for key, claim in (await tx.load(asked, policy)).of(REPLACED).items() if claim is not None}
        things = [claim.thing for claim in claims if claim.thing is not None]
        found = (await tx.load(Reads().update(THING, things), policy)).of(THING)
        assert sum(len(record.claims) for record in found.values()) == len(before), "claims are found by things too"
        said = [b"%d" % (int(before[claim.key].body) + 1 if claim.key in before else 1) for claim in claims]
        await _write_counts(tx, claims, said, logs)
    return start + len(names)


async def _write_counts(tx: Transaction, claims: Sequence[Claim], said: Sequence[bytes], logs: Sequence[int]) -> None:
    heads = await tx.heads(logs)
    views, changes = [], []
    for log in logs:
        for i, (claim, body) in enumerate(zip(claims, said, strict=True), 1):
            seq = Seq(heads[log].seq + i)
            views.append(replace(a_view(claim.id, log, seq), thing=a_thing(claim.id), object_id=claim.id))
            changes.append(replace(a_change(seq, log=log, body=body), object_id=claim.id))
    writes = Writes(
        claims=[replace(claim, body=body) for claim, body in zip(claims, said, strict=True)],
        views=views,
        changes=changes,
        heads=head_after(changes),
        uses={(log, "marking-definition--1"): len(claims) for log in logs},
        receipts=[a_receipt("a" * 8, accepted=len(claims))],
        counts={1: ReceiptCounts(accepted=len(claims))},
    )
    await tx.write(writes)


async def check_counts(store: Any, logs: Sequence[int]) -> int:
    """Whether everything in the store tells of the same whole steps, at one moment; returns how many rows a log had."""
    async with store.reading() as conn:
        claims = (await conn.execute(select(t.contributions.c.body))).all()
        views = (await conn.execute(select(t.views.c.collection, t.views.c.object_id, t.views.c.seq))).all()
        carried = (await conn.execute(select(t.uses.c.count))).scalars().all()
        counted = (await conn.execute(select(t.counts.c.accepted))).scalar() or 0
        parts = (await conn.execute(select(func.sum(t.receipt_parts.c.accepted)))).scalar() or 0
        taken = (await conn.execute(select(func.sum(t.positions.c.next)))).scalar() or 0
    total = sum(int(row.body) for row in claims)
    assert {total, counted, int(parts), int(taken)} == {total}
    assert set(carried) <= {total}
    assert len(views) == len(claims) * len(logs)
    for log in logs:
        rows = await rows_of_log(store, log, limit=total) if total else []
        assert [row.seq for row in rows] == list(range(1, total + 1))
        assert (await store.logs.head(log)).seq >= total
        last = {row.object_id: row.seq for row in rows}
        assert {row.object_id: row.seq for row in views if row.collection == log} == last
        for object_id in last:  # each step saw what the one before had written
            of_one = [int(row.body) for row in rows if row.object_id == object_id]
            assert of_one == list(range(1, len(of_one) + 1))
    return total
