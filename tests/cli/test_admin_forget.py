"""``ctihub forget``, as scripts rely on it."""

from __future__ import annotations

import io

import pytest

from tests.cli.admin import Shell
from tests.traces import traces_in_folder

MAIL = "alice.muster@mail.example"


@pytest.fixture(autouse=True)
def _hub(shell: Shell) -> None:
    shell.done("centre", "list")


def test_what_was_not_there_ends_with_1_and_is_remembered_until_that_is_lifted(shell: Shell) -> None:
    asked = shell("forget", MAIL, "--reason", "asked for", "--case", "7/26", "--json")
    assert asked.code == 1
    assert "ctihub forget --lift 1" in asked.err
    assert MAIL not in asked.out + asked.err
    (row,) = shell.done("forget")
    said = {name: row[name] for name in ("no", "reason", "case", "state", "claims")}
    assert said == {"no": 1, "reason": "asked for", "case": "7/26", "state": "done", "claims": 0}
    assert row["who"]
    assert [one["state"] for one in shell.done("forget", "--lift", "1")] == ["lifted"]
    assert shell("forget", "--lift", "2").code == 1
    assert traces_in_folder(shell.folder, MAIL) == []


def test_the_value_can_be_read_from_standard_input(shell: Shell) -> None:
    shell.patch.setattr("sys.stdin", io.StringIO(f"{MAIL}\n"))
    assert shell("forget", "-", "--reason", "asked for").code == 1
    assert [one["no"] for one in shell.done("forget")] == [1]


def test_what_the_registry_says_is_changed_there_first(shell: Shell) -> None:
    added = shell.done("centre", "add", "cert-ro", "--country", "RO")
    for said in ("cert-ro", added["id"], "community"):
        refused = shell("forget", said, "--reason", "asked for")
        assert (refused.code, "registry" in refused.err) == (1, True)
    assert shell.done("forget") == []


def test_a_dry_run_remembers_nothing(shell: Shell) -> None:
    assert shell.done("forget", MAIL, "--dry-run") == []
    assert shell.done("forget") == []


@pytest.mark.parametrize(
    "words",
    [
        (MAIL,),
        ("--reason", "asked for"),
        (MAIL, "--reason", f"{MAIL.upper()} has asked for it"),
        ("abc", "--reason", "too short"),
        ("2027", "--reason", "every object of that year says it"),
        ("2026-11", "--reason", "and of that month"),
        ("Amber", "--reason", "a marking says it"),
        ("https://", "--reason", "what is left without its address"),
        ("relationship", "--reason", "a type"),
        ("[email-addr:value =", "--reason", "no pattern"),
        (MAIL, "--resume", "--reason", "both"),
        (MAIL, "--notice", "91", "--reason", "for too long"),
    ],
)
def test_half_a_request_is_wrong_usage(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell("forget", *words).code == 2
    assert shell.done("forget") == []
