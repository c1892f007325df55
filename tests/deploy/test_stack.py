"""The stack of ``compose.yaml`` without its containers: the same scripts, commands and environment, on real servers."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.files import DEPLOY, compose, environment_of, prepare
from tests.deploy.test_roles import samples
from tests.deploy.test_watching import KNOWN
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S, wait_until

ROLES = ("worker", "doors", "relay")
SERVICES: dict[str, dict[str, Any]] = compose()["services"]


class Stack:
    """Processes with what the file says of them; only places (paths, hosts, ports) are this machine's."""

    def __init__(self, folder: Path, kafka: KafkaServer, postgres_url: str) -> None:
        self.folder, self.secrets, self.tokens = folder, folder / "secrets", folder / "tokens"
        self.kafka = kafka
        free = free_ports(2 * len(ROLES))
        self.ports = dict(zip(ROLES, free[: len(ROLES)], strict=True))
        self.inside = dict(zip(ROLES, free[len(ROLES) :], strict=True))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        prepare(self.secrets)
        self.trust = ssl.create_default_context(cafile=str(self.secrets / "ca.pem"))
        self._take_over(postgres_url)

    def _take_over(self, postgres_url: str) -> None:
        """Give the servers that are there the users of the stack, and the stack their passwords and addresses."""
        self.kafka.add_user("ctihub_hub", (self.secrets / "kafka_hub_password").read_text())
        for name in ("hub.toml", "provision.toml"):
            lines = (self.secrets / name).read_text().splitlines()
            lines[0] = f'DATABASE_URL = "{postgres_url}"'
            text = "\n".join(lines)
            admin = (self.secrets / "kafka_admin_password").read_text()
            (self.secrets / name).write_text(text.replace(admin, self.kafka.admin_password))

    def here(self, said: str) -> str:
        """A word of the file on this machine."""
        places = {
            "/run/secrets": str(self.secrets),
            "/etc/ctihub/provision.sh": str(DEPLOY / "compose/provision.sh"),
            "/feed": str(DEPLOY / "demo/data/own"),
            "/var/lib/ctihub": str(self.folder / "data"),
            "kafka:9093": self.kafka.bootstrap,
            "https://doors:8480": f"https://localhost:{self.ports['doors']}",
        }
        for theirs, ours in places.items():
            said = said.replace(theirs, ours)
        return said

    def environment(self, service: str) -> dict[str, str]:
        told = {name: self.here(value) for name, value in environment_of(service).items()}
        told["CTIHUB_DATA_DIR"] = str(self.folder / "data")  # the image's own
        told["CTIHUB_KAFKA_CA_FILE"] = str(self.kafka.ca_file)  # this broker's certificate is another authority's
        if service in self.ports:
            told["CTIHUB_HTTP_PORT"] = str(self.ports[service])
            told["CTIHUB_METRICS_PORT"] = str(self.inside[service])
            told["CTIHUB_PUBLIC_URL"] = f"https://localhost:{self.ports['doors']}"
        if "TOKENS" in told:
            told["TOKENS"], told["CONNECTOR"] = str(self.tokens), str(self.tokens / "connector")
        mine = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
        return mine | told | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def provision(self) -> None:
        (self.tokens / "connector").mkdir(parents=True)
        (self.folder / "data").mkdir()
        command = [self.here(word) for word in SERVICES["provision"]["entrypoint"]]
        told = self.environment("provision") | {"CTIHUB_HTTP_PORT": "0", "CTIHUB_PUBLIC_URL": "https://localhost"}
        done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, service: str, **more: str) -> None:
        command = ["ctihub", *(self.here(str(word)) for word in SERVICES[service]["command"])]
        environment = self.environment(service) | more
        with (self.folder / f"{service}.log").open("ab") as log:
            self.processes[service] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def get(self, role: str, path: str, **more: Any) -> httpx.Response | None:
        process = self.processes[role]
        assert process.poll() is None, (self.folder / f"{role}.log").read_text()[-3000:]
        port = self.inside[role] if path in ("/metrics", "/readyz") else self.ports[role]
        with contextlib.suppress(httpx.HTTPError):
            url = f"https://localhost:{port}{path}"
            return httpx.get(url, timeout=WITHIN_S, verify=self.trust, trust_env=False, **more)
        return None

    def ready(self, role: str) -> bool:
        answer = self.get(role, "/readyz")
        return answer is not None and answer.status_code == 200

    def metric(self, role: str, series: str) -> float:
        answer = self.get(role, "/metrics")
        return samples(answer.text).get(series, 0) if answer is not None else 0

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def stack(tmp_path: Path, kafka: KafkaServer, postgres_url: str) -> Iterator[Stack]:
    running = Stack(tmp_path, kafka, postgres_url)
    try:
        yield running
    finally:
        running.end()


def test_what_the_sample_connector_publishes_comes_out_of_the_relay(stack: Stack) -> None:
    stack.provision()
    for role in ROLES:
        stack.start(role)
    for role in ROLES:
        wait_until(lambda role=role: stack.ready(role), what=f"{role} is ready")  # type: ignore[misc]
    stack.start("connector", CTIHUB_TOKEN=(stack.tokens / "connector/sample").read_text().strip())

    accepted = 'ctihub_centre_objects_total{centre="sample",state="accepted"}'
    wait_until(lambda: stack.metric("worker", accepted) > 0, what="the worker has accepted something")
    wait_until(lambda: stack.metric("relay", "ctihub_relay_records_total") > 0, what="the relay has written")
    wait_until(lambda: stack.metric("relay", "ctihub_relay_lag_changes") == 0, what="the relay is there")

    reader = ("reader", (stack.tokens / "reader").read_text().strip())
    answer = stack.get("doors", "/v1/collections", auth=reader)
    assert answer is not None
    assert answer.status_code == 200
    for role in ROLES:
        shown = stack.get(role, "/metrics")
        assert shown is not None
        ours = {series.partition("{")[0] for series in samples(shown.text) if series.startswith("ctihub_")}
        assert ours <= KNOWN.keys()
        assert ("sample" in shown.text) == (role == "worker"), "only a worker counts by centre"
    told = httpx.get(f"https://localhost:{stack.ports['doors']}/metrics", verify=stack.trust, trust_env=False)
    assert "ctihub_server_up" in told.text
    assert "ctihub_http_requests" not in told.text
