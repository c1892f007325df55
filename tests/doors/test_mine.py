"""A source sees all that it has published, where each claim is shown, and what is held of it; nobody else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from hub.core.hold import Hit
from hub.model.problems import Code, Problem
from tests.doors.hubs import Hub, a_hub, an_indicator


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    def hold(obj: Any, *_: Any) -> Hit | None:
        return Hit(Problem(Code.LIST_HIT, "", "It is on a list."), "mine") if "203.0.113." in obj["pattern"] else None

    async with a_hub(tmp_path, hold=hold) as made:
        await made.centre("ro", country="RO")
        await made.centre("it", country="IT")
        yield made


async def mine(hub: Hub, what: str = "claims", who: str = "ro", **query: Any) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        answer = await hub.get(f"/v1/mine/{what}", who, params={**query, "after": after})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found, after = [*found, *answer.json()[what]], answer.json()["next_after"]
    return found


async def test_claims_are_listed_with_where_they_are_shown_or_why_not(hub: Hub) -> None:
    shown = an_indicator("[ipv4-addr:value = '198.51.100.1']", "a")
    over = an_indicator("198.51.100.2", "b", revoked=True)
    gone = an_indicator("[ipv4-addr:value = '198.51.100.3']", "c")
    await hub.tell("it", an_indicator("[ipv4-addr:value = '198.51.100.9']", "d"))
    await hub.tell("ro", shown, over, gone)
    await hub.withdraw("ro", gone["id"])
    rows = await mine(hub)
    assert [row["id"] for row in rows] == [shown["id"], over["id"], gone["id"]]
    assert [row["state"] for row in rows] == ["live", "revoked", "withdrawn"]
    first = rows[0]["shown"][0]
    listed = (await hub.get(await hub.objects_url(first["collection"]), "ro")).json()["objects"]
    assert first["id"] in {one["id"] for one in listed}
    assert (rows[0]["kept_out"], rows[1]["kept_out"], rows[2]["kept_out"]) == (None, "revoked", None)
    assert (rows[1]["shown"], rows[1]["message"]) == ([], "its source has revoked it")
    assert await mine(hub, limit=1) == rows
    assert [row["id"] for row in await mine(hub, state="withdrawn")] == [gone["id"]]
    assert len(await mine(hub, state=["live", "withdrawn"])) == 2
    assert [row["id"] for row in await mine(hub, state="revoked")] == [over["id"]]


async def test_what_is_held_is_listed_until_it_is_decided(hub: Hub) -> None:
    held = [an_indicator(f"203.0.113.{n}", f"held {n}") for n in range(1, 4)]
    await hub.tell("ro", *held)
    rows = await mine(hub, "held")
    assert [(row["id"], row["state"], row["code"], row["withdrawal"]) for row in rows] == [
        (one["id"], "held", "list.hit", False) for one in held
    ]
    assert rows[0]["receipt"]
    assert await mine(hub, "held", limit=1) == rows
    number = (await hub.registry.held.all())[0].no
    await hub.registry.held.refuse([number])
    assert [row["state"] for row in await mine(hub, "held")] == ["refused", "held", "held"]
    assert [row["id"] for row in await mine(hub, "held", state="refused")] == [held[0]["id"]]
    assert await mine(hub, "held", who="it") == []


async def test_only_a_source_has_anything_of_its_own(hub: Hub) -> None:
    await hub.operator()
    for what in ("claims", "held"):
        assert (await hub.get(f"/v1/mine/{what}", "ops")).json()["code"] == "auth.source-only"
        assert (await hub.get(f"/v1/mine/{what}")).status_code == 401
        assert (await hub.get(f"/v1/mine/{what}?state=none", "ro")).json()["code"] == "http.parameter"
