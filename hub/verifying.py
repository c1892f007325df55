"""Verifies and repairs the configured store in several processes that see one moment of it.

The parent gives each child parts of the claims, and verifies the rest itself. A child that dies ends the verification.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from hub.app import open_store, require_store
from hub.clock import Clock
from hub.config import Config
from hub.core.step import StepSettings
from hub.model.errors import Broken, HubError
from hub.model.verification import Difference, Findings, StorePart
from hub.questions import verify
from hub.questions.verify import Scope
from hub.rebuild import Repairs
from hub.store.sql import SqlStore
from hub.store.verification_port import StoreSnapshot

_LISTED = 1_000
"""Differences that a report lists; all are counted."""
_CLAIMS_OF_PART = 10_000
"""Claims that a child gets at once: enough to keep it busy for a second, few enough to share them evenly."""
_WORTH_A_CHILD = 20_000
"""Claims for which one more process takes less time than it needs to start."""
_MOST_CHILDREN = 8
_ENDS_WITHIN_S = 10.0
_PASSES = 5
"""Verifications of a rebuild: a repair may show what could not be compared before, once or twice."""
_YOUNG_OBJECTS = 300_000
"""How many new objects trigger the garbage collector. The objects of a slice live as long as it: with the default, the
collector took a third of the time."""

TakeDifferences = Callable[[Sequence[Difference]], Awaitable[None]]
"""Called with some differences as soon as they are known."""
Tell = Callable[[int, float], None]
"""Called with the number of things verified, and the share of the claims (0 to 1) that is done."""


@dataclass(slots=True)
class Verification:
    """What a verification has found."""

    scope: Scope
    names: dict[int, str]
    """The names of all collections, by number."""
    sources: dict[int, str]
    things: int = 0
    found: Counter[StorePart] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    """The first ones."""

    def add(self, differences: Sequence[Difference]) -> None:
        """Count these, and list them as far as there is room."""
        self.found.update(one.part for one in differences)
        self.differences += differences[: _LISTED - len(self.differences)]


async def verified(
    config: Config,
    store: SqlStore,
    name: str | None,
    *,
    processes: int | None = None,
    found: TakeDifferences | None = None,
    tell: Tell,
) -> Verification:
    """Verify the configured store, which is open, or one collection of it. ``processes``: beside this one; None: as
    many as it is worth.
    """
    async with contextlib.AsyncExitStack() as stack:
        most = await _last_claim(store) // _WORTH_A_CHILD
        number = min(most, os.cpu_count() or 1, _MOST_CHILDREN) if processes is None else processes
        children = [stack.enter_context(_child_of(config)) for _ in range(number)]
        await asyncio.gather(*(child.ready() for child in children))
        async with store.shared_moment() as shared:
            snapshot = await stack.enter_async_context(store.snapshot(shared))
            await asyncio.gather(*(child.begin(shared) for child in children))
        run = await _Run.begun(snapshot, name, children, found, tell)
        return await run.verify()


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild has done."""

    repaired: int
    last: Verification
    """The last verification, which finds nothing unless something is beyond repair."""
    beyond: int


async def rebuilt(
    config: Config, store: SqlStore, name: str | None, *, processes: int | None = None, tell: Tell
) -> Rebuilt:
    """Repair what verifications of the configured store find, until one finds nothing new."""
    clock = Clock(store)
    await clock.judge()
    clock.now_us()  # raises while the clock is in doubt, before anything is read
    repaired, passes = 0, 0
    while True:
        repairs = Repairs(store, StepSettings(rules_url=f"{config.url}/rules/"), clock.now_us)
        last = await verified(config, store, name, processes=processes, found=repairs.repair, tell=tell)
        left, passes = len(repairs.beyond), passes + 1
        if last.found.total() <= left or passes == _PASSES:
            return Rebuilt(repaired, last, left)
        repaired += last.found.total() - left


async def _last_claim(store: SqlStore) -> int:
    async with store.snapshot() as snapshot:
        return await snapshot.last_claim()


