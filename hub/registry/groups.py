"""Groups: named sets of principals, by list or by rule. Each has a marking that centres may put on objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from hub.model.errors import Refused
from hub.model.policy import Group
from hub.model.policy_changes import GroupAdded, GroupMembersChanged, GroupRemoved
from hub.model.principals import GroupRules, Principal, PrincipalKind, RegistrySnapshot
from hub.model.words import BUILT_IN_GROUPS, GroupName, StixId
from hub.registry import names
from hub.registry.context import RegistryContext
from hub.registry.finding import find_group, find_listed_group, find_principal
from hub.registry.grants import follows, in_group


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group as an operator sees it."""

    group: GroupRules
    members: tuple[str, ...]
    """The principals in it, by name, with suspended ones, since they stay on the list."""

    @property
    def built_in(self) -> bool:
        """Whether the group is built in."""
        return self.group.group.name in BUILT_IN_GROUPS


class Groups:
    """Operations on groups."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(self, name: str, rules: Sequence[str] = ()) -> GroupEntry:
        """Add a group with a new marking. Raises WrongUsage, Refused, TryAgain."""
        wanted = tuple(dict.fromkeys(names.rule(rule) for rule in rules))
        group = GroupName(names.name(name, what="name of a group"))
        async with self._context.change() as change:
            if group in change.before.groups:
                raise Refused("group.exists", f"There is a group {name!r} already.", f"See ctihub group show {name}.")
            marking = StixId(f"marking-definition--{uuid4()}")
            made = await change.directory.add_group(Group(group, marking, change.now_us), wanted)
            # no object has the new marking yet: no view changes
            said = {"rules": [str(rule) for rule in wanted], "marking": marking}
            await change.record(GroupAdded(name, said))
        return _entry(replace(change.before, groups={**change.before.groups, group: made}), group)

    async def remove(self, name: str) -> None:
        """Remove a group; objects with its marking are hidden from everyone. Raises NotFound, Refused, TryAgain."""
        async with self._context.change() as change:
            group = find_listed_group(change.before, name)
            _ensure_unused(change.before, group)
            removed = change.before.groups[group]
            await change.directory.remove_group(removed.no)
            await change.record(GroupRemoved(name, removed.group))

    async def join(self, name: str, principals: Sequence[str]) -> GroupEntry:
        """Add centres and members to a group's list. Raises NotFound, Refused, TryAgain."""
        async with self._context.change() as change:
            group = find_listed_group(change.before, name)
            found = _find_all(change.before, principals)
            new = [principal for principal in found if group not in principal.joined]
            for principal in new:
                await change.directory.join(change.before.groups[group].no, principal.no)
            if new:
                await change.record(GroupMembersChanged(name, joined=[each.name for each in new], left=[]))
            after = await change.directory.snapshot()
        return _entry(after, group)

    async def leave(self, name: str, principals: Sequence[str]) -> GroupEntry:
        """Remove centres and members from a group's list. Raises NotFound, Refused, TryAgain."""
        async with self._context.change() as change:
            group = find_listed_group(change.before, name)
            rules = change.before.groups[group].rules
            found = _find_all(change.before, principals)
            for principal in found:
                if group not in principal.joined and follows(principal, rules):
                    raise Refused(
                        "group.by-rule",
                        f"{principal.name!r} is in {name} by its rule {' '.join(map(str, rules))}.",
                        "Change what is known of it (ctihub member set), or make another group.",
                    )
            gone = [principal for principal in found if group in principal.joined]
            for principal in gone:
                await change.directory.leave(change.before.groups[group].no, principal.no)
            if gone:
                await change.record(GroupMembersChanged(name, joined=[], left=[each.name for each in gone]))
            after = await change.directory.snapshot()
        return _entry(after, group)

    async def all(self) -> list[GroupEntry]:
        """Returns all groups: the built-in ones, then the others by name."""
        snapshot = await self._context.snapshot()
        return [_entry(snapshot, name) for name in snapshot.groups]

    async def find(self, name: str) -> GroupEntry:
        """Returns one group. Raises NotFound."""
        snapshot = await self._context.snapshot()
        return _entry(snapshot, find_group(snapshot, name))


def _entry(snapshot: RegistrySnapshot, name: GroupName) -> GroupEntry:
    there = [replace(principal, suspended=False) for principal in snapshot.principals.values()]
    inside = tuple(
        each.name for each in there if each.kind is not PrincipalKind.OPERATOR and in_group(each, name, snapshot.groups)
    )
    return GroupEntry(snapshot.groups[name], inside)


def _find_all(snapshot: RegistrySnapshot, principals: Sequence[str]) -> list[Principal]:
    """Returns the distinct centres and members of these names. Raises NotFound."""
    return [
        find_principal(snapshot, name, PrincipalKind.CENTRE, PrincipalKind.MEMBER) for name in dict.fromkeys(principals)
    ]


def _ensure_unused(snapshot: RegistrySnapshot, group: GroupName) -> None:
    reading = [collection.name for collection in snapshot.collections.values() if collection.audience.group == group]
    sharing = [centre.name for centre in snapshot.centres.values() if group in centre.amber_to]
    if reading:
        raise Refused(
            "group.in-use",
            f"The collection {reading[0]!r} is made for the group {group!r}.",
            f"First: ctihub collection remove {reading[0]}.",
        )
    if sharing:
        raise Refused(
            "group.in-use",
            f"What the centre {sharing[0]!r} says at amber goes to the group {group!r}.",
            f"First: ctihub centre set {sharing[0]} --amber-to GROUP.",
        )
