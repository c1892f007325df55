"""A real ``ctihub serve`` whose clock is wrong, in both directions: nothing is dated by it, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.cli import run
from hub.model.times import DAY_US, from_us, parse_us
from hub.store import tables as t
from hub.store.clock import _TIMES_OF_ROWS, _TIMES_OF_WORK
from tests.clock.asked import ask
from tests.running import RunningHub, fetch
from tests.servers.faketime import another_clock, need_faketime, ruled_by
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S, wait_until

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> RunningHub:
    """A hub without anybody; on PostgreSQL where the test says so."""
    need_faketime()
    port, inside = free_ports(2)
    found = RunningHub(tmp_path / "hub", {"CTIHUB_METRICS_PORT": str(inside)}, port)
    if getattr(request, "param", "sqlite") == "postgresql":
        found.environment["CTIHUB_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return found


def an_indicator(number: int, **more: Any) -> bytes:
    """A green claim on an address of its own."""
    return json.dumps(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
            "created": "2026-01-01T00:00:00.000Z",
            "modified": "2026-01-01T00:00:00.000Z",
            "pattern": f"[ipv4-addr:value = '198.51.100.{number}']",
            "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
            **more,
        }
    ).encode()


def of_today() -> dict[str, str]:
    """What makes a claim new, and bounds it so that no list has it, once the day is ten years on."""
    now = datetime.now(UTC)
    end = {"valid_until": f"{now + timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"}
    return end | dict.fromkeys(("created", "modified"), f"{now:%Y-%m-%dT%H:%M:%S.000Z}")


def push(hub: RunningHub, *lines: bytes) -> str:
    """Push, which must be acknowledged; the receipt's address."""
    with hub.client("ro") as client:
        return client.push(list(lines)).status_url


def complete(hub: RunningHub, receipt: str) -> Any:
    """The receipt once all of it was processed."""
    with hub.client("ro") as client:
        return client.completed(receipt, within_s=WITHIN_S)


def is_pending(hub: RunningHub, receipt: str) -> bool:
    """Whether nothing of it was processed yet."""
    with hub.client("ro") as client:
        return client.receipt(receipt).state == "pending"


def listed(hub: RunningHub) -> set[str]:
    """The public list that a firewall fetches."""
    url = f"{hub.url}/v1/collections/community/export.txt?type=ipv4-addr"
    answer = fetch(url, headers={"authorization": f"Bearer {hub.tokens['soc']}"})
    return set(answer.text.split())


def notes(hub: RunningHub) -> list[str]:
    """What ``ctihub status`` tells the operator."""
    answer = fetch(f"{hub.url}/v1/status", headers={"authorization": f"Bearer {hub.tokens['watch']}"})
    found: list[str] = answer.json()["notes"]
    return found


def doubts(hub: RunningHub) -> list[dict[str, Any]]:
    """What the log said of the clock."""
    lines = (hub.folder / "hub.log").read_text().splitlines()
    return [said for line in lines if line[:1] == "{" if (said := json.loads(line))["event"] == "clock.in_doubt"]


def latest_us(hub: RunningHub) -> int:
    """The greatest time that the store holds anywhere, arrivals included."""
    shown = (t.changes.c.date_added_us, t.changes.c.version_us, t.views.c.created_us, t.views.c.modified_us)
    columns = {*_TIMES_OF_ROWS, *_TIMES_OF_WORK, *shown}
    times = ask(hub, [select(func.max(column)) for column in columns])
    arrivals = (t.contributions.c.stamp, t.contributions.c.since)
    stamps = ask(hub, [select(column).order_by(column.desc()).limit(1) for column in arrivals])
    days = ask(hub, [select(func.max(t.ticks.c.day))])
    return max(
        *(int(each or 0) for each in times),
        *(int.from_bytes(each[:8], "big") for each in stamps if each is not None),
        *(parse_us(f"{each}T00:00:00Z") for each in days if each is not None),
    )


def now_us() -> int:
    return time.time_ns() // 1000


def accept(hub: RunningHub, today: str, patch: pytest.MonkeyPatch) -> int:
    """``ctihub clock accept`` with the hub's configuration, by the right clock; its exit code."""
    with patch.context() as there:
        for name, value in {**hub.environment, "CTIHUB_DATA_DIR": str(hub.folder)}.items():
            if name.startswith("CTIHUB_"):
                there.setenv(name, value)
        return run(["clock", "accept", today])


def under(hub: RunningHub, clock: dict[str, str]) -> RunningHub:
    """The same hub, to be started with another clock."""
    return RunningHub(hub.folder, {**hub.environment, **clock}, hub.port, tokens=hub.tokens)


