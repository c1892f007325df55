"""The roles as units and stack run them: processes that share a DATA_DIR, ready, measured, working together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.test_watching import KNOWN
from tests.running import RunningHub, fetch
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S, wait_until

CENTRE = "ro-secret-centre"
INDICATOR = (
    b'{"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",'
    b'"created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z","valid_from":"2026-01-01T00:00:00Z",'
    b'"pattern_type":"stix","pattern":"[ipv4-addr:value = \'198.51.100.7\']"}'
)


class Roles:
    """Processes of one hub, one for each role."""

    def __init__(self, folder: Path) -> None:
        self.hub = RunningHub(folder)
        self.hub.register([CENTRE], country="RO", default_tlp="green")
        *ports, self.inside = free_ports(3)
        self.ports = dict(zip(("worker", "doors"), ports, strict=True))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.hub.port = self.ports["doors"]

    def start(self, role: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
        told = {
            "CTIHUB_DATA_DIR": str(self.hub.folder),
            "CTIHUB_HTTP_HOST": "0.0.0.0",
            "CTIHUB_BEHIND_PROXY": "true",
            "CTIHUB_HTTP_PORT": str(self.ports[role]),
            "CTIHUB_LOG_FORMAT": "json",
            "CTIHUB_HELD_LISTS": "none",
        }
        if role == "doors":
            told["CTIHUB_METRICS_PORT"] = str(self.inside)
        command = [str(Path(sys.executable).parent / "ctihub"), "serve", "--role", role]
        with (self.hub.folder / f"{role}.log").open("ab") as log:
            self.processes[role] = subprocess.Popen(
                command, env=environment | told, stdout=log, stderr=log, cwd=self.hub.folder
            )

    def get(self, role: str, path: str, *, port: int = 0) -> httpx.Response | None:
        assert self.processes[role].poll() is None, (self.hub.folder / f"{role}.log").read_text()[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            return fetch(f"http://127.0.0.1:{port or self.ports[role]}{path}")
        return None

    def ready(self, role: str) -> bool:
        answer = self.get(role, "/readyz")
        return answer is not None and answer.status_code == 200

    def metrics(self, role: str) -> dict[str, float]:
        answer = self.get(role, "/metrics", port=self.inside if role == "doors" else 0)
        return samples(answer.text) if answer is not None else {}

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def samples(text: str) -> dict[str, float]:
    """Every series with its value. Each is there once."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            assert series not in found, series
            found[series] = float(value)
    return found


def total(of: Callable[[], dict[str, float]], beginning: str) -> float:
    return sum(value for series, value in of().items() if series.startswith(beginning))


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    running = Roles(tmp_path_factory.mktemp("roles"))
    try:
        for role in running.ports:
            running.start(role)
        for role in running.ports:
            wait_until(lambda role=role: running.ready(role), what=f"{role} is ready")  # type: ignore[misc]
        with running.hub.client(CENTRE) as client:
            url = client.push([INDICATOR, b'{"type":"indicator"}']).status_url
            running.receipt = client.completed(url, within_s=WITHIN_S)  # type: ignore[attr-defined]
        yield running
    finally:
        running.end()


def test_what_one_role_takes_in_another_merges(roles: Roles) -> None:
    receipt = roles.receipt  # type: ignore[attr-defined]
    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert len(roles.hub.pulled("community", "soc")) >= 1


@pytest.mark.parametrize("role", ["worker", "doors"])
def test_every_role_lives_is_ready_and_measures_its_servers(roles: Roles, role: str) -> None:
    answer = roles.get(role, "/healthz")
    assert answer is not None
    assert answer.status_code == 200
    found = roles.metrics(role)
    assert found['ctihub_server_up{server="store"}'] == 1
    assert found['ctihub_server_up{server="log"}'] == 1
    assert 0 < found["ctihub_data_dir_free_bytes"] <= found["ctihub_data_dir_size_bytes"]
    assert found["ctihub_held_waiting"] == 0


