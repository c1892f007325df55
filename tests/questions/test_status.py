"""``status`` without a door: who is told what, and where the figures come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest_asyncio

from hub.model.breaker import BreakerState
from hub.model.errors import TryAgain
from hub.model.principals import Principal, PrincipalKind
from hub.model.reads import BREAKER, Reads
from hub.model.writes import ReceiptCounts, Writes
from hub.questions.status import AskRelay, Here, HubStatus, RelayState, status
from hub.registry.centres import Terms
from tests.doors.hubs import Hub, a_hub
from tests.story import an_indicator

HERE = Here(readers=3, clauses=["a part does not work"])


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path) as made:
        await made.centre("ro")
        await made.centre("it", country="IT")
        yield made


async def ask(hub: Hub, name: str, kind: PrincipalKind, relayed: AskRelay | None = None) -> HubStatus:
    """The status as a principal of this name may know it, who may ask of all collections."""
    policy = await hub.store.policy()
    no = next((centre.no for centre in policy.sources.values() if centre.name == name), 99)
    collections = list(policy.collections.values())
    return await status(hub.store, hub.log, Principal(no, name, kind), collections, here=HERE, relayed=relayed)


async def test_an_operator_is_told_all_and_a_centre_its_part(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(), {"type": "indicator", "id": "broken"})
    await hub.tell("it", an_indicator(confidence=50))
    operator = await ask(hub, "ops", PrincipalKind.OPERATOR)
    centre = await ask(hub, "ro", PrincipalKind.CENTRE)
    member = await ask(hub, "soc", PrincipalKind.MEMBER)
    assert operator.total == ReceiptCounts(accepted=2, rejected=1)
    assert [one.name for one in operator.sources] == ["it", "ro"]
    assert (operator.readers, operator.notes) == (3, ("a part does not work.",))
    assert [(one.name, one.counts) for one in centre.sources] == [("ro", ReceiptCounts(accepted=1, rejected=1))]
    assert member.sources == ()
    for other in (centre, member):
        assert (other.total, other.readers, other.notes) == (None, None, ())
    last = {str(one.collection.name): one.last_seq for one in member.collections}
    assert last["community"] > last["public"] == 0


async def test_a_centres_lag_is_what_waits_in_the_log_and_its_last_code_that_of_its_newest_rejection(hub: Hub) -> None:
    await hub.push("ro", an_indicator(), {"type": "indicator", "id": "broken"})
    (waits,) = (await ask(hub, "ro", PrincipalKind.CENTRE)).sources
    assert (waits.lag, waits.last_received_us, waits.last_code) == (2, None, None)
    await hub.settle()
    (carried,) = (await ask(hub, "ro", PrincipalKind.CENTRE)).sources
    assert (carried.lag, carried.last_code) == (0, await last_code(hub))
    assert carried.last_received_us is not None


async def test_an_operator_is_told_how_far_a_change_is_carried_out_and_nobody_else(hub: Hub) -> None:
    registry = hub.registry
    hub.tokens["ops"] = str((await registry.operators.add("ops")).token)
    await registry.centres.set("it", Terms(trust=50))
    await registry.collections.add("new", tlp="green", group="community")
    await registry.principals.suspend("ro", PrincipalKind.CENTRE)
    found = (await ask(hub, "ops", PrincipalKind.OPERATOR)).tasks
    assert [(one.source, one.collection) for one in found] == [("ro", None), ("it", None), (None, "new")]
    for name, kind in (("ro", PrincipalKind.CENTRE), ("soc", PrincipalKind.MEMBER)):
        assert (await ask(hub, name, kind)).tasks == ()
    answer = (await hub.get("/v1/status", "ops")).json()["tasks"]
    assert [(one["task"], one["centre"], one["collection"], one["total"]) for one in answer] == [
        ("recompute", "ro", None, None),
        ("recompute", "it", None, None),
        ("fill", None, "new", None),
    ]


async def last_code(hub: Hub) -> str:
    return str((await hub.get("/v1/rejections", "ro")).json()["rejections"][-1]["code"])


async def test_the_relay_is_behind_by_what_its_topics_lack(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="clear"))

    async def some() -> Mapping[str, int]:
        return {"collection.public": 1, "collection.community": 1 << 30}

    async def away() -> Mapping[str, int]:
        raise TryAgain("log.away", "No broker answers.")

    ends = {end.name: end.seq for end in (await hub.store.logs.ends()).values()}
    up = await ask(hub, "ops", PrincipalKind.OPERATOR, some)
    assert (up.relay, up.relay_lag) == (RelayState.UP, ends["collection.public"] - 1 + ends["collection.network"])
    down, off = await ask(hub, "ops", PrincipalKind.OPERATOR, away), await ask(hub, "ops", PrincipalKind.OPERATOR)
    assert (down.relay, down.relay_lag) == (RelayState.DOWN, None)
    assert (off.relay, off.relay_lag) == (RelayState.OFF, None)


async def test_a_breaker_that_has_tripped_is_told_to_operators_and_its_centre(hub: Hub) -> None:
    source = next(one.no for one in (await hub.store.policy()).sources.values() if one.name == "ro")
    async with hub.store.transaction() as tx:
        await tx.load(Reads().update(BREAKER, (source,)), await tx.policy())
        await tx.write(Writes(breakers={source: BreakerState(tripped_us=5)}))
    operator = await ask(hub, "ops", PrincipalKind.OPERATOR)
    assert [(one.name, one.tripped_us) for one in operator.sources] == [("it", None), ("ro", 5)]
    assert "ctihub breaker confirm ro" in operator.notes[0]
    (note,) = (await ask(hub, "ro", PrincipalKind.CENTRE)).notes
    assert "call the operator" in note
    assert (await ask(hub, "it", PrincipalKind.CENTRE)).notes == ()
