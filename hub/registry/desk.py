"""What all use cases of the registry share: one transaction per change, and a broker that follows after the commit."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hub.model.errors import Broken, HubError, NotFound, Refused
from hub.model.principals import Kind, Principal, RegistrySnapshot
from hub.model.words import GroupName
from hub.registry.entitlements import brought_up, entitlements
from hub.registry.port import NO_GRANTS, Broker, DirectoryWriter, RegistryStore
from hub.registry.tokens import Token

T = TypeVar("T")


def wall_clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Added(Generic[T]):
    """Something new, with the token that is shown this once."""

    made: T
    token: Token
    complaint: HubError | None = None
    """The registry has it and the token holds, but the broker could not be told."""


@dataclass(slots=True)
class Change:
    """A change of the registry in the making: what stood before it, and where it is written."""

    directory: DirectoryWriter
    before: RegistrySnapshot
    now_us: int
    new_token: tuple[str, Token] | None = None
    """Whose password on the broker is to be set after the commit."""
    complaint: HubError | None = None
    """Known after the block."""

    async def record(self, kind: str, body: dict[str, Any], scope: str | None = None) -> None:
        """Number it. Without a scope no view can change because of it, only who reads."""
        await self.directory.record(kind, body, scope, self.now_us)

    def principal(self, name: str, *kinds: Kind) -> Principal:
        """The principal of this name, of one of these kinds. Raises NotFound."""
        return find_principal(self.before, name, *kinds)


class Desk:
    """Where operators' changes are made."""

    def __init__(
        self, store: RegistryStore, *, broker: Broker | None = None, now_us: Callable[[], int] = wall_clock_us
    ) -> None:
        self._store = store
        self._broker = broker
        self._now_us = now_us

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[Change]:
        """One change, whole or not at all; then the broker is brought up to it. Other operators wait meanwhile.

        What the broker says against it stands in ``complaint``: the commit holds, and the registry is the truth.
        """
        async with self._store.change_directory() as directory:
            change = Change(directory, await directory.snapshot(), self._now_us())
            yield change
            after = await directory.snapshot() if self._broker is not None else None
        if self._broker is not None and after is not None:
            try:
                await brought_up(self._broker, entitlements(change.before), entitlements(after), change.new_token)
            except HubError as error:
                if error.code == NO_GRANTS:
                    return
                change.complaint = Broken(
                    "broker.behind",
                    f"The registry has it, but the broker does not: {error.says}",
                    "When the broker is back, run ctihub doctor --fix; a password that it lost, rotate mends.",
                )

    async def _read(self) -> RegistrySnapshot:
        async with self._store.directory() as directory:
            return await directory.snapshot()


def settle(change: Change) -> None:
    """Raise what the broker said against a change that gave no token."""
    if change.complaint is not None:
        raise change.complaint


def find_principal(snapshot: RegistrySnapshot, name: str, *kinds: Kind) -> Principal:
    """The principal of this name, of one of these kinds (none: any). Raises NotFound, naming those there are."""
    found = snapshot.principals.get(name)
    if found is not None and (not kinds or found.kind in kinds):
        return found
    what = " or ".join(kinds) if kinds else "principal"
    there = [principal.name for principal in snapshot.principals.values() if not kinds or principal.kind in kinds]
    raise NotFound(f"{kinds[0] if kinds else 'principal'}.unknown", f"There is no {what} {name!r}.", _these(there))


def ensure_free(snapshot: RegistrySnapshot, name: str) -> None:
    """Principals share one name space. Raises Refused."""
    if (there := snapshot.principals.get(name)) is not None:
        raise Refused(
            "name.taken",
            f"There is a {there.kind} {name!r} already.",
            "Centres, members and operators share one name space: take another name.",
        )


def ensure_group(snapshot: RegistrySnapshot, name: str) -> GroupName:
    """The name of a group that exists. Raises NotFound."""
    if GroupName(name) not in snapshot.groups:
        raise NotFound("group.unknown", f"There is no group {name!r}.", _these(list(snapshot.groups)))
    return GroupName(name)


def _these(names: list[str], most: int = 12) -> str:
    if not names:
        return "There is none yet."
    return f"There are: {', '.join(names[:most])}{', …' if len(names) > most else ''}."
