"""What became of a TAXII request that adds or deletes objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.intake.statuses import StatusCodec, StatusName
from hub.model.held import HeldState
from hub.model.principals import Principal
from hub.model.words import StixId
from hub.store.port import PushedObject, Store


@dataclass(frozen=True, slots=True)
class ToldStatus:
    """The results of a request so far."""

    name: StatusName
    objects: Sequence[PushedObject]
    """Those that have been processed, by index; the request is complete when these are all."""


async def status(store: Store, codec: StatusCodec, source: Principal, text: str) -> ToldStatus:
    """The results of a request of this source. Raises NotFound, also for a status of another source."""
    name = codec.read(source.no, text)
    return ToldStatus(name, await store.intake.objects(name.id, source.no))


async def has_sent(store: Store, source: Principal, object_id: str) -> bool:
    """Whether a source claims something under an id, or has something held under it."""
    claims = await store.things.claims_under([StixId(object_id)])
    if any(claim.source == source.no and not claim.state.is_withdrawn for claim in claims):
        return True
    held = await store.things.held_about((), [StixId(object_id)])
    return any(one.source == source.no and one.state is HeldState.WAITING for one in held)
