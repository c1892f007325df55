"""Decides who may read what: pure functions of a principal, a collection and the groups.

Read access to a collection depends on its group, and on what the token allows that the principal uses. An operator is
only in the group ``public``, so that a stolen operator's token does not give access to every collection. An operator
sees the status of the hub, and may have single things explained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from hub.model.policy import Collection
from hub.model.principals import SOURCE_KINDS, Attribute, GroupRule, GroupRules, Principal, PrincipalKind
from hub.model.words import COMMUNITY, NETWORK, PUBLIC, GroupName

_ACCREDITED = frozenset({PrincipalKind.CENTRE, PrincipalKind.MEMBER})


def in_group(principal: Principal | None, name: GroupName, groups: Mapping[GroupName, GroupRules]) -> bool:
    """Returns whether a principal belongs to a group. None is a caller without credentials, and so is a suspended one.

    >>> in_group(None, PUBLIC, {})
    True

    Source: docs/semantics.md, section 1, "group".
    """
    if name == PUBLIC:
        return True
    if principal is None or principal.suspended or principal.kind not in _ACCREDITED:
        return False
    if name == COMMUNITY:
        return True
    if name == NETWORK:
        return principal.kind is PrincipalKind.CENTRE
    group = groups.get(name)
    return group is not None and (name in principal.joined or follows(principal, group.rules))


def follows(principal: Principal, rules: Iterable[GroupRule]) -> bool:
    """Returns whether a principal has one of the values of every attribute that the rules name. No rules: False.

    ``country=RO country=MD sector=energy`` means energy in Romania or Moldova. An unknown attribute matches no rule.
    """
    wanted: dict[Attribute, set[str]] = defaultdict(set)
    for rule in rules:
        wanted[rule.attribute].add(rule.value)
    return bool(wanted) and all(_attribute(principal, attribute) in values for attribute, values in wanted.items())


def _attribute(principal: Principal, attribute: Attribute) -> str | None:
    match attribute:
        case Attribute.COUNTRY:
            return principal.country
        case Attribute.SECTOR:
            return principal.sector


def may_read(principal: Principal | None, collection: Collection, groups: Mapping[GroupName, GroupRules]) -> bool:
    """Returns whether a principal (None: without credentials) may read a collection, with the token that it uses."""
    return _in_scope(principal, collection) and in_group(principal, collection.audience.group, groups)


def may_explain(principal: Principal | None, collection: Collection, groups: Mapping[GroupName, GroupRules]) -> bool:
    """Returns whether a principal may have a collection's content explained: its readers, and operators."""
    operator = principal is not None and principal.kind is PrincipalKind.OPERATOR and not principal.suspended
    return (operator and _in_scope(principal, collection)) or may_read(principal, collection, groups)


def may_push(principal: Principal) -> bool:
    """Returns whether a principal may make claims, with the token that it uses."""
    return principal.kind in SOURCE_KINDS and principal.scope.may_push


def _in_scope(principal: Principal | None, collection: Collection) -> bool:
    return principal is None or principal.scope.may_read(collection.name)


def groups_of(principal: Principal | None, groups: Mapping[GroupName, GroupRules]) -> frozenset[GroupName]:
    """Returns all groups that a principal belongs to."""
    return frozenset(name for name in groups if in_group(principal, name, groups))
