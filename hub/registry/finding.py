"""Finds what an operator names in a snapshot of the registry. The errors list what exists."""

from __future__ import annotations

from hub.model.errors import NotFound, Refused
from hub.model.policy import Collection
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.words import BUILT_IN_GROUPS, CollectionName, GroupName

_MOST_NAMED = 12


def find_principal(snapshot: RegistrySnapshot, name: str, *kinds: PrincipalKind) -> Principal:
    """Returns the principal of this name and one of these kinds (none: any). Raises NotFound with the known names."""
    found = snapshot.principals.get(name)
    if found is not None and (not kinds or found.kind in kinds):
        return found
    what = " or ".join(kinds) if kinds else "principal"
    there = [principal.name for principal in snapshot.principals.values() if not kinds or principal.kind in kinds]
    raise NotFound(f"{kinds[0] if kinds else 'principal'}.unknown", f"There is no {what} {name!r}.", listing_of(there))


def find_group(snapshot: RegistrySnapshot, name: str) -> GroupName:
    """Returns the name of an existing group. Raises NotFound."""
    if GroupName(name) not in snapshot.groups:
        raise NotFound("group.unknown", f"There is no group {name!r}.", listing_of(list(snapshot.groups)))
    return GroupName(name)


def find_listed_group(snapshot: RegistrySnapshot, name: str) -> GroupName:
    """Returns the name of a group whose list can be changed. Raises NotFound, Refused."""
    group = find_group(snapshot, name)
    if group in BUILT_IN_GROUPS:
        raise Refused(
            "group.built-in",
            f"The registry decides who is in {group}.",
            "Every centre and member is in community, every centre in network, everybody in public.",
        )
    return group


def find_collection(snapshot: RegistrySnapshot, name: str) -> Collection:
    """Returns a collection. Raises NotFound."""
    found = snapshot.collections.get(CollectionName(name))
    if found is None:
        there = ", ".join(snapshot.collections)
        raise NotFound("collection.unknown", f"There is no collection {name!r}.", f"There are: {there}.")
    return found


def ensure_free(snapshot: RegistrySnapshot, name: str) -> None:
    """Raises Refused if a principal of any kind has this name: all share one name space."""
    if (there := snapshot.principals.get(name)) is not None:
        raise Refused(
            "name.taken",
            f"There is a {there.kind} {name!r} already.",
            "Centres, members and operators share one name space: take another name.",
        )


def listing_of(names: list[str]) -> str:
    """Returns what exists, for an error."""
    if not names:
        return "There is none yet."
    return f"There are: {', '.join(names[:_MOST_NAMED])}{', …' if len(names) > _MOST_NAMED else ''}."
