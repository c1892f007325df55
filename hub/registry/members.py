"""Members: who receives, accredited by a centre; and what is the same for all principals: suspend, resume, rotate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from hub.model.errors import Refused
from hub.model.principals import Kind, Principal, RegistrySnapshot
from hub.model.words import BUILT_IN_GROUPS, GroupName, StixId
from hub.registry import names
from hub.registry.desk import Added, Desk, ensure_free, ensure_group, find_principal, settle
from hub.registry.grants import groups_of
from hub.registry.tokens import digest_of, new_token
from hub.store.policy_changes import scope_of_centre


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member as an operator sees it."""

    principal: Principal
    accredited_by: str
    """The centre's name."""
    groups: tuple[GroupName, ...]
    """All that it belongs to: built in, joined, by rule."""


class Members(Desk):
    """Use cases about members."""

    async def add_member(
        self,
        name: str,
        *,
        accredited_by: str,
        groups: Sequence[str] = (),
        country: str | None = None,
        sector: str | None = None,
    ) -> Added[MemberEntry]:
        """Register a member. Raises WrongUsage, Refused, NotFound, TryAgain."""
        names.name(name, what="name of a member")
        country = names.country(country) if country is not None else None
        sector = names.sector(sector) if sector is not None else None
        token = new_token()
        async with self._change() as change:
            ensure_free(change.before, name)
            centre = change.principal(accredited_by, Kind.CENTRE)
            listed = [ensure_list(change.before, group) for group in dict.fromkeys(groups)]
            identity = StixId(f"identity--{uuid4()}")
            principal = await change.directory.add_principal(
                Principal(0, name, Kind.MEMBER, identity, country, sector, centre.no, created_us=change.now_us),
                digest_of(token) or b"",
            )
            for group in listed:
                await change.directory.join(change.before.groups[group].no, principal.no)
            body = {"name": name, "identity": identity, "country": country, "sector": sector}
            await change.record("member.add", body | {"accredited_by": accredited_by, "groups": listed})
            change.new_token = (name, token)
        made = _entry(replace(principal, joined=frozenset(listed)), centre.name, change.before)
        return Added(made, token, change.complaint)

    async def set_member(
        self,
        name: str,
        *,
        accredited_by: str | None = None,
        country: str | None = None,
        sector: str | None = None,
    ) -> MemberEntry:
        """Change what is known of a member; None leaves it, ``none`` takes country or sector away.

        Raises NotFound, WrongUsage, TryAgain.
        """
        async with self._change() as change:
            old = change.principal(name, Kind.MEMBER)
            centre = change.principal(accredited_by, Kind.CENTRE) if accredited_by else None
            new = replace(
                old,
                country=_changed(country, names.country, old.country),
                sector=_changed(sector, names.sector, old.sector),
                accredited_by=centre.no if centre else old.accredited_by,
            )
            if new != old:
                said = {"country": new.country, "sector": new.sector, "accredited_by": new.accredited_by}
                await change.directory.update_principal(new)
                await change.record("member.set", {"name": name} | said)
        settle(change)
        return _entry(new, _name_of(change.before, new.accredited_by), change.before)

    async def members(self) -> list[MemberEntry]:
        """All members, by name."""
        snapshot = await self._read()
        return [_of(snapshot, found) for found in snapshot.principals.values() if found.kind is Kind.MEMBER]

    async def member(self, name: str) -> MemberEntry:
        """One member. Raises NotFound."""
        snapshot = await self._read()
        return _of(snapshot, find_principal(snapshot, name, Kind.MEMBER))


def _changed(said: str | None, read: Callable[[str], str], old: str | None) -> str | None:
    """What is known after a change: ``none`` takes it away, None leaves it."""
    if said is None:
        return old
    return None if said == "none" else read(said)


class Principals(Desk):
    """What is the same for centres, members and operators."""

    async def suspend(self, name: str, kind: Kind) -> None:
        """Shut a principal out of every door, and take a centre's claims out of every view, until ``resume``."""
        await self._suspended(name, kind, suspended=True)

    async def resume(self, name: str, kind: Kind) -> None:
        """Let a suspended principal in again, with the token that it has."""
        await self._suspended(name, kind, suspended=False)

    async def _suspended(self, name: str, kind: Kind, *, suspended: bool) -> None:
        async with self._change() as change:
            principal = change.principal(name, kind)
            if principal.suspended != suspended:
                await change.directory.update_principal(replace(principal, suspended=suspended))
                scope = scope_of_centre(principal.no) if kind is Kind.CENTRE else None
                await change.record(f"{kind}.{'suspend' if suspended else 'resume'}", {"name": name}, scope)
        settle(change)

    async def rotate(self, name: str, kind: Kind) -> Added[Principal]:
        """A new token; the old one is worth nothing within a second."""
        token = new_token()
        async with self._change() as change:
            principal = change.principal(name, kind)
            await change.directory.set_token(principal.no, digest_of(token) or b"")
            await change.record(f"{kind}.rotate", {"name": name})
            change.new_token = (name, token) if kind is not Kind.OPERATOR else None
        return Added(principal, token, change.complaint)


class Operators(Desk):
    """Use cases about operators."""

    async def add_operator(self, name: str) -> Added[Principal]:
        """Register an operator. Raises WrongUsage, Refused, TryAgain."""
        names.name(name, what="name of an operator")
        token = new_token()
        async with self._change() as change:
            ensure_free(change.before, name)
            blank = Principal(0, name, Kind.OPERATOR, created_us=change.now_us)
            principal = await change.directory.add_principal(blank, digest_of(token) or b"")
            await change.record("operator.add", {"name": name})
        return Added(principal, token, change.complaint)

    async def remove_operator(self, name: str) -> None:
        """Forget an operator. Raises NotFound."""
        async with self._change() as change:
            await change.directory.remove_operator(change.principal(name, Kind.OPERATOR).no)
            await change.record("operator.remove", {"name": name})
        settle(change)

    async def operators(self) -> list[Principal]:
        """All operators, by name."""
        return [found for found in (await self._read()).principals.values() if found.kind is Kind.OPERATOR]


def ensure_list(snapshot: RegistrySnapshot, name: str) -> GroupName:
    """The name of a group whose list can be written. Raises NotFound, Refused."""
    group = ensure_group(snapshot, name)
    if group in BUILT_IN_GROUPS:
        raise Refused(
            "group.built-in",
            f"Who is in {group} follows from the registry.",
            "Every centre and member is in community, every centre in network, everybody in public.",
        )
    return group


def _of(snapshot: RegistrySnapshot, principal: Principal) -> MemberEntry:
    return _entry(principal, _name_of(snapshot, principal.accredited_by), snapshot)


def _entry(principal: Principal, accredited_by: str, snapshot: RegistrySnapshot) -> MemberEntry:
    belongs = groups_of(replace(principal, suspended=False), snapshot.groups)
    return MemberEntry(principal, accredited_by, tuple(name for name in snapshot.groups if name in belongs))


def _name_of(snapshot: RegistrySnapshot, no: int | None) -> str:
    return next((found.name for found in snapshot.principals.values() if found.no == no), "")
