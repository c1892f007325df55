"""Centres: who publishes, their terms, and the name under which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import uuid4

from hub.model.errors import Refused, WrongUsage
from hub.model.policy import Source, terms_of
from hub.model.policy_changes import SourceAdded, SourceChanged, previous_of
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.words import NETWORK, GroupName, Naming, SourceName, StixId
from hub.registry import names
from hub.registry.context import Added, RegistryContext
from hub.registry.finding import ensure_free, find_group, find_principal
from hub.registry.tokens import kept_of, new_token


@dataclass(frozen=True, slots=True)
class CentreEntry:
    """A centre as an operator sees it."""

    principal: Principal
    terms: Source


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a centre as an operator typed them; None keeps the current value or the default."""

    country: str | None = None
    tlp_max: str | None = None
    default_tlp: str | None = None
    amber_to: Sequence[str] | None = None
    trust: int | None = None
    naming: str | None = None
    alias: str | None = None
    speaks_for: Sequence[str] | None = None
    """Identities; ``("none",)`` removes all of them."""
    widest_shown: str | None = None
    """Prefix lengths such as ``/8,/19``: of IPv4, of IPv6; the second may be missing."""
    widest_blocked: str | None = None


class Centres:
    """Operations on centres."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(self, name: str, terms: Terms, *, identity: str | None = None) -> Added[CentreEntry]:
        """Register a centre, by default with a new identity. Raises WrongUsage, Refused, NotFound, TryAgain."""
        if terms.country is None:
            raise WrongUsage("centre.no-country", "A centre has a country.", "Give --country, such as RO.")
        blank = Source(
            no=0,
            name=SourceName(names.name(name, what="name of a centre")),
            identity=names.identity(identity) if identity else StixId(f"identity--{uuid4()}"),
            country="",
            amber_to=(NETWORK,),
        )
        token = new_token()
        async with self._context.change() as change:
            ensure_free(change.before, name)
            centre = _checked(change.before, _with(blank, terms))
            _ensure_identities(change.before, centre)
            principal = await change.directory.add_principal(
                Principal(0, name, PrincipalKind.CENTRE, centre.identity, centre.country, created_us=change.now_us),
                kept_of(token, change.now_us),
                centre,
            )
            chosen = identity is not None or bool(centre.speaks_for)
            said = {"identity": centre.identity, "country": centre.country} | terms_of(centre)
            # no claim names a new identity; with an existing one, the voices of claims that name it change
            await change.record(SourceAdded(name, principal.no, chosen, said))
            change.new_token = (name, token)
        made = CentreEntry(principal, replace(centre, no=principal.no, created_us=principal.created_us))
        return Added(made, token, change.complaint)

    async def set(self, name: str, terms: Terms) -> CentreEntry:
        """Change a centre's terms. Raises NotFound, WrongUsage, Refused, TryAgain."""
        async with self._context.change() as change:
            principal = find_principal(change.before, name, PrincipalKind.CENTRE)
            old = change.before.centres[SourceName(name)]
            new = _keeping_aliases(old, _checked(change.before, _with(old, terms)))
            changed = {field.name for field in fields(Source) if getattr(old, field.name) != getattr(new, field.name)}
            if changed:
                _ensure_identities(change.before, new)
                await change.directory.update_principal(replace(principal, country=new.country), new)
                said = {"country": new.country} | terms_of(new)
                await change.record(SourceChanged(name, principal.no, sorted(changed), said, previous_of(old, new)))
        return CentreEntry(replace(principal, country=new.country), new)

    async def all(self) -> list[CentreEntry]:
        """Returns all centres, by name."""
        snapshot = await self._context.snapshot()
        return [CentreEntry(snapshot.principals[name], centre) for name, centre in snapshot.centres.items()]

    async def find(self, name: str) -> CentreEntry:
        """Returns one centre. Raises NotFound."""
        snapshot = await self._context.snapshot()
        principal = find_principal(snapshot, name, PrincipalKind.CENTRE)
        return CentreEntry(principal, snapshot.centres[SourceName(name)])


def _keeping_aliases(old: Source, new: Source) -> Source:
    """Returns the centre with its former aliases: the one that it gives up, if it was shown by it, is one of them."""
    if old.naming is not Naming.ALIAS or old.alias is None or (new.naming is Naming.ALIAS and new.alias == old.alias):
        return new
    return replace(new, former_aliases=old.former_aliases | {old.alias})


def _ensure_identities(snapshot: RegistrySnapshot, centre: Source) -> None:
    """Raises Refused if another centre has one of the centre's identities, or speaks for it."""
    mine = {centre.identity, *centre.speaks_for}
    others = {
        identity: f"the {principal.kind} {principal.name!r}"
        for principal in snapshot.principals.values()
        if principal.name != centre.name and (identity := principal.identity) is not None
    }
    for other in snapshot.centres.values():
        if other.name != centre.name:
            others |= dict.fromkeys(other.speaks_for, f"the centre {other.name!r}, which speaks for it")
    others[snapshot.hub_identity] = "the hub itself"
    if taken := sorted(mine & others.keys()):
        raise Refused(
            "identity.taken", f"{taken[0]} is {others[taken[0]]}.", "One identity belongs to one centre only."
        )


def _with(centre: Source, terms: Terms) -> Source:
    """Returns the centre with these terms. Raises WrongUsage for a term with wrong syntax."""
    read: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "country": (terms.country, names.country),
        "ceiling": (terms.tlp_max, names.level),
        "default_level": (terms.default_tlp, names.level),
        "amber_to": (terms.amber_to, lambda said: tuple(dict.fromkeys(GroupName(group) for group in said))),
        "trust": (terms.trust, lambda said: names.percent(said, what="trust")),
        "naming": (terms.naming, names.naming),
        "alias": (terms.alias, names.alias),
        "speaks_for": (terms.speaks_for, _identities),
        "widest_shown": (terms.widest_shown, lambda said: names.widths(said, centre.widest_shown)),
        "widest_blocked": (terms.widest_blocked, lambda said: names.widths(said, centre.widest_blocked)),
    }
    return replace(centre, **{name: value_of(said) for name, (said, value_of) in read.items() if said is not None})


def _identities(said: Sequence[str]) -> frozenset[StixId]:
    return frozenset(names.identity(identity) for identity in ([] if list(said) == ["none"] else said))


def _checked(snapshot: RegistrySnapshot, centre: Source) -> Source:
    """Returns the centre if its terms are consistent and the groups exist. Raises WrongUsage, NotFound."""
    for group in centre.amber_to:
        find_group(snapshot, group)
    if centre.naming is Naming.ALIAS and centre.alias is None:
        raise WrongUsage("alias.missing", "A centre under an alias needs one.", "Give --alias TEXT.")
    return centre
