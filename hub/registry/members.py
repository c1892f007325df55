"""Members: who receives, and may report. A centre accredits each member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from hub.model.policy import Source, terms_of
from hub.model.policy_changes import PrincipalChanged, SourceAdded, SourceChanged, previous_of
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot, source_of_member
from hub.model.words import GroupName, Naming, SourceName, StixId
from hub.registry import names
from hub.registry.context import Added, RegistryContext
from hub.registry.finding import ensure_free, find_listed_group, find_principal
from hub.registry.grants import groups_of
from hub.registry.tokens import kept_of, new_token


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member as an operator sees it."""

    principal: Principal
    terms: Source
    accredited_by: str
    """The centre's name."""
    groups: tuple[GroupName, ...]
    """All groups that it belongs to: built in, by list, by rule."""


NAMINGS = (Naming.NAMED, Naming.ANONYMOUS)
"""How a member may be shown."""


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
        naming: str = Naming.ANONYMOUS,
    ) -> Added[MemberEntry]:
        """Register a member. Raises WrongUsage, Refused, NotFound, TryAgain."""
        names.name(name, what="name of a member")
        country = names.country(country) if country is not None else None
        sector = names.sector(sector) if sector is not None else None
        shown = names.naming(naming, NAMINGS)
        token = new_token()
        async with self._context.change() as change:
            ensure_free(change.before, name)
            centre = _find_centre(change.before, accredited_by)
            listed = [find_listed_group(change.before, group) for group in dict.fromkeys(groups)]
            identity = StixId(f"identity--{uuid4()}")
            blank = Principal(
                0, name, PrincipalKind.MEMBER, identity, country, sector, centre.no, created_us=change.now_us
            )
            first = kept_of(token, change.now_us)
            principal = await change.directory.add_principal(blank, first, source_of_member(blank, shown, centre))
            for group in listed:
                await change.directory.join(change.before.groups[group].no, principal.no)
            terms = source_of_member(principal, shown, centre)
            said = {"identity": identity, "groups": listed} | _said(principal, terms, centre.name)
            await change.record(SourceAdded(name, principal.no, False, said))  # no claim names a new identity
            change.new_token = (name, token)
        made = _entry(replace(principal, joined=frozenset(listed)), terms, change.before)
        return Added(made, token, change.complaint)

    async def set(
        self,
        name: str,
        *,
        accredited_by: str | None = None,
        country: str | None = None,
        sector: str | None = None,
        naming: str | None = None,
    ) -> MemberEntry:
        """Change a member's data; None keeps a value, ``none`` removes country or sector.

        Raises NotFound, WrongUsage, TryAgain.
        """
        async with self._context.change() as change:
            old = find_principal(change.before, name, PrincipalKind.MEMBER)
            before = change.before.members[SourceName(name)]
            centre = _find_centre(change.before, accredited_by or _name_of(change.before, old.accredited_by))
            new = replace(
                old,
                country=_changed(country, names.country, old.country),
                sector=_changed(sector, names.sector, old.sector),
                accredited_by=centre.no,
            )
            terms = source_of_member(new, names.naming(naming, NAMINGS) if naming else before.naming, centre)
            fields = [each for each in _DECIDING if getattr(terms, each) != getattr(before, each)]
            if new != old or fields:
                said = _said(new, terms, centre.name)
                await change.directory.update_principal(new, terms)
                await change.record(
                    SourceChanged(name, old.no, fields, said, previous_of(before, terms))
                    if fields
                    else PrincipalChanged(name, PrincipalKind.MEMBER, "set", said)
                )
        return _entry(new, terms, change.before)

    async def all(self) -> list[MemberEntry]:
        """Returns all members, by name."""
        snapshot = await self._context.snapshot()
        return [_of(snapshot, found) for found in snapshot.principals.values() if found.kind is PrincipalKind.MEMBER]

    async def find(self, name: str) -> MemberEntry:
        """Returns one member. Raises NotFound."""
        snapshot = await self._context.snapshot()
        return _of(snapshot, find_principal(snapshot, name, PrincipalKind.MEMBER))


_DECIDING = ("accredited_by", "naming")
"""The settings of a member that decide what its claims show, and to whom; country and sector decide what it reads."""


def _find_centre(snapshot: RegistrySnapshot, name: str) -> Source:
    return snapshot.centres[SourceName(find_principal(snapshot, name, PrincipalKind.CENTRE).name)]


def _said(principal: Principal, terms: Source, accredited_by: str) -> dict[str, Any]:
    said = {"country": principal.country, "sector": principal.sector, "accredited_by": accredited_by}
    return said | terms_of(terms)


def _changed(said: str | None, read: Callable[[str], str], old: str | None) -> str | None:
    """Returns the new value of a field: ``none`` removes it, None keeps it."""
    if said is None:
        return old
    return None if said == "none" else read(said)


def _of(snapshot: RegistrySnapshot, principal: Principal) -> MemberEntry:
    return _entry(principal, snapshot.members[SourceName(principal.name)], snapshot)


def _entry(principal: Principal, terms: Source, snapshot: RegistrySnapshot) -> MemberEntry:
    belongs = groups_of(replace(principal, suspended=False), snapshot.groups)
    accredited_by = _name_of(snapshot, principal.accredited_by)
    return MemberEntry(principal, terms, accredited_by, tuple(name for name in snapshot.groups if name in belongs))


def _name_of(snapshot: RegistrySnapshot, no: int | None) -> str:
    return next((found.name for found in snapshot.centres.values() if found.no == no), "")
