"""The state of the broker that the registry requires, and the update of a broker after a change."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

from hub.model.errors import Broken
from hub.model.principals import PrincipalKind, RegistrySnapshot
from hub.model.words import SourceName
from hub.registry.grants import may_read
from hub.registry.port import Broker, Entitlement, Entitlements
from hub.registry.tokens import Token


def entitlements(snapshot: RegistrySnapshot) -> Entitlements:
    """Returns the users, grants and topics that the registry requires. Operators have no access to the broker."""
    on_broker = [
        principal for principal in snapshot.principals.values() if principal.kind is not PrincipalKind.OPERATOR
    ]
    return Entitlements(
        principals=tuple(
            Entitlement(
                name=principal.name,
                kind=principal.kind,
                suspended=principal.suspended,
                collections=frozenset(
                    name
                    for name, collection in snapshot.collections.items()
                    if not principal.suspended and may_read(principal, collection, snapshot.groups)
                ),
            )
            for principal in on_broker
        ),
        centres=tuple(SourceName(principal.name) for principal in on_broker if principal.kind is PrincipalKind.CENTRE),
        collections=tuple(snapshot.collections),
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
    if new_token is not None:
        yield broker.set_password(*new_token)
    changed = set(after.principals) - set(before.principals)
    if changed:
        yield broker.grant(sorted(changed, key=lambda entitlement: entitlement.name))
