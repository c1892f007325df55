"""The state of the broker that the registry requires, and the update of a broker after a change."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import replace

from hub.model.errors import Broken
from hub.model.principals import Principal, PrincipalKind, RegistrySnapshot
from hub.model.tokens import StoredToken, TokenRights
from hub.model.words import SourceName
from hub.registry.grants import may_read
from hub.registry.port import Broker, Entitlement, Entitlements
from hub.registry.tokens import Token


def entitlements(snapshot: RegistrySnapshot, now_us: int) -> Entitlements:
    """Returns the users, grants and topics that the registry requires: a user for each token that gives rights there.

    Operators have no access to the broker. A token that has ended is like one of a suspended principal.
    """
    on_broker = {
        principal.name: principal
        for principal in snapshot.principals.values()
        if principal.kind is not PrincipalKind.OPERATOR
    }
    tokens = [token for token in snapshot.tokens.values() if token.principal in on_broker]
    return Entitlements(
        principals=tuple(
            _entitlement(snapshot, on_broker[token.principal], token, now_us)
            for token in tokens
            if is_user(on_broker[token.principal], token)
        ),
        centres=tuple(
            SourceName(name) for name, principal in on_broker.items() if principal.kind is PrincipalKind.CENTRE
        ),
        collections=tuple(snapshot.collections),
    )


def is_user(principal: Principal, token: StoredToken) -> bool:
    """Returns whether a token is a user of the broker: it gives rights there, from everywhere or from single addresses,
    as the broker's grants name no networks.
    """
    if principal.kind is PrincipalKind.OPERATOR or (token.networks and not hosts_of(token)):
        return False
    return token.scope.rights is not TokenRights.PUSH or principal.kind is PrincipalKind.CENTRE


def hosts_of(token: StoredToken) -> frozenset[str]:
    """Returns those of a token's networks that are single addresses."""
    return frozenset(str(network.network_address) for network in token.networks if network.num_addresses == 1)


def _entitlement(snapshot: RegistrySnapshot, owner: Principal, token: StoredToken, now_us: int) -> Entitlement:
    suspended = owner.suspended or token.has_ended(now_us)
    reader = replace(owner, scope=token.scope)
    return Entitlement(
        name=token.full_name,
        kind=owner.kind,
        suspended=suspended,
        collections=frozenset(
            name
            for name, collection in snapshot.collections.items()
            if not suspended and may_read(reader, collection, snapshot.groups)
        ),
        may_push=token.scope.may_push,
        hosts=hosts_of(token),
    )


async def brought_up(
    broker: Broker, before: Entitlements, after: Entitlements, new_token: tuple[str, Token] | None
) -> None:
    """Apply one change of the registry to the broker.

    Topics are created first, since grants name them: those of all collections, since the default ones are never added
    by a change. Grants are last, since a broker without an authorizer fails there. After a refusal the other steps
    still run. Raises TryAgain, and Broken for the first refusal.
    """
    refusals: list[Broken] = []
    for step in _steps(broker, before, after, new_token):
        try:
            await step
        except Broken as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]


def _steps(
    broker: Broker, before: Entitlements, after: Entitlements, new_token: tuple[str, Token] | None
) -> Iterator[Awaitable[None]]:
    centres = set(after.centres) - set(before.centres)
    if centres or set(after.collections) - set(before.collections):
        yield broker.make_topics(sorted(centres), after.collections)
    for gone in sorted(set(before.collections) - set(after.collections)):
        yield broker.remove_collection(gone)
    users = {entitlement.name for entitlement in after.principals}
    if without := {entitlement.name for entitlement in before.principals} - users:
        yield broker.remove_users(sorted(without))
    if new_token is not None and new_token[0] in users:
        yield broker.set_password(*new_token)
    changed = set(after.principals) - set(before.principals)
    if changed:
        yield broker.grant(sorted(changed, key=lambda entitlement: entitlement.name))
