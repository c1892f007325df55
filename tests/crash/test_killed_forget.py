"""kill -9 of ``ctihub forget`` in the middle, beside a hub and a push: the hub finishes it, and no byte is left."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningHub, in_threads, push_all
from tests.story import an_indicator
from tests.traces import traces_in_folder
from tests.waiting import LONG_S, wait_until

pytestmark = pytest.mark.faults

NAME = "Alice Muster-Example"
ROUNDS = int(os.environ.get("CTIHUB_TEST_ROUNDS", "3"))
OBJECTS = 1_500


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    found = RunningHub(tmp_path / "hub")
    found.register(("ro", "it"), default_tlp="green")
    found.start()
    yield found
    found.stop()


def lines(name: str) -> list[bytes]:
    """Indicators of which every other one mentions a person."""
    return [
        json.dumps(
            an_indicator(f"203.0.{n // 200}.{n % 200}", f"{name} {n}", description=f"by {NAME if n % 2 else 'others'}")
        ).encode()
        for n in range(OBJECTS)
    ]


def test_what_was_interrupted_is_finished_by_the_hub_and_nothing_is_left(hub: RunningHub) -> None:
    push_all(hub, "ro", lines("ro"))
    moments = random.Random(ROUNDS)
    with forgetting(hub, NAME, "--reason", "asked for") as begun:
        assert begun.stderr is not None
        assert b"Request 1" in begun.stderr.readline()
        time.sleep(moments.uniform(0.0, 0.4))  # the moment of the crash is the random part
        begun.kill()

    def kill_again_and_again() -> None:
        for _ in range(ROUNDS):
            with forgetting(hub, "--resume") as process:
                time.sleep(moments.uniform(0.3, 1.2))
                process.kill()
        hub.kill()
        hub.start()

    in_threads(kill_again_and_again, lambda: push_all(hub, "it", lines("it")))
    (row,) = wait_until(lambda: _if_done(hub), within_s=LONG_S)
    assert row["claims"] == OBJECTS // 2
    assert row["records"] >= OBJECTS // 2
    answer(hub, "forget", "--resume")  # what was sent again, which the hub erases within a minute
    answer(hub, "verify")
    hub.stop()
    assert traces_in_folder(hub.folder, NAME) == []


def _if_done(hub: RunningHub) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = json.loads(answer(hub, "forget", "--json"))
    return rows if all(row["state"] == "done" for row in rows) else None


def answer(hub: RunningHub, *words: str) -> bytes:
    """What a command prints beside the hub; it must end with 0."""
    with forgetting(hub, *words[1:], command=words[0]) as process:
        printed, errors = process.communicate(timeout=LONG_S)
    assert process.returncode == 0, (printed, errors)
    return printed


def forgetting(hub: RunningHub, *words: str, command: str = "forget") -> subprocess.Popen[bytes]:
    """A command beside the hub."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
    environment |= hub.environment | {"CTIHUB_DATA_DIR": str(hub.folder)}
    line = [sys.executable, "-m", "hub.cli", command, *words]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