class _Run:
    """One verification in the parent."""

    def __init__(
        self, snapshot: StoreSnapshot, report: Verification, last_claim: int, children: Sequence[_Child]
    ) -> None:
        self._snapshot = snapshot
        self._report = report
        self._nos = report.scope.nos
        self._last_claim = last_claim
        self._children = children
        self._parts = iter(range(0, last_claim, _CLAIMS_OF_PART))
        self._done = 0
        self._all = Findings()
        self._found: TakeDifferences | None = None
        self._tell: Tell = lambda *_: None

    @classmethod
    async def begun(
        cls,
        snapshot: StoreSnapshot,
        name: str | None,
        children: Sequence[_Child],
        found: TakeDifferences | None,
        tell: Tell,
    ) -> _Run:
        """A verification of this snapshot."""
        policy = snapshot.policy
        names = {no: str(one.name) for no, one in policy.collections.items()}
        scope = verify.scope(names, await snapshot.unfinished(), name)
        report = Verification(scope, names, {no: str(one.name) for no, one in policy.sources.items()})
        run = cls(snapshot, report, await snapshot.last_claim(), children)
        run._found, run._tell = found, tell
        return run

    async def verify(self) -> Verification:
        """All of it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for child in self._children:
                    tasks.create_task(self._by_child(child))
                tasks.create_task(self._rest_meanwhile())
        except* HubError as errors:
            raise _first(errors) from None
        await self._take(await verify.rest(self._snapshot, self._nos, self._all))
        return self._report

    async def _by_child(self, child: _Child) -> None:
        for after in self._parts:  # shared: each part goes to one child
            until = min(after + _CLAIMS_OF_PART, self._last_claim)
            async for sliced in child.claims(self._nos, after, until):
                await self._add(sliced.found)
            self._advance(until - after)

    async def _rest_meanwhile(self) -> None:
        async for some in verify.logs(self._snapshot, self._nos):
            await self._take(some)
        async for part in verify.without_claims(self._snapshot, self._nos):
            await self._add(part)
        if not self._children:
            reached = 0
            async for sliced in verify.claims(self._snapshot, self._nos, 0, self._last_claim):
                await self._add(sliced.found)
                self._advance(sliced.reached - reached)
                reached = sliced.reached

    def _advance(self, claims: int) -> None:
        self._done += claims
        self._tell(self._report.things, self._done / max(self._last_claim, 1))

    async def _add(self, part: Findings) -> None:
        differences, part.differences = part.differences, []
        self._report.things += part.things
        self._all.add(part)
        await self._take(differences)

    async def _take(self, differences: Sequence[Difference]) -> None:
        if differences:
            self._report.add(differences)
            if self._found is not None:
                await self._found(differences)


def _first(errors: BaseExceptionGroup[HubError]) -> HubError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HubError)  # noqa: S101 - nothing else was caught
    return error


@contextlib.asynccontextmanager
async def opened_store(config: Config) -> AsyncIterator[SqlStore]:
    """The configured store; closed at the end. Open it once in a process. Raises NotFound when there is none."""
    require_store(config)
    store = await open_store(config)
    try:
        yield store
    finally:
        await store.close()


# ---------------------------------------------------------------- children


class _Child:
    """A process that verifies parts of the claims."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def ready(self) -> None:
        """Wait until it has started: nobody can write to SQLite while the snapshots begin."""
        await self._received()

    async def begin(self, shared: str) -> None:
        """Have it begin its snapshot; returns when it has."""
        self._pipe.send(shared)
        await self._received()

    async def claims(self, nos: frozenset[int], after: int, until: int) -> AsyncIterator[verify.Sliced]:
        """Have it verify these claims; yields what it finds."""
        self._pipe.send((nos, after, until))
        while (sliced := await self._received()) is not None:
            yield sliced

    async def _received(self) -> Any:
        try:
            said = await asyncio.to_thread(self._pipe.recv)
        except EOFError:
            raise Broken("verify.ended", "A process of the verification has ended.", "Run it again.") from None
        if isinstance(said, HubError):
            raise said
        return said


@contextlib.contextmanager
def _child_of(config: Config) -> Iterator[_Child]:
    """A new process, which ends with the block."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run_child, args=(there, config.as_line()), daemon=True)
    process.start()
    there.close()
    try:
        yield _Child(here)
    finally:
        here.close()  # it ends when it sees this
        process.join(_ENDS_WITHIN_S)
        process.kill()
        process.join()


def _run_child(pipe: Connection, config_line: bytes) -> None:
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent has ended
        asyncio.run(_serve(pipe, Config.of_line(config_line)))


async def _serve(pipe: Connection, config: Config) -> None:
    """Verify what the parent asks for, until it closes the pipe."""
    try:
        async with opened_store(config) as store:
            pipe.send(True)
            async with store.snapshot(await asyncio.to_thread(pipe.recv)) as snapshot:
                pipe.send(True)
                while True:
                    nos, after, until = await asyncio.to_thread(pipe.recv)
                    async for sliced in verify.claims(snapshot, nos, after, until):
                        pipe.send(sliced)
                    pipe.send(None)
    except HubError as error:
        pipe.send(error)
