"""token add, list, rotate, remove, and --overlap of all rotations: options, JSON fields and exit codes."""

from __future__ import annotations

import pytest

from hub.model.times import parse_us
from tests.cli.admin import Shell

DAY_US = 86_400_000_000


@pytest.fixture
def there(shell: Shell) -> Shell:
    """A shell whose hub has the centre ``ro``, the member ``soc`` and the operator ``root``."""
    shell.done("centre", "add", "ro", "--country", "RO")
    shell.done("member", "add", "soc", "--accredited-by", "ro")
    shell.done("operator", "add", "root")
    return shell


def test_token_add_prints_what_it_allows_and_the_token_once(there: Shell) -> None:
    words = ["--collection", "public", "--collection", "community", "--read-only", "--network", "192.0.2.0/24"]
    words += ["--network", "2001:db8::7", "--until", "2099-01-01T12:00:00Z"]
    added = there.done("token", "add", "soc", "fw1", *words)
    token = added.pop("token")
    assert token.startswith("ctihub_")
    assert added | {"created": ""} == {
        "name": "fw1",
        "id": None,
        "principal": "soc",
        "user": "soc.fw1",
        "rights": "read",
        "collections": ["community", "public"],
        "networks": ["192.0.2.0/24", "2001:db8::7/128"],
        "until": "2099-01-01T12:00:00.000Z",
        "state": "valid",
        "prefix": token[:11],
        "created": "",
        "rotated": None,
        "last_used": None,
        "last_refused": None,
        "why_refused": None,
        "older": [],
    }
    assert added in there.done("token", "list")
    assert token not in there("token", "list").out
    assert token not in there("token", "list", "--json").out


def test_without_options_a_token_allows_all_that_its_principal_may(there: Shell) -> None:
    added = there.done("token", "add", "ro", "feed")
    assert (added["rights"], added["collections"], added["networks"]) == ("read and push", None, [])
    assert added["until"] is None
    assert there.done("token", "add", "ro", "in", "--push-only")["rights"] == "push"


def test_a_token_of_an_operator_pushes_nothing_and_is_not_shown_as_if_it_did(there: Shell) -> None:
    added = there.done("token", "add", "root", "console")
    shown = {one["user"]: one["rights"] for one in there.done("token", "list")}
    assert added["rights"] == shown["root"] == shown["root.console"] == "read"
    assert shown["soc"] == "read and push"


def test_token_list_has_each_principal_s_own_token_too_and_can_be_of_one(there: Shell) -> None:
    there.done("token", "add", "soc", "fw1")
    assert [one["user"] for one in there.done("token", "list")] == ["ro", "root", "soc", "soc.fw1"]
    assert [one["user"] for one in there.done("token", "list", "soc")] == ["soc", "soc.fw1"]
    assert "soc.fw1" in there("token", "list").out
    there.done("member", "suspend", "soc")
    assert {one["state"] for one in there.done("token", "list", "soc")} == {"suspended"}


@pytest.mark.parametrize(("words", "days"), [(["--overlap"], 1), (["--overlap", "7d"], 7), (["--overlap", "48h"], 2)])
def test_a_rotation_with_an_overlap_says_until_when_the_old_one_works(
    there: Shell, words: list[str], days: int
) -> None:
    old = there.done("token", "add", "soc", "fw1")
    new = there.done("token", "rotate", "soc", "fw1", *words)
    assert new["token"] != old["token"]
    (older,) = new["older"]
    assert older["prefix"] == old["prefix"]
    assert parse_us(older["until"]) == pytest.approx(parse_us(new["rotated"]) + days * DAY_US, abs=1_000)
    (listed,) = (one for one in there.done("token", "list") if one["user"] == "soc.fw1")
    assert listed["older"] == new["older"]


def test_a_plain_rotation_has_no_overlap(there: Shell) -> None:
    there.done("token", "add", "soc", "fw1")
    assert there.done("token", "rotate", "soc", "fw1")["older"] == []


@pytest.mark.parametrize(("kind", "name"), [("centre", "ro"), ("member", "soc"), ("operator", "root")])
def test_every_principal_s_own_token_rotates_with_an_overlap(there: Shell, kind: str, name: str) -> None:
    for words in ([name, "--overlap"], ["--overlap", name], [name, "--overlap", "2h"], ["--overlap", "2h", name]):
        assert there.done(kind, "rotate", *words)["token"].startswith("ctihub_")
    (listed,) = (one for one in there.done("token", "list") if one["user"] == name)
    assert len(listed["older"]) == 4


def test_a_removed_token_is_not_listed(there: Shell) -> None:
    there.done("token", "add", "soc", "fw1")
    assert there.done("token", "remove", "soc", "fw1") == {"name": "fw1", "principal": "soc"}
    assert [one["user"] for one in there.done("token", "list", "soc")] == ["soc"]


@pytest.mark.parametrize(("kind", "name"), [("centre", "ro"), ("member", "soc")])
def test_show_has_the_last_use_of_any_token(there: Shell, kind: str, name: str) -> None:
    assert there.done(kind, "show", name)["last_used"] is None


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "soc", "fw1", "--read-only", "--push-only"], 2, "neither"),
        (["add", "soc", "fw1", "--network", "192.0.2.1/24"], 2, "is not a network"),
        (["add", "soc", "fw1", "--until", "yesterday"], 2, "is not a time"),
        (["add", "soc", "a.b"], 2, "is no name of a token"),
        (["add", "nobody", "fw1"], 1, "There is no principal"),
        (["add", "soc", "fw1", "--collection", "none"], 1, "There is no collection"),
        (["rotate", "soc", "fw9"], 1, "has no token"),
        (["rotate", "soc", "fw9", "--overlap", "0s"], 2, "is not a duration"),
        (["remove", "soc", "fw9"], 1, "has no token"),
        (["list", "nobody"], 1, "There is no principal"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(there: Shell, words: list[str], code: int, says: str) -> None:
    answer = there("token", *words)
    assert answer.code == code, answer
    assert says in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_what_does_not_hold_on_kafka_is_said(there: Shell) -> None:
    assert "not valid on Kafka" in there("token", "add", "soc", "fw1", "--network", "192.0.2.0/24").out
    assert "not valid on Kafka" not in there("token", "add", "soc", "fw2", "--network", "192.0.2.7").out
    assert "on Kafka the new one alone" in there("token", "rotate", "soc", "fw1", "--overlap").out
