"""Who sends too fast waits for its turn, and gets 429 only for what it sends at once; others do not notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.config import Config
from hub.doors import rates as rates_module
from hub.doors.metrics import REQUESTS_LIMITED
from hub.doors.rates import BURST_S, PATIENCE_S, Caller, Rates
from hub.model.errors import TooMany
from hub.serving import door_settings
from tests.doors.hubs import Hub, a_hub
from tests.doors.streams import open_stream
from tests.story import an_indicator
from tests.waiting import until

SOC: Caller = ("principal", "soc")


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.s = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.s += seconds


def at_rate(per_s: int) -> tuple[Rates, Clock]:
    clock = Clock()
    return Rates(per_s, monotonic_s=clock, sleep=clock.sleep), clock


async def send(rates: Rates, count: int, caller: Caller = SOC) -> None:
    for _ in range(count):
        await rates.take(caller)


# ---------------------------------------------------------------- the bucket


@pytest.mark.parametrize("per_s", [1, 4, 1_000])
async def test_ten_seconds_worth_may_come_at_once_and_then_everything_takes_its_turn(per_s: int) -> None:
    rates, clock = at_rate(per_s)
    await send(rates, int(BURST_S * per_s))
    assert sum(clock.slept) < 1e-6
    await send(rates, 5 * per_s)
    assert sum(clock.slept) == pytest.approx(5), "whoever sends one after the other is slowed down, and never refused"
    clock.s += BURST_S
    clock.slept.clear()
    await send(rates, int(BURST_S * per_s))
    assert sum(clock.slept) < 1e-6, "what was not used comes back"


async def test_whoever_lets_too_many_wait_is_told_when_to_come_again() -> None:
    clock, waiting = Clock(), list[float]()

    async def wait(seconds: float) -> None:
        waiting.append(seconds)

    rates = Rates(4, monotonic_s=clock, sleep=wait)
    await send(rates, 40 + 8)
    assert waiting[-1] == pytest.approx(PATIENCE_S)
    for _ in range(3):  # those that are refused are not counted
        with pytest.raises(TooMany) as refused:
            await send(rates, 1)
        assert refused.value.retry_after_s == 1
    await send(rates, 1, ("principal", "other"))
    clock.s += 1
    await send(rates, 4)
    with pytest.raises(TooMany):
        await send(rates, 1)


async def test_without_a_limit_nothing_is_counted() -> None:
    rates, clock = at_rate(0)
    await send(rates, 100_000)
    assert clock.slept == []


async def test_the_memory_is_bounded_and_who_is_forgotten_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates_module, "_MOST_CALLERS", 5)
    rates, clock = at_rate(1)
    await send(rates, 10)
    for number in range(4):
        await rates.take(("address", f"192.0.2.{number}"))
    clock.s += 2  # the buckets of the addresses are full again
    await rates.take(("address", "198.51.100.1"))
    assert rates._full_s.keys() == {SOC, ("address", "198.51.100.1")}
    for number in range(40):
        await rates.take(("address", f"203.0.113.{number}"))
        assert len(rates._full_s) <= 5


# ---------------------------------------------------------------- requests


async def at_once(hub: Hub, path: str, count: int, who: str | None = "soc", **more: Any) -> list[httpx.Response]:
    """Requests of which none is answered before all have come."""
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(hub.get(path, who, **more)) for _ in range(count)]
    return [one.result() for one in asked]


@contextlib.asynccontextmanager
async def a_strict_hub(folder: Path, **settings: Any) -> AsyncIterator[Hub]:
    """A hub that lets one request pass each second, while no time passes."""
    async with a_hub(folder, **settings) as hub:
        hub.doors.gate._rates = at_rate(1)[0]
        yield hub


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for its turn."""
    monkeypatch.setattr(rates_module, "PATIENCE_S", 0.0)


def limited(what: str) -> float:
    return float(REQUESTS_LIMITED.labels(what)._value.get())


@pytest.mark.usefixtures("no_patience")
async def test_a_principal_that_sends_too_much_gets_429_in_the_words_of_the_door(tmp_path: Path) -> None:
    async with a_strict_hub(tmp_path) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        before = limited("refused")
        answers = await at_once(hub, "/v1/collections", 12)
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 2
        refused = answers[-1]
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "http.too-many-requests"
        assert limited("refused") == before + 2
        for path in ("/taxii2/", await hub.objects_url("community")):
            refused = await hub.get(path, "soc")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.headers["content-type"] == "application/taxii+json;version=2.1"
            said = refused.json()
            assert (said["error_code"], said["http_status"]) == ("http.too-many-requests", "429")
        for path in ("/v1/collections/community/stream", "/v1/collections/community/export.csv", "/v1/status"):
            assert (await hub.get(path, "soc")).status_code == 429, path
        refused = await hub.post("/v1/intake", "soc", json={}, headers={"content-type": "application/json"})
        assert refused.status_code == 429
        assert (await hub.get("/v1/collections", "ro")).status_code == 200, "others do not notice"
        assert (await hub.get("/healthz")).status_code == 200


@pytest.mark.usefixtures("no_patience")
async def test_whoever_has_no_credentials_is_counted_by_address_but_not_behind_a_proxy(tmp_path: Path) -> None:
    for behind_proxy in (False, True):
        async with a_strict_hub(tmp_path / str(behind_proxy), behind_proxy=behind_proxy) as hub:
            await hub.centre("ro")
            answers = await at_once(hub, "/v1/collections", 11, who=None)
            assert {answer.status_code for answer in answers} == ({200} if behind_proxy else {200, 429})
            assert (await hub.get("/v1/collections", "ro")).status_code == 200


async def test_a_request_is_counted_once_and_an_open_stream_no_more(tmp_path: Path) -> None:
    async with a_strict_hub(tmp_path, recheck_s=0) as hub:
        await hub.centre("ro")
        await hub.tell("ro", an_indicator())
        counted = dict(hub.doors.gate._rates._full_s)
        foreign = (await hub.get(await hub.objects_url("community") + "?limit=1", "ro")).json()["next"]
        answer = await hub.get(await hub.objects_url("public") + f"?next={foreign}", "ro")
        assert answer.json()["error_code"] == "taxii.foreign-next"
        async with open_stream(hub, "community", "ro") as reader:
            await until(lambda: reader.events)
        used_s = hub.doors.gate._rates._full_s["principal", "ro"] - counted["principal", "ro"]
        assert used_s == 3


async def test_wrong_credentials_count_for_nobody(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        wrong = {"authorization": "Bearer no"}
        assert (await hub.get("/v1/collections", headers=wrong)).status_code == 401
        assert hub.doors.gate._rates._full_s == {}


async def test_the_setting_is_that_of_the_doors(tmp_path: Path) -> None:
    assert Config().max_requests_per_second == door_settings(Config()).requests_per_s == 1_000
    assert door_settings(Config(max_requests_per_second=0)).requests_per_s == 0
    for per_s in (0, 50):
        async with a_hub(tmp_path / str(per_s), requests_per_s=per_s) as hub:
            assert hub.doors.gate._rates._step_s == (1 / per_s if per_s else 0)
