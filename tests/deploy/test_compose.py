"""The stack: valid by the Compose Specification's own schema, hardened, whole, and on the files that the tests use."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft201909Validator

from hub.config import load_config
from tests.deploy.files import DEPLOY, compose, environment_of
from tests.servers.java import PROJECT

SCHEMA = json.loads((PROJECT / "tests/data/compose-spec/compose-spec.json").read_text("utf-8"))
STACK = compose()
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
HUB = [name for name, service in SERVICES.items() if str(service["image"]).startswith("ctihub:")]


def wrong(stack: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft201909Validator(SCHEMA).iter_errors(stack)]


def each(key: str) -> Iterator[tuple[str, Any]]:
    """(service, entry) for all entries of a list in all services."""
    return ((name, entry) for name, service in SERVICES.items() for entry in service.get(key, ()))


def test_it_is_valid() -> None:
    assert wrong(STACK) == []


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [("doors", "enviroment", {}), ("doors", "read_only", "maybe"), ("kafka", "ports", [{"target": "x", "to": 1}])],
)
def test_what_is_misspelt_or_of_another_type_is_refused(service: str, key: str, value: object) -> None:
    stack = json.loads(json.dumps(STACK))
    stack["services"][service][key] = value
    assert wrong(stack)


def test_docker_compose_takes_it_where_there_is_one() -> None:
    docker = shutil.which("docker")
    has = docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    command = [docker, "compose"] if has else [shutil.which("docker-compose")]
    if command[0] is None:
        return  # the schema has judged it; only the interpolation is left
    done = subprocess.run(
        [str(word) for word in command] + ["-f", str(DEPLOY / "compose.yaml"), "config", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_everything_that_is_named_is_there() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= SERVICES.keys(), name
        assert set(service.get("secrets", ())) <= STACK["secrets"].keys(), name
        assert set(service.get("networks", ())) <= STACK["networks"].keys(), name
    for name, mount in each("volumes"):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (DEPLOY / source).exists(), f"{name}: {source}"
            assert mount.endswith(":ro"), f"{name}: {mount}"
        else:
            assert source in STACK["volumes"], f"{name}: {source}"
    used = {entry.split(":")[0] for _, entry in each("volumes")} | {entry for _, entry in each("secrets")}
    assert used >= STACK["volumes"].keys() | STACK["secrets"].keys(), "made, but used by nobody"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "devices", "pid", "ipc", "network_mode"} & service.keys()
    if name != "postgres":  # its image hands its folder over, then goes on as the user postgres
        assert "cap_add" not in service


@pytest.mark.parametrize("name", HUB)
def test_the_hub_runs_as_the_user_of_its_image(name: str) -> None:
    assert "user" not in SERVICES[name]


def test_images_are_pinned_by_version_and_digest_and_named_without_a_registry() -> None:
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        assert image, name
        assert re.fullmatch(r"v?\d[\w.-]*@sha256:[0-9a-f]{64}|\$\{CTIHUB_VERSION:-local\}", tag), f"{name}: {tag}"
        assert "." not in image.split("/")[0], name


def test_the_connector_sees_its_own_token_and_no_other() -> None:
    def volumes(name: str) -> dict[str, str]:
        return dict(said.split(":")[:2] for said in SERVICES[name].get("volumes", ()))

    told = SERVICES["provision"]["environment"]
    theirs = {folder: volume for volume, folder in volumes("provision").items()}
    assert theirs[told["TOKENS"]] != theirs[told["CONNECTOR"]]
    assert volumes("connector")[theirs[told["CONNECTOR"]]] in SERVICES["connector"]["entrypoint"][2]
    holders = [name for name in SERVICES if theirs[told["TOKENS"]] in volumes(name)]
    assert holders == ["provision"]


def test_only_loopback_is_published() -> None:
    ports = dict(each("ports"))
    assert ports.keys() == {"doors", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in ports.values())
    assert STACK["networks"]["inside"] == {"internal": True}
    for name, service in SERVICES.items():
        assert ("outside" in service["networks"]) == (name in ports), name


def test_no_password_is_in_the_environment() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|TOKEN$|SECRET|DATABASE_URL", variable)
            assert not secret or str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_only_the_provisioning_has_the_administrators_password() -> None:
    readers = {name for name, secret in each("secrets") if secret in ("provision.toml", "kafka_admin_password")}
    assert readers == {"provision", "kafka"}


def test_kafka_and_postgresql_run_on_the_files_that_the_tests_start_them_with() -> None:
    kafka, postgres = SERVICES["kafka"], SERVICES["postgres"]
    assert "./kafka/server.properties:/etc/ctihub/server.properties:ro" in kafka["volumes"]
    asked = set(re.findall(r"\$\{env:(\w+)\}", (DEPLOY / "kafka/server.properties").read_text("utf-8")))
    assert asked <= kafka["environment"].keys(), asked - kafka["environment"].keys()
    for name in ("postgresql.conf", "pg_hba.conf"):
        assert f"./postgres/{name}:/etc/ctihub/{name}:ro" in postgres["volumes"]
        assert f"/etc/ctihub/{name}" in (DEPLOY / "compose/postgres.sh").read_text("utf-8")


def test_there_is_one_relay_and_more_than_one_worker() -> None:
    assert SERVICES["relay"].get("deploy", {}).get("replicas", 1) == 1
    assert SERVICES["worker"]["deploy"]["replicas"] >= 2


def test_the_hub_waits_for_the_provisioning_and_that_for_its_servers() -> None:
    for role in ("worker", "doors", "relay"):
        assert SERVICES[role]["command"] == ["serve", "--role", role]
        assert SERVICES[role]["depends_on"]["provision"]["condition"] == "service_completed_successfully"
        assert "/readyz" in SERVICES[role]["healthcheck"]["test"][-1]
    needed = SERVICES["provision"]["depends_on"]
    assert {name: how["condition"] for name, how in needed.items()} == {
        "kafka": "service_healthy",
        "postgres": "service_healthy",
    }


def test_a_process_has_longer_to_end_than_it_takes() -> None:
    from hub.worker_process import DRAIN_S

    for role in ("worker", "doors", "relay"):
        assert int(SERVICES[role]["stop_grace_period"].removesuffix("s")) > DRAIN_S


IN_FILE = 'WEBHOOK_ALLOW = "192.168.0.0/16"\nWEBHOOK_HTTP = true\n'


@pytest.mark.parametrize(
    ("given", "in_file", "allowed", "http"),
    [
        ({}, "", [], False),
        ({"WEBHOOK_ALLOW": "10.0.0.0/8,fd00::/8", "WEBHOOK_HTTP": "true"}, "", ["10.0.0.0/8", "fd00::/8"], True),
        ({}, IN_FILE, ["192.168.0.0/16"], True),
        ({"WEBHOOK_ALLOW": "10.0.0.0/8", "WEBHOOK_HTTP": "false"}, IN_FILE, ["10.0.0.0/8"], False),
    ],
)
def test_webhooks_go_to_public_addresses_unless_the_environment_or_hub_toml_says_otherwise(
    given: dict[str, str], in_file: str, allowed: list[str], http: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment_of("doors", **given).items():
        if "WEBHOOK" in name:
            monkeypatch.setenv(name, value)
    file = tmp_path / "hub.toml"
    file.write_text(in_file, "utf-8")
    config = load_config(file)
    assert [str(network) for network in config.webhook_allow] == allowed
    assert config.webhook_http == http
