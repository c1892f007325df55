"""``ctihub breaker`` and what ``doctor`` says of a mass withdrawal, as scripts rely on them."""

from __future__ import annotations

import sqlite3

import pytest

from tests.cli.admin import Shell


@pytest.fixture
def tripped(shell: Shell) -> Shell:
    """A terminal of a hub in which the breaker of a centre holds two withdrawals."""
    shell.done("centre", "add", "ro-cert", "--country", "RO")
    with sqlite3.connect(next(shell.folder.glob("data/*.sqlite"))) as store:
        store.execute("insert into breakers (source, minutes, tripped_us) values (1, '[]', 1790000000000000)")
        columns = "source, stix_id, code, list, says, value, stamp, idx, at_us, digest, withdrawal, state"
        for stix_id in ("tool--1", "tool--2"):
            row = (1, stix_id, "breaker.mass-withdrawal", "", "x", b"", b"s", 0, 0, b"", "stands", "waiting")
            store.execute(f"insert into held ({columns}) values ({', '.join('?' * len(row))})", row)
    store.close()
    return shell


def test_what_has_tripped_is_listed_and_doctor_says_what_to_do(tripped: Shell) -> None:
    rows = [{"centre": "ro-cert", "tripped": "2026-09-21T14:13:20.000Z", "held": 2}]
    assert tripped.done("breaker", "show") == rows
    assert tripped.done("breaker", "show", "ro-cert") == rows
    found = {each["name"]: each for each in tripped("doctor", "--json").json}
    assert found["breaker"]["state"] == "note"
    assert "ctihub breaker confirm ro-cert" in found["breaker"]["way_out"]
    assert tripped.done("held", "show", "1")["withdrawal"] == "stands"


def test_confirming_releases_all_of_it(tripped: Shell) -> None:
    assert tripped.done("breaker", "confirm", "ro-cert") == {"centre": "ro-cert", "confirmed": 2}
    assert tripped.done("breaker", "show") == []
    assert {each["state"] for each in tripped.done("held", "list", "--all")} == {"released"}
    again = tripped("breaker", "confirm", "ro-cert")
    assert again.code == 1
    assert "breaker.not-tripped" in again.err or "has not tripped" in again.err


def test_refusing_drops_all_of_it(tripped: Shell) -> None:
    assert tripped.done("breaker", "refuse", "ro-cert") == {"centre": "ro-cert", "refused": 2}
    assert {each["state"] for each in tripped.done("held", "list", "--all")} == {"refused"}
