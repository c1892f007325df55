"""Members: who receives. A centre accredits each member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from hub.model.policy_changes import PrincipalChanged
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.words import GroupName, StixId
from hub.registry import names
from hub.registry.context import Added, RegistryContext
from hub.registry.finding import ensure_free, find_listed_group, find_principal
from hub.registry.grants import groups_of
from hub.registry.tokens import new_token, token_digest


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member as an operator sees it."""

    principal: Principal
    accredited_by: str
    """The centre's name."""
    groups: tuple[GroupName, ...]
    """All groups that it belongs to: built in, by list, by rule."""


class Members:
    """Operations on members."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(
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
        async with self._context.change() as change:
            ensure_free(change.before, name)
            centre = find_principal(change.before, accredited_by, PrincipalKind.CENTRE)
            listed = [find_listed_group(change.before, group) for group in dict.fromkeys(groups)]
            identity = StixId(f"identity--{uuid4()}")
            principal = await change.directory.add_principal(
                Principal(
                    0, name, PrincipalKind.MEMBER, identity, country, sector, centre.no, created_us=change.now_us
                ),
                token_digest(token),
            )
            for group in listed:
                await change.directory.join(change.before.groups[group].no, principal.no)
            body = {"name": name, "identity": identity, "country": country, "sector": sector}
            said = body | {"accredited_by": accredited_by, "groups": listed}
            await change.record(PrincipalChanged(name, PrincipalKind.MEMBER, "add", said))
            change.new_token = (name, token)
        made = _entry(replace(principal, joined=frozenset(listed)), centre.name, change.before)
        return Added(made, token, change.complaint)

    async def set(
        self,
        name: str,
        *,
        accredited_by: str | None = None,
        country: str | None = None,
        sector: str | None = None,
    ) -> MemberEntry:
        """Change a member's data; None keeps a value, ``none`` removes country or sector.

        Raises NotFound, WrongUsage, TryAgain.
        """
        async with self._context.change() as change:
            old = find_principal(change.before, name, PrincipalKind.MEMBER)
            centre = find_principal(change.before, accredited_by, PrincipalKind.CENTRE) if accredited_by else None
            new = replace(
                old,
                country=_changed(country, names.country, old.country),
                sector=_changed(sector, names.sector, old.sector),
                accredited_by=centre.no if centre else old.accredited_by,
            )
            if new != old:
                said = {"country": new.country, "sector": new.sector, "accredited_by": new.accredited_by}
                await change.directory.update_principal(new)
                await change.record(PrincipalChanged(name, PrincipalKind.MEMBER, "set", dict(said)))
        return _entry(new, _name_of(change.before, new.accredited_by), change.before)

    async def all(self) -> list[MemberEntry]:
        """Returns all members, by name."""
        snapshot = await self._context.snapshot()
        return [_of(snapshot, found) for found in snapshot.principals.values() if found.kind is PrincipalKind.MEMBER]

    async def find(self, name: str) -> MemberEntry:
        """Returns one member. Raises NotFound."""
        snapshot = await self._context.snapshot()
        return _of(snapshot, find_principal(snapshot, name, PrincipalKind.MEMBER))


def _changed(said: str | None, read: Callable[[str], str], old: str | None) -> str | None:
    """Returns the new value of a field: ``none`` removes it, None keeps it."""
    if said is None:
        return old
    return None if said == "none" else read(said)


def _of(snapshot: RegistrySnapshot, principal: Principal) -> MemberEntry:
    return _entry(principal, _name_of(snapshot, principal.accredited_by), snapshot)


def _entry(principal: Principal, accredited_by: str, snapshot: RegistrySnapshot) -> MemberEntry:
    belongs = groups_of(replace(principal, suspended=False), snapshot.groups)
    return MemberEntry(principal, accredited_by, tuple(name for name in snapshot.groups if name in belongs))


def _name_of(snapshot: RegistrySnapshot, no: int | None) -> str:
    return next((found.name for found in snapshot.principals.values() if found.no == no), "")