def registered_under(hub: RunningHub, clock: dict[str, str]) -> None:
    """Make the hub, and everybody in it, while the clock is another."""
    made = (
        "import json, sys; from pathlib import Path; from tests.running import RunningHub, fetch\n"
        "hub = RunningHub(Path(sys.argv[1]), json.loads(sys.argv[2]))\n"
        "hub.register(['ro'], default_tlp='green'); print(json.dumps(hub.tokens))"
    )
    said = subprocess.run(
        [sys.executable, "-c", made, str(hub.folder), json.dumps(hub.environment)],
        cwd=PROJECT, env={"PATH": "/usr/bin:/bin", **clock}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    hub.tokens.update(json.loads(said.stdout))


@pytest.mark.parametrize(
    ("hub", "off"), [("sqlite", "+3650d"), ("postgresql", "-3650d")], indirect=["hub"], ids=["ahead", "behind"]
)
def test_a_hub_whose_clock_jumped_dates_nothing_loses_nothing_and_goes_on_by_itself(hub: RunningHub, off: str) -> None:
    hub.register(["ro"], default_tlp="green")
    with hub.running():
        complete(hub, push(hub, an_indicator(1)))
    with under(hub, another_clock(off)).running():
        receipt = push(hub, an_indicator(2, **of_today()))
        said = wait_until(lambda: notes(hub), within_s=WITHIN_S)
        assert "ctihub clock accept" in said[0]
        assert "3,650 d" in said[0]
        wait_until(lambda: "ctihub_clock_in_doubt 1" in metrics(hub), within_s=WITHIN_S, what="the metric says so")
        assert is_pending(hub, receipt)
        assert listed(hub) == {"198.51.100.1"}
        (told,) = wait_until(lambda: doubts(hub), within_s=WITHIN_S, what="the log says so")
        assert told["level"] == "error"
        assert "ctihub clock accept" in told["way_out"]
    assert latest_us(hub) < now_us() + DAY_US
    with hub.running():
        assert complete(hub, receipt).accepted == 1
        wait_until(lambda: notes(hub) == [], within_s=WITHIN_S, what="nothing more is said of the clock")
        assert listed(hub) == {"198.51.100.1", "198.51.100.2"}
        assert len(doubts(hub)) == 1
    assert latest_us(hub) <= now_us()


def test_a_clock_that_jumps_while_the_hub_runs_stops_it_until_it_is_right_again(
    hub: RunningHub, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    hub.register(["ro"], default_tlp="green")
    with under(hub, ruled_by(clock)).running():
        complete(hub, push(hub, an_indicator(1)))
        clock.write_text("+400d")
        wait_until(lambda: notes(hub), within_s=WITHIN_S)
        receipt = push(hub, an_indicator(2))
        wait_until(lambda: doubts(hub), within_s=WITHIN_S)
        assert is_pending(hub, receipt)
        clock.write_text("+0d")
        assert complete(hub, receipt).accepted == 1
    assert latest_us(hub) <= now_us()


@pytest.mark.parametrize("hub", ["sqlite", "postgresql"], indirect=True)
def test_what_a_wrong_clock_has_stored_is_put_back_with_one_command(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = another_clock("+3650d")
    registered_under(hub, wrong)
    with under(hub, wrong).running():  # a hub that was made by a wrong clock knows no other
        complete(hub, push(hub, an_indicator(1), an_indicator(3), b"no JSON"))
    assert latest_us(hub) > now_us() + 3000 * DAY_US
    today = from_us(now_us()).date()
    with hub.running():
        receipt = push(hub, an_indicator(2, **of_today()))
        wait_until(lambda: notes(hub), within_s=WITHIN_S)
        assert is_pending(hub, receipt)
        assert accept(hub, str(today + timedelta(days=2)), monkeypatch) == 2
        assert is_pending(hub, receipt)
        assert accept(hub, str(today), monkeypatch) == 0
        assert complete(hub, receipt).accepted == 1
        wait_until(lambda: listed(hub) == {f"198.51.100.{n}" for n in (1, 2, 3)}, within_s=WITHIN_S)
        with hub.client("ro") as client:
            gone = client.withdraw(["indicator--00000000-0000-4000-8000-000000000003"])
            assert client.completed(gone.status_url, within_s=WITHIN_S).accepted == 1
        wait_until(lambda: listed(hub) == {f"198.51.100.{n}" for n in (1, 2)}, within_s=WITHIN_S)
        assert latest_of(hub, "community") <= now_us()
        wait_until(lambda: notes(hub) == [], within_s=WITHIN_S, what="nothing more is said of the clock")
    assert latest_us(hub) <= now_us()


def test_a_rest_of_a_month_costs_one_command_at_most(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = another_clock("-30d")
    registered_under(hub, before)
    with under(hub, before).running():
        complete(hub, push(hub, an_indicator(1)))
    with hub.running():
        receipt = push(hub, an_indicator(2))
        assert accept(hub, str(from_us(now_us()).date()), monkeypatch) == 0
        assert complete(hub, receipt).accepted == 1
        assert listed(hub) == {"198.51.100.1", "198.51.100.2"}
        assert latest_of(hub, "community") > now_us() - DAY_US
    assert latest_us(hub) <= now_us()


def metrics(hub: RunningHub) -> str:
    """What Prometheus is told."""
    inside = f"http://127.0.0.1:{hub.environment['CTIHUB_METRICS_PORT']}"
    return fetch(f"{inside}/metrics").text


def latest_of(hub: RunningHub, collection: str) -> int:
    """The greatest date and ``modified`` that a collection shows over TAXII."""
    wanted: Callable[[dict[str, Any]], bool] = lambda obj: obj["type"] == "indicator"  # noqa: E731
    return max(parse_us(obj["modified"]) for obj in hub.pulled(collection, "soc") if wanted(obj))
