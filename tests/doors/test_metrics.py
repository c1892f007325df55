"""What /metrics and /v1/status tell: of the process to anybody, of what is pushed and who reads to operators alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import orjson
import pytest

from tests.doors.hubs import Hub, an_indicator
from tests.doors.streams import open_stream
from tests.running import RunningHub, fetch, push_all
from tests.servers.ports import free_ports
from tests.story import an_object
from tests.waiting import WITHIN_S, wait_until

OF_THE_PROCESS = re.compile(r"(process|python|ctihub_http_connections)\w*(\{.*\})?")
"""What the process uses and who is connected to it: values that differ from one process to another."""
NOT_TOLD = (
    "ctihub_objects", "ctihub_pushed_objects", "ctihub_worker", "ctihub_held", "ctihub_breakers",
    "ctihub_http_requests", "ctihub_http_seconds", "ctihub_stream_readers",
    "ctihub_taxii", "ctihub_relay", "ctihub_centre", "ctihub_data_dir",
)  # fmt: skip


def told(text: str) -> dict[str, str]:
    """Every series with its value; that of what differs from one process to another is left out."""
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {series: "" if OF_THE_PROCESS.fullmatch(series) else value for series, value in found.items()}


def asked(hub: RunningHub, path: str, who: str | None = None, *, port: int = 0) -> httpx.Response:
    headers = {} if who is None else {"Authorization": f"Bearer {hub.tokens[who]}"}
    return fetch(f"http://127.0.0.1:{port or hub.port}{path}", headers=headers)


def status(hub: RunningHub, who: str) -> dict[str, Any]:
    """What ``/v1/status`` tells, without the time and the ids, which are each hub's own."""
    answer: dict[str, Any] = asked(hub, "/v1/status", who).json()
    del answer["at"]
    for collection in answer["collections"]:
        del collection["id"]
    return answer


def indicators(tlp: str, count: int) -> list[bytes]:
    return [orjson.dumps(an_indicator(f"198.51.100.{no}", f"{tlp} {no}", tlp=tlp)) for no in range(1, count + 1)]


@pytest.fixture(scope="module")
def two_hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, RunningHub]]:
    """One that was told GREEN things; one that was told the same and AMBER and RED ones too, with a reader."""
    with ExitStack() as stack:
        hubs = []
        for name in ("green", "more"):
            port, inside = free_ports(2)
            hub = RunningHub(tmp_path_factory.mktemp(name), {"CTIHUB_METRICS_PORT": str(inside)}, port)
            hub.register(["ro"], country="RO", tlp_max="red", default_tlp="amber")
            stack.enter_context(hub.running())
            push_all(hub, "ro", indicators("green", 3))
            hubs.append(hub)
        for tlp in ("amber", "amber+strict", "red"):
            push_all(hubs[1], "ro", [*indicators(tlp, 20), b'{"type":"indicator"}'], batch=7)
        headers = {"Authorization": f"Bearer {hubs[1].tokens['ro']}"}
        url = f"{hubs[1].url}/v1/collections/network/stream"
        stack.enter_context(httpx.stream("GET", url, headers=headers, timeout=WITHIN_S, trust_env=False))
        yield hubs[0], hubs[1]


def test_what_is_pushed_above_a_members_level_shows_in_no_figure(two_hubs: tuple[RunningHub, RunningHub]) -> None:
    green, more = two_hubs
    wait_until(lambda: all("ctihub_server_up" in asked(hub, "/metrics").text for hub in two_hubs))
    for who in (None, "soc"):
        pages = [told(asked(hub, "/metrics", who).text) for hub in two_hubs]
        assert pages[0] == pages[1]
        assert not [series for series in pages[1] if series.startswith(NOT_TOLD)]
        assert pages[0]['ctihub_server_up{server="store"}'] == "1.0"
    assert status(green, "soc") == status(more, "soc")
    assert [asked(hub, "/v1/status").status_code for hub in two_hubs] == [401, 401]
    seen = [status(hub, "watch")["flow"]["received"] for hub in two_hubs]
    assert seen == [3, 66], "the two hubs were told what the test thinks"


def test_a_port_of_its_own_tells_everything(two_hubs: tuple[RunningHub, RunningHub]) -> None:
    more = two_hubs[1]
    port = int(more.environment["CTIHUB_METRICS_PORT"])
    accepted = 'ctihub_centre_objects_total{centre="ro",state="accepted"}'
    page: dict[str, str] = {}

    def counted() -> bool:
        page.update(told(asked(more, "/metrics", port=port).text))
        return page.get(accepted) == "63.0"

    wait_until(counted, what="the worker has told what it counted")
    assert page["ctihub_stream_readers"] == "1.0"
    assert float(page["ctihub_pushed_objects_total"]) == 66
    assert "ctihub_held_waiting" in page
    assert page["ctihub_breakers_tripped"] == "0.0"
    for beginning in ("ctihub_http_requests_total", "ctihub_worker_batches_total", "ctihub_data_dir_free_bytes"):
        assert any(series.startswith(beginning) for series in page)
    assert asked(more, "/readyz", port=port).status_code == asked(more, "/healthz", port=port).status_code == 200
    assert asked(more, "/v1/collections", port=port).status_code == 404


async def test_how_many_others_read_is_told_to_operators_alone(hub: Hub) -> None:
    await hub.operator()
    async with open_stream(hub, "community", "it", "from=now"):
        seen = {}
        for who in ("soc", "ro", "ops"):
            answer = (await hub.get("/v1/status", who)).json()
            seen[who] = next(door["readers"] for door in answer["doors"] if door["name"] == "stream")
        assert seen["ops"] >= 1
        assert (seen["soc"], seen["ro"]) == (None, None)


async def test_the_page_of_the_doors_is_a_list_of_what_may_be_told(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(), an_object("malware", "m", name="m", is_family=False))
    page = told((await hub.get("/metrics")).text)
    assert page
    assert all(OF_THE_PROCESS.fullmatch(series) for series in page)
