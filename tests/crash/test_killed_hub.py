"""kill -9 of ``ctihub serve`` at random moments during a push: nothing is lost, doubled or skipped, on any door."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.running import RunningHub, in_threads, push_all
from tests.synthetic import indicators
from tests.waiting import wait_until

pytestmark = pytest.mark.faults

CENTRES = ("ro", "it", "pl")
ROUNDS = int(os.environ.get("CTIHUB_TEST_ROUNDS", "4"))
OBJECTS = 50_000 if ROUNDS >= 20 else 6_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    found = RunningHub(tmp_path / "hub")
    found.register(CENTRES)
    found.start()
    yield found
    found.stop()


def test_a_hub_that_is_killed_again_and_again_loses_and_doubles_nothing(hub: RunningHub) -> None:
    lines, truth = indicators(OBJECTS, centres=len(CENTRES), seed=7)
    moments = random.Random(ROUNDS)
    over = False

    def kill_and_restart() -> None:
        for _ in range(ROUNDS):
            time.sleep(moments.uniform(0.2, 1.2))  # the moment of the crash is the random part, nothing is waited for
            hub.kill()
            hub.start()
            if over:
                return

    def push_everything() -> None:
        nonlocal over
        pairs = zip(CENTRES, lines, strict=True)
        in_threads(*(partial(push_all, hub, name, some, batch=500) for name, some in pairs))
        over = True

    in_threads(kill_and_restart, push_everything)
    for name in ("public", "community", "network"):
        reader = "ro" if name == "network" else "soc"
        wait_until(lambda n=name, r=reader: hub.last_seq(n, r) > 0)  # type: ignore[misc]
        last = hub.last_seq(name, reader)
        seen = hub.streamed(name, reader, lambda count, last=last: count >= last)  # type: ignore[misc]
        assert [seq for seq, _ in seen] == list(range(1, last + 1))
        state: dict[str, dict[str, object]] = {}
        versions = []
        for _, what in seen:
            if isinstance(what, str):
                state.pop(what)
            else:
                state[str(what["id"])] = what
                versions.append((what["id"], what.get("modified")))
        assert len(versions) == len(set(versions)), "a version came twice"
        assert sum(obj["type"] == "indicator" for obj in state.values()) == truth.live[name]
        pulled = [obj for obj in hub.pulled(name, reader) if not obj.get("revoked")]
        assert [(obj["id"], obj.get("modified")) for obj in pulled] == versions