@pytest.mark.parametrize("role", ["worker", "doors"])
def test_what_a_process_shows_is_what_the_queries_were_compared_with(roles: Roles, role: str) -> None:
    ours = {series.partition("{")[0] for series in roles.metrics(role) if series.startswith("ctihub_")}
    assert ours
    assert ours <= KNOWN.keys()


def test_a_worker_counts_what_it_carried_by_centre_too(roles: Roles) -> None:
    found = roles.metrics("worker")
    assert found['ctihub_objects_total{state="accepted"}'] == 1
    assert found[f'ctihub_centre_objects_total{{centre="{CENTRE}",state="rejected"}}'] == 1
    assert found["ctihub_worker_records_total"] == 2
    assert found["ctihub_worker_batch_seconds_count"] == found["ctihub_worker_batches_total"] >= 1
    assert found["ctihub_worker_merge_seconds_sum"] <= found["ctihub_worker_batch_seconds_sum"]
    lag = f'ctihub_centre_lag_records{{centre="{CENTRE}"}}'
    wait_until(lambda: roles.metrics("worker").get(lag) == 0, what="the lag of the centre is told")


def test_the_port_of_the_doors_tells_of_the_process_alone(roles: Roles) -> None:
    answer = roles.get("doors", "/metrics")
    assert answer is not None
    ours = {series.partition("{")[0] for series in samples(answer.text) if series.startswith("ctihub_")}
    assert {"ctihub_server_up", "ctihub_http_connections"} <= ours
    assert all(name == "ctihub_server_up" or name.startswith("ctihub_http_connections") for name in ours), ours
    inside = roles.get("doors", "/metrics", port=roles.inside)
    assert inside is not None
    assert "ctihub_http_requests_total" in inside.text
    for path in ("/healthz", "/readyz"):
        watched = roles.get("doors", path, port=roles.inside)
        assert watched is not None
        assert watched.status_code == 200


def test_a_worker_that_is_killed_comes_back_and_goes_on(roles: Roles) -> None:
    roles.processes["worker"].send_signal(signal.SIGKILL)
    roles.processes["worker"].wait(WITHIN_S)
    assert roles.ready("doors")
    with roles.hub.client(CENTRE) as client:
        url = client.push([INDICATOR.replace(b"8e2e2d2b", b"8e2e2d2c").replace(b".100.7", b".100.8")]).status_url
        roles.start("worker")
        assert client.completed(url, within_s=WITHIN_S).accepted == 1


def test_a_role_ends_in_peace_when_it_is_told(roles: Roles) -> None:
    worker = roles.processes["worker"]
    wait_until(lambda: roles.ready("worker"), what="the worker is ready again")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(WITHIN_S) == 0


def test_an_all_in_one_hub_shows_what_its_worker_counts_on_the_port_for_metrics(tmp_path: Path) -> None:
    port, inside = free_ports(2)
    hub = RunningHub(tmp_path, {"CTIHUB_METRICS_PORT": str(inside)}, port)
    hub.register([CENTRE], country="RO", default_tlp="green")

    def metrics() -> dict[str, float]:
        return samples(fetch(f"http://127.0.0.1:{inside}/metrics").text)

    with hub.running():
        with hub.client(CENTRE) as client:
            client.completed(client.push([INDICATOR]).status_url, within_s=WITHIN_S)
        accepted = 'ctihub_objects_total{state="accepted"}'
        wait_until(lambda: metrics().get(accepted) == 1, what="the parent shows what the worker counted")
        found = metrics()
        assert found["ctihub_worker_records_total"] == 1
        assert total(metrics, "ctihub_http_requests_total") > 0
        assert {name.partition("{")[0] for name in found if name.startswith("ctihub_")} <= KNOWN.keys()
        assert found[f'ctihub_centre_objects_total{{centre="{CENTRE}",state="accepted"}}'] == 1
        assert CENTRE not in fetch(f"{hub.url}/metrics").text
