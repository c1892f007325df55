"""Webhooks when something of the hub itself fails: the store, its clock, or what nobody foresaw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors.sdk.client import failure
from connectors.sdk.errors import TryLater
from connectors.sdk.no_answer import may_be_done
from hub.doors.webhooks.deliverer import AFTER_FAULT_US, WebhookDelivery
from hub.model.errors import TryAgain
from hub.model.times import DAY_US
from hub.model.webhooks import WebhookProgress
from tests.doors.hubs import GREEN, Hub, addresses
from tests.doors.receivers import Answer, Arrived, Receiver, a_receiver
from tests.doors.webhook_delivery import a_webhook_hub, add, delivering, failing, has_failed, is_up_to_date
from tests.waiting import until

YEARS_US = 3650 * DAY_US


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_webhook_hub(tmp_path) as made:
        yield made


async def progress(hub: Hub) -> WebhookProgress:
    (found,) = await hub.store.webhooks.all()
    return found.progress


def fail_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the next read of the webhooks fail; returns the count of reads."""
    real, reads = hub.store.webhooks.all, [0]

    async def read(principal: int | None = None) -> Any:
        reads[0] += 1
        if reads[0] == 1:
            raise TryAgain("store.away", "PostgreSQL does not answer.")
        return await real(principal)

    monkeypatch.setattr(hub.store.webhooks, "all", read)
    return reads


async def test_webhooks_are_read_again_when_the_read_at_the_start_has_failed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_receiver() as receiver:
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        reads = fail_once(hub, monkeypatch)
        async with delivering(hub):
            await until(lambda: receiver.arrived, what="a delivery")
    assert reads[0] > 1


async def test_webhooks_are_read_again_when_the_read_after_a_change_has_failed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_receiver() as receiver, delivering(hub):
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        await until(partial(is_up_to_date, hub), what="a delivery to the first")
        reads = fail_once(hub, monkeypatch)
        async with a_receiver() as other:
            await add(hub, other, "ro")
            await hub.tell("ro", *addresses(1, start=1, object_marking_refs=GREEN))
            await until(lambda: other.arrived, what="a delivery to the one that was added")
        assert reads[0] > 1


async def test_a_webhook_that_a_wrong_clock_put_off_is_tried_when_the_clock_is_put_back(hub: Hub) -> None:
    async with a_receiver(answer=failing(1)) as receiver:
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        right_us = hub.clock.us
        hub.clock.us += YEARS_US
        async with delivering(hub):
            await until(partial(has_failed, hub, 1), what="a failure, dated years ahead")
            hub.clock.us = right_us
            await hub.store.put_back(right_us, later_than_us=right_us)
            await until(lambda: len(receiver.arrived) == 2, what="the second attempt")
            await until(partial(is_up_to_date, hub), what="the delivery")
    assert len({one.headers["webhook-id"] for one in receiver.arrived}) == 1


async def test_a_webhook_at_which_the_hub_fails_is_left_alone_for_a_minute(hub: Hub) -> None:
    told: list[WebhookDelivery] = []

    def fail(delivery: WebhookDelivery) -> None:
        told.append(delivery)
        if len(told) == 1:
            raise ZeroDivisionError

    async with a_receiver() as receiver:
        await add(hub, receiver)
        await hub.tell("ro", *addresses(1, object_marking_refs=GREEN))
        due_us = hub.clock.us + AFTER_FAULT_US
        async with delivering(hub, finished=fail):
            await until(partial(_is_put_off_or_arrived, hub, receiver), what="the fault to be stored")
            assert (len(receiver.arrived), (await progress(hub)).due_us) == (1, due_us)
            hub.clock.us = due_us
            await until(partial(is_up_to_date, hub), what="the delivery")
    assert len(receiver.arrived) == 2
    assert len({one.headers["webhook-id"] for one in receiver.arrived}) == 1


async def _is_put_off_or_arrived(hub: Hub, receiver: Receiver) -> bool:
    return (await progress(hub)).due_us > 0 or len(receiver.arrived) > 1


# ---------------------------------------------------------------- what a client may repeat


async def test_a_webhook_may_have_been_added_although_the_answer_is_503(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> Any:
        raise TryAgain("store.away", "PostgreSQL does not answer.")

    async with a_receiver() as receiver:
        monkeypatch.setattr(hub.store.logs, "ends", away)  # read for the answer, after the commit
        answer = await hub.post("/v1/webhooks", "soc", json={"collection": "community", "url": receiver.url})
    assert answer.status_code == 503
    assert len(await hub.store.webhooks.all()) == 1
    assert not is_surely_not_done(answer)


async def test_a_refused_test_or_resumption_of_a_webhook_may_be_asked_for_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[httpx.Response] = []

    async def answer(_: Arrived) -> Answer:
        refused.append(await hub.post(f"{path}/test", "soc"))
        return 200

    async def moved(*_: object) -> bool:
        return False

    async with a_receiver(answer=answer) as receiver:
        path = f"/v1/webhooks/{(await add(hub, receiver))['webhook']['id']}"
        assert (await hub.post(f"{path}/test", "soc")).json()["taken"]
        assert len(receiver.arrived) == 1
    monkeypatch.setattr(hub.store.webhooks, "resume", moved)
    refused.append(await hub.post(f"{path}/resume", "soc"))
    assert [one.json()["code"] for one in refused] == ["webhook.testing", "webhook.moved"]
    assert all(map(is_surely_not_done, refused))


def is_surely_not_done(answer: httpx.Response) -> bool:
    error = failure(answer)
    assert isinstance(error, TryLater)
    return not may_be_done(error)
