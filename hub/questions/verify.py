"""Whether a stored hub is right: its views follow from the claims, its logs have no gap, its counts are sums.

Everything is read from one snapshot, slice by slice, so memory is bounded whatever the size of the hub. Slices of
things are independent, so several processes can share them (``hub/verifying.py``); the rest comes after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.core.merge.solution import Place
from hub.core.verify.checks import BesideCheck, Proof, SliceCheck, uses_differences
from hub.model.errors import WrongUsage
from hub.model.reads import Answers, Reads
from hub.model.tasks import Recompute, RecomputeDue
from hub.model.verification import Difference, Findings, StoredSlice, StorePart
from hub.store.verification_port import StoreSnapshot, VerifiableStore

_CLAIMS = 1_000
"""Claims in a slice."""
_PROVED_AT_ONCE = 1_000
_OF_EACH_KIND = 1_000
"""Differences of one kind in a log that are listed."""


class Sliced(NamedTuple):
    """What the verification of one slice has found."""

    reached: int
    """The number of the last claim of the slice."""
    found: Findings


class Scope(NamedTuple):
    """What to verify."""

    nos: frozenset[int]
    """The numbers of the collections."""
    filling: tuple[str, ...]
    """The names of collections that are not verified because they are being filled."""


class _Check(Protocol):
    def ask(self) -> Reads: ...
    def tell(self, answers: Answers) -> None: ...


def scope(known: Mapping[int, str], unfinished: Iterable[Recompute | RecomputeDue], name: str | None) -> Scope:
    """Which collections can be verified. ``name``: only this one; None: all.

    Raises WrongUsage when there is no such collection, or when none can be verified yet.
    """
    wanted = {no: each for no, each in known.items() if name in (None, each)}
    if not wanted:
        raise WrongUsage("collection.unknown", f"There is no collection {name}.", "`ctihub collection list` names all.")
    filling = {task.collection for task in unfinished}
    left = frozenset(wanted) - filling
    if None in filling or not left:
        raise WrongUsage(
            "verify.unfinished",
            "A change of policy is still being carried out, so views differ from it.",
            "Wait until `ctihub status` shows no change being carried out.",
        )
    return Scope(left, tuple(sorted(wanted[no] for no in wanted.keys() & filling)))


# ---------------------------------------------------------------- the parts of a verification


async def claims(snapshot: StoreSnapshot, nos: Collection[int], after: int, until: int) -> AsyncIterator[Sliced]:
    """Verify the claims with the numbers after ``after`` up to ``until``, and the views of their things."""
    reached: int | None = after
    while reached is not None:
        stored = await snapshot.slice(reached, until, _CLAIMS)
        reached = stored.last
        yield Sliced(until if reached is None else reached, await _checked(snapshot, nos, stored))


async def without_claims(snapshot: StoreSnapshot, nos: Collection[int]) -> AsyncIterator[Findings]:
    """Verify the views of things without claims, and the placements of relationships that there are not."""
    reached: bytes | None = b""
    while reached is not None:
        stored = await snapshot.without_claims(reached, _CLAIMS)
        reached = max(stored.things) if len(stored.things) == _CLAIMS else None
        yield await _checked(snapshot, nos, stored)
    yield Findings([one for one in await snapshot.misplaced(_OF_EACH_KIND) if one.collection in nos])


async def _checked(snapshot: StoreSnapshot, nos: Collection[int], stored: StoredSlice) -> Findings:
    check = SliceCheck(snapshot.policy, nos, snapshot.deferred, stored)
    await _answer(snapshot, check)
    return check.findings()


async def logs(snapshot: StoreSnapshot, nos: Collection[int]) -> AsyncIterator[Sequence[Difference]]:
    """Verify the logs of the collections, and the counts of the sources."""
    for no in sorted(nos):
        yield await snapshot.log_differences(no, _OF_EACH_KIND)
    yield await snapshot.receipt_differences()


async def rest(snapshot: StoreSnapshot, nos: Collection[int], found: Findings) -> Sequence[Difference]:
    """What can be decided only when all things are verified. ``found``: what all slices have found together."""
    differences = [
        Difference(StorePart.VIEW, "is shown only because of views that need it in turn", *at, object_id=object_id)
        for at, object_id in (await _unproved(snapshot, found.unproven)).items()
    ]
    beside = BesideCheck(snapshot.policy, snapshot.deferred, found)
    await _answer(snapshot, beside)
    return [*differences, *beside.differences, *uses_differences(found.tally, await snapshot.uses(), nos)]


async def _unproved(snapshot: StoreSnapshot, unproven: Mapping[Place, str]) -> dict[Place, str]:
    """The views that only views that need them keep."""
    left = dict(unproven)
    waiting: dict[Place, list[Place]] = defaultdict(list)
    todo = dict.fromkeys(left)
    while todo:
        some = list(todo)[:_PROVED_AT_ONCE]
        for at in some:
            del todo[at]
        proof = Proof(snapshot.policy, snapshot.deferred, some, left.keys())
        await _answer(snapshot, proof)
        for at in proof.proved:
            del left[at]
            todo.update(dict.fromkeys(waiting.pop(at, ())))
        for at, needs in proof.waits_for.items():
            if any(place not in left for place in needs):
                todo[at] = None
            else:
                for place in needs:
                    waiting[place].append(at)
        todo = {at: None for at in todo if at in left}
    return left


async def _answer(snapshot: StoreSnapshot, check: _Check) -> None:
    while reads := check.ask():
        check.tell(await snapshot.load(reads))


# ---------------------------------------------------------------- all of it in one process


async def verified(store: VerifiableStore, name: str | None = None) -> list[Difference]:
    """All differences of a store, or of one collection. For small hubs: in this process, and all in one list."""
    async with store.snapshot() as snapshot:
        names = {no: str(each.name) for no, each in snapshot.policy.collections.items()}
        nos = scope(names, await snapshot.unfinished(), name).nos
        found = Findings()
        async for sliced in claims(snapshot, nos, 0, await snapshot.last_claim()):
            found.add(sliced.found)
        async for part in without_claims(snapshot, nos):
            found.add(part)
        async for some in logs(snapshot, nos):
            found.differences += some
        return [*found.differences, *await rest(snapshot, nos, found)]
