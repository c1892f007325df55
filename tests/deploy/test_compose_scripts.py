"""The scripts beside the stack, carried out for real as far as they need no container."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography import x509

from hub.config import load_config
from tests.deploy.files import DEPLOY, compose, environment_of, prepare

SCRIPTS = sorted((DEPLOY / "compose").glob("*.sh"))


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
    command = [str(word) for word in words]
    return subprocess.run(command, env=told | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("compose") / "secrets")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_a_program_that_its_shell_can_read(script: Path) -> None:
    shell = script.read_text("utf-8").splitlines()[0].removeprefix("#!").split()[-1].rsplit("/", 1)[-1]
    assert run(shell, "-n", script).returncode == 0
    assert os.access(script, os.X_OK)


def test_prepare_makes_every_secret_that_the_stack_names(secrets: Path) -> None:
    wanted = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert wanted <= {path.name for path in secrets.iterdir()}


def test_prepare_leaves_what_is_there(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert run("bash", DEPLOY / "compose/prepare.sh", secrets).returncode == 0
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_the_secrets_are_their_owners_alone_and_git_does_not_see_them(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert (secrets / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (DEPLOY / "compose/.gitignore").read_text("utf-8") == "secrets/\n"


@pytest.mark.parametrize(
    ("name", "who", "hosts"),
    [
        ("kafka", "ctihub_broker", {"kafka", "localhost"}),
        ("postgres", "postgres", {"postgres", "localhost"}),
        ("hub", "ctihub", {"doors", "worker", "relay", "localhost"}),
    ],
)
def test_the_certificates_fit_their_keys_their_authority_and_their_hosts(
    secrets: Path, name: str, who: str, hosts: set[str]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secrets / f"{name}.crt", secrets / f"{name}.key")
    authority = x509.load_pem_x509_certificate((secrets / "ca.pem").read_bytes())
    certificate = x509.load_pem_x509_certificate((secrets / f"{name}.crt").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == f"CN={who}"
    said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(said.get_values_for_type(x509.DNSName)) == hosts
    services = compose()["services"].keys() - {"localhost"}
    assert hosts - {"localhost"} <= services


def test_the_configuration_files_are_taken_by_the_hub_with_the_environment_of_the_stack(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("worker", "doors", "relay", "provision"):
        for variable in [name for name in os.environ if name.startswith("CTIHUB_")]:
            monkeypatch.delenv(variable)
        told = environment_of(role)
        file = secrets / Path(told.pop("CTIHUB_CONFIG")).name
        for variable, value in told.items():
            monkeypatch.setenv(variable, value)
        warnings: list[str] = []
        config = load_config(file, warn=warnings.append)
        assert warnings == []
        assert config.open_host is None
        assert config.kafka_security_protocol == "SASL_SSL"
        assert (config.kafka_admin_username is not None) == (role == "provision")
        assert config.database_url is not None
        assert "sslmode=verify-full" in config.database_url.get_secret_value()


def test_the_passwords_of_the_files_are_those_of_the_servers(secrets: Path) -> None:
    hub = tomllib.loads((secrets / "hub.toml").read_text())
    assert hub["KAFKA_PASSWORD"] == (secrets / "kafka_hub_password").read_text()
    assert (secrets / "postgres_password").read_text() in hub["DATABASE_URL"]
    both = tomllib.loads((secrets / "provision.toml").read_text())
    assert both["KAFKA_ADMIN_PASSWORD"] == (secrets / "kafka_admin_password").read_text()


def test_provision_makes_the_principals_once_and_mends_a_lost_token(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "connector").mkdir()
    told = {
        "TOKENS": str(tmp_path),
        "CONNECTOR": str(tmp_path / "connector"),
        "CTIHUB_DATA_DIR": str(tmp_path / "hub"),
        "PATH": path,
        "CTIHUB_HTTP_PORT": "0",
    }
    script = DEPLOY / "compose/provision.sh"
    first = run("sh", script, **told)
    assert first.returncode == 0, first.stderr
    tokens = {name: (tmp_path / name).read_text() for name in ("connector/sample", "reader", "watch")}
    assert not (tmp_path / "sample").exists()
    assert all(token.strip() for token in tokens.values())
    sample = tmp_path / "connector/sample"
    assert sample.stat().st_mode & 0o077 == 0

    sample.unlink()
    second = run("sh", script, **told)
    assert second.returncode == 0, second.stderr
    assert sample.read_text() not in ("", tokens["connector/sample"])
    assert (tmp_path / "reader").read_text() == tokens["reader"]
