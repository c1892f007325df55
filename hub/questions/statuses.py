"""What became of a TAXII request that adds or deletes objects."""

from __future__ import annotations

from collections.abc import Sequence

from hub.intake.statuses import StatusName
from hub.model.held import HeldState
from hub.model.principals import Principal
from hub.model.words import StixId
from hub.store.intake_port import PushedObject
from hub.store.port import Store


async def processed(store: Store, source: Principal, name: StatusName) -> Sequence[PushedObject]:
    """The objects of a request of this source that have been processed, by index. It is complete when these are all."""
    return await store.intake.objects(name.id, source.no)


async def has_sent(store: Store, source: Principal, object_id: str) -> bool:
    """Whether a source claims something under an id, or has something held under it."""
    claims = await store.things.claims_under([StixId(object_id)])
    if any(claim.source == source.no and not claim.state.is_withdrawn for claim in claims):
        return True
    held = await store.things.held_about((), [StixId(object_id)])
    return any(one.source == source.no and one.state is HeldState.WAITING for one in held)
