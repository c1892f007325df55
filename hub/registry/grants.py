"""Who may read what. Pure: a principal, a collection and the groups in, yes or no out.

Who reads a collection is decided by its group alone. An operator is in no group but ``public``: a stolen operator's
token must not open every collection at once. It sees the flow, and may ask of a single thing why it is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from hub.model.policy import Collection
from hub.model.principals import Attribute, GroupRule, GroupRules, Principal, PrincipalKind
from hub.model.words import COMMUNITY, NETWORK, PUBLIC, GroupName

_ACCREDITED = frozenset({PrincipalKind.CENTRE, PrincipalKind.MEMBER})


def in_group(principal: Principal | None, name: GroupName, groups: Mapping[GroupName, GroupRules]) -> bool:
    """Whether a principal (None: anybody, without credentials) belongs to a group. A suspended one is anybody.

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
    """Whether the rules take a principal in: one of the values of every attribute that they name. No rules: nobody.

    ``country=RO country=MD sector=energy`` is energy of Romania or Moldova. What is not known fits no rule.
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
    """Whether a principal (None: anybody) may read a collection."""
    return in_group(principal, collection.audience.group, groups)


def may_explain(principal: Principal | None, collection: Collection, groups: Mapping[GroupName, GroupRules]) -> bool:
    """Whether a principal may ask why a collection shows a thing: who reads it, and operators, who answer for it."""
    operator = principal is not None and principal.kind is PrincipalKind.OPERATOR and not principal.suspended
    return operator or may_read(principal, collection, groups)


def groups_of(principal: Principal | None, groups: Mapping[GroupName, GroupRules]) -> frozenset[GroupName]:
    """All groups that a principal belongs to."""
    return frozenset(name for name in groups if in_group(principal, name, groups))
