"""``ctihub webhook`` as scripts use it, against a hub that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.cli.admin import Shell
from tests.doors.hubs import GREEN, addresses
from tests.doors.receivers import a_receiver_in_threads
from tests.running import RunningHub
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    found = RunningHub(
        tmp_path_factory.mktemp("webhooks") / "hub",
        {"CTIHUB_WEBHOOK_ALLOW": "127.0.0.0/8", "CTIHUB_WEBHOOK_HTTP": "true"},
    )
    found.register(["ro"])
    found.start()
    yield found
    found.stop()


def test_a_webhook_from_its_first_to_its_last_command(hub: RunningHub, shell: Shell) -> None:
    secret: list[str] = []
    at = ["--url", hub.url, "--token", hub.tokens["soc"]]
    with a_receiver_in_threads(lambda _: True, secret) as (url, posted):
        assert shell.done("webhook", "list", *at) == []
        added = shell.done("webhook", "add", "community", url, "--type", "indicator", "--min-confidence", "10", *at)
        secret.append(added["secret"])
        assert shell.done("webhook", "test", added["id"], *at)["taken"] is True
        with hub.client("ro") as client:
            client.push([orjson.dumps(one) for one in addresses(3, object_marking_refs=GREEN, confidence=50)])
        wait_until(lambda: len(posted) >= 2, what="the changes")
        (listed,) = shell.done("webhook", "list", *at)
        assert listed["id"] == added["id"]
        assert "secret" not in listed
        assert shell.done("webhook", "resume", added["id"], *at)["state"] == "active"
        assert shell.done("webhook", "remove", added["id"], *at)["url"] == url
        assert shell.done("webhook", "list", *at) == []


def test_the_secret_is_shown_once_to_people_too(hub: RunningHub, shell: Shell) -> None:
    at = ["--url", hub.url, "--token", hub.tokens["ro"]]
    shown = shell("webhook", "add", "community", "https://soc.example/", *at).out
    assert "whsec_" in shown
    assert "shown this once" in shown
    listed = shell("webhook", "list", *at).out
    assert "https://soc.example/" in listed
    assert "whsec_" not in listed


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "community", "https://10.0.0.1/"], 1, "not a public address"),
        (["add", "community", "https://soc.example/", "--from", "yesterday"], 1, "from"),
        (["add", "nothing", "https://soc.example/"], 1, "no such collection"),
        (["test", "nothing"], 1, "no such webhook"),
        (["remove", "../webhooks"], 1, "no"),
    ],
)
def test_what_cannot_be_is_said(hub: RunningHub, shell: Shell, words: list[str], code: int, says: str) -> None:
    answer = shell("webhook", *words, "--url", hub.url, "--token", hub.tokens["soc"])
    assert answer.code == code
    assert says in answer.err


def test_a_receiver_that_does_not_take_a_test_ends_it_with_1(hub: RunningHub, shell: Shell) -> None:
    at = ["--url", hub.url, "--token", hub.tokens["soc"]]
    added = shell.done("webhook", "add", "community", "http://127.0.0.1:9999/", *at)
    answer = shell("webhook", "test", added["id"], *at)
    assert answer.code == 1
    assert "not accepted" in answer.err
    shell.done("webhook", "remove", added["id"], *at)


def test_a_network_that_is_none_is_refused_when_the_hub_starts(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctihub.toml").write_text('WEBHOOK_ALLOW = "10.1.0.0/99"')
    answer = shell("serve", "--config", str(tmp_path / "ctihub.toml"))
    assert answer.code == 2
    assert "WEBHOOK_ALLOW" in answer.err
