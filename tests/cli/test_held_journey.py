"""The operator's decisions on a running hub with its own lists: held, let in, kept out, overtaken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.admin import Shell
from tests.running import RunningHub, fetch
from tests.story import TLP, an_indicator
from tests.waiting import WITHIN_S, wait_until

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"
DNS = an_indicator("8.8.8.8", "resolver", tlp="clear")
EVERYONE = an_indicator("0.0.0.0/0", "everyone", tlp="clear")
SUFFIX = an_indicator("[domain-name:value = 'co.uk']", "suffix", tlp="clear")
NORMAL = an_indicator("203.0.113.77", "normal", tlp="clear")
ASKED = [DNS, EVERYONE, SUFFIX, NORMAL]
assert all(TLP["clear"] in one["object_marking_refs"] for one in ASKED)


@pytest.fixture
def hub(tmp_path: Path, shell: Shell) -> Iterator[RunningHub]:
    """A hub that holds what it holds by default, in the folder that the shell's commands work on."""
    hub = RunningHub(tmp_path / "data", environment={"CTIHUB_HELD_LISTS": "default"})
    hub.register(["ro"])
    with hub.running():
        yield hub


def push(hub: RunningHub, *objects: Any) -> tuple[int, int]:
    """How many objects were accepted, and how many are held."""
    with hub.client("ro") as client:
        taken = client.push([json.dumps(one).encode() for one in objects])
        receipt = client.completed(taken.status_url, within_s=WITHIN_S)
    assert receipt.accepted + receipt.held == len(objects), receipt
    return receipt.accepted, receipt.held


def shown(hub: RunningHub) -> set[str]:
    """The patterns that the public collection holds."""
    found = {one["id"]: one for one in hub.pulled("public", "soc") if one["type"] == "indicator"}
    return {one["pattern"] for one in found.values() if not one.get("revoked")}


def shows(hub: RunningHub, *patterns: str) -> None:
    wait_until(lambda: shown(hub) == set(patterns), what=f"{patterns} and nothing else is shown")


def test_what_lists_hold_waits_for_the_operator_who_lets_it_in_or_keeps_it_out(hub: RunningHub, shell: Shell) -> None:
    assert push(hub, *ASKED) == (1, 3)
    shows(hub, NORMAL["pattern"])

    waiting = shell.done("held", "list")
    assert [(one["centre"], one["id"], one["state"]) for one in waiting] == [
        ("ro", one["id"], "waiting") for one in (DNS, EVERYONE, SUFFIX)
    ]
    by_list = {one["id"]: one["list"] for one in waiting}
    assert by_list[EVERYONE["id"]] == by_list[SUFFIX["id"]] == "ctihub"
    assert by_list[DNS["id"]] != "ctihub"
    assert [one["id"] for one in shell.done("held", "list", "--list", by_list[DNS["id"]])] == [DNS["id"]]
    found = shell.done("held", "show", str(waiting[0]["no"]))
    assert json.loads(found["value"]) == DNS

    assert shell.done("held", "refuse", "--list", "ctihub") == {"refused": 2}
    assert shell.done("held", "release", "--list", by_list[DNS["id"]], "--centre", "ro") == {"released": 1}
    shows(hub, NORMAL["pattern"], DNS["pattern"])
    assert shell.done("held", "list") == []
    assert sorted(one["state"] for one in shell.done("held", "list", "--all")) == ["refused", "refused", "taken"]


def test_what_was_let_in_is_taken_back_by_its_centre_without_asking_the_operator(hub: RunningHub, shell: Shell) -> None:
    assert push(hub, DNS) == (0, 1)
    assert shell.done("held", "release", "--all") == {"released": 1}
    shows(hub, DNS["pattern"])
    assert push(hub, {**DNS, "modified": "2026-01-01T00:00:00.000Z", "revoked": True}) == (1, 0)
    shows(hub)


def test_a_good_version_stands_although_an_older_one_is_let_in_afterwards(hub: RunningHub, shell: Shell) -> None:
    assert push(hub, DNS) == (0, 1)
    mended = {**DNS, "modified": "2026-01-01T00:00:00.000Z", "pattern": NORMAL["pattern"]}
    assert push(hub, mended) == (1, 0)
    assert shell.done("held", "release", "--all")["released"] <= 1
    shows(hub, NORMAL["pattern"])
    assert push(hub, EVERYONE) == (0, 1)
    shows(hub, NORMAL["pattern"])


def listed(hub: RunningHub, query: str = "") -> set[str]:
    """What anybody gets for a firewall."""
    answer = fetch(f"{hub.url}/v1/collections/public/export.txt{query}")
    assert answer.status_code == 200, answer.text
    return set(answer.text.splitlines())


def test_poison_in_any_disguise_reaches_no_list_and_what_is_let_in_does(hub: RunningHub, shell: Shell) -> None:
    poison = json.loads((REAL_LIFE / "poison-in-disguise.json").read_text())["objects"]
    poison += [json.loads(line) for line in (REAL_LIFE / "sec-poison-other-kinds.ndjson").read_text().splitlines()]
    clear = [{**one, "object_marking_refs": [TLP["clear"]]} for one in poison]
    assert push(hub, *clear, DNS, NORMAL) == (1, len(poison) + 1)
    shows(hub, NORMAL["pattern"])
    assert listed(hub) == {"203.0.113.77"}
    [number] = [str(one["no"]) for one in shell.done("held", "list") if one["id"] == DNS["id"]]
    assert shell.done("held", "release", number) == {"released": 1}
    shows(hub, NORMAL["pattern"], DNS["pattern"])
    assert listed(hub) == listed(hub, "?type=ipv4-addr") == {"203.0.113.77", "8.8.8.8"}
