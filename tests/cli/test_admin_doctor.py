"""``ctihub doctor``: every finding says what to do, and nothing that is wrong stops the others."""

from __future__ import annotations

import socket
import sqlite3
from typing import Any

import pytest

from tests.cli.admin import Shell
from tests.servers.certificates import Authority


@pytest.fixture
def free(shell: Shell) -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    shell.patch.setenv("CTIHUB_HTTP_PORT", str(port))
    return port


def _found(shell: Shell, *words: str) -> tuple[int, dict[str, Any]]:
    answer = shell("doctor", "--json", *words)
    return answer.code, {each["name"]: each for each in answer.json}


def test_a_fresh_deployment_is_well(shell: Shell, free: int) -> None:
    code, found = _found(shell)
    assert code == 0
    assert {name: each["state"] for name, each in found.items()} == dict.fromkeys(
        ("configuration", "private", "data dir", "lists", "store", "clock", "log", "port"), "ok"
    )


def test_a_folder_that_cannot_be_written_is_bad_and_the_rest_is_still_looked_at(shell: Shell, free: int) -> None:
    (shell.folder / "data").write_text("a file")
    code, found = _found(shell)
    assert code == 1
    assert [name for name, each in found.items() if each["state"] == "bad"] == ["data dir", "store", "log"]
    assert all(each["way_out"] for each in found.values() if each["state"] == "bad")
    assert found["port"]["state"] == "ok"


def test_a_port_that_something_else_has_is_bad(shell: Shell, free: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free))
        other.listen()
        other.settimeout(0.1)
        shell.patch.setattr("hub.cli.doctoring.ANSWER_S", 0.2)
        code, found = _found(shell)
    assert code == 1
    assert "HTTP_PORT" in found["port"]["way_out"]


def test_an_open_address_without_tls_is_bad(shell: Shell, free: int) -> None:
    shell.patch.setenv("CTIHUB_HTTP_HOST", "0.0.0.0")
    code, found = _found(shell)
    assert code == 1
    assert "--behind-proxy" in found["private"]["way_out"]


def test_an_unknown_variable_and_an_unknown_list_are_named(shell: Shell, free: int) -> None:
    shell.patch.setenv("CTIHUB_HTTP_PROT", "1")
    shell.patch.setenv("CTIHUB_HELD_LISTS", "tranco10")
    code, found = _found(shell)
    assert code == 1
    assert found["configuration"]["state"] == "note"
    assert "CTIHUB_HTTP_PORT" in found["configuration"]["message"]
    assert "tranco10" in found["lists"]["message"]


def test_a_clock_behind_what_the_store_has_seen_is_bad(shell: Shell, free: int) -> None:
    shell.done("operator", "add", "root")
    with sqlite3.connect(shell.folder / "data/store.sqlite") as store:
        store.execute("update policy_changes set at_us = at_us + 3600000000")
    store.close()
    code, found = _found(shell)
    assert code == 1
    assert "NTP" in found["clock"]["way_out"]


def test_what_waits_is_noted(shell: Shell, free: int) -> None:
    shell.done("collection", "add", "east", "--tlp", "amber", "--group", "network")
    code, found = _found(shell)
    assert code == 0
    assert found["policy"]["state"] == "note"


def test_a_certificate_is_read_with_its_key(shell: Shell, free: int) -> None:
    certificate, key = shell.folder / "certificate.pem", shell.folder / "key.pem"
    for path, content in zip((key, certificate), Authority.make(shell.folder).issue("localhost"), strict=True):
        path.write_bytes(content)
    shell.patch.setenv("CTIHUB_TLS_CERT", str(certificate))
    shell.patch.setenv("CTIHUB_TLS_KEY", str(key))
    assert _found(shell)[1]["tls"]["state"] == "ok"
    shell.patch.setenv("CTIHUB_TLS_KEY", str(certificate))
    code, found = _found(shell)
    assert (code, found["tls"]["state"]) == (1, "bad")


def test_a_person_sees_what_to_do(shell: Shell, free: int) -> None:
    shell.patch.setenv("CTIHUB_HTTP_HOST", "0.0.0.0")
    answer = shell("doctor")
    assert answer.code == 1
    assert "→ Set TLS_CERT" in answer.out
