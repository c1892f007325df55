"""kill -9 of any part of a scaled hub at random moments, broker and database too: every door equal, exactly once."""

from __future__ import annotations

import os
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scaled import ScaledHub, ensure_equal
from tests.running import in_threads, push_all
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.synthetic import indicators
from tests.waiting import WITHIN_S, wait_until

pytestmark = pytest.mark.faults

CENTRES = ("ro", "it", "pl")
ROUNDS = int(os.environ.get("CTIHUB_TEST_ROUNDS", "1"))
OBJECTS = 50_000 if ROUNDS >= 20 else 4_000
PARTS = ("worker-1", "relay", "doors", "kafka", "postgres", "worker-2")


def test_killing_any_part_loses_and_doubles_nothing(
    tmp_path: Path, kafka: KafkaServer, own_postgres: PostgresServer, own_postgres_url: str
) -> None:
    lines, truth = indicators(OBJECTS, centres=len(CENTRES), seed=11)
    hub = ScaledHub(tmp_path, kafka, own_postgres_url)
    hub.doors.register(CENTRES)
    moments = random.Random(ROUNDS)

    def kill_and_restart() -> None:
        for part in PARTS * ROUNDS:
            time.sleep(moments.uniform(0.1, 0.8))  # the moment of the crash is the random part, nothing is waited for
            match part:
                case "kafka":
                    kafka.kill()
                    kafka.restart()
                case "postgres":
                    own_postgres.kill()
                    own_postgres.restart()
                case role:
                    hub.kill(role)
                    hub.start(role)

    def push_everything() -> None:
        pairs = zip(CENTRES, lines, strict=True)
        in_threads(*(partial(push_all, hub.doors, name, some, batch=250) for name, some in pairs))

    with hub.running():
        in_threads(kill_and_restart, push_everything)
        for name in ("public", "community", "network"):
            ensure_equal(hub, name, truth.live[name])


def test_while_the_broker_is_away_a_push_is_told_to_come_again_and_nothing_is_lost(
    tmp_path: Path, kafka: KafkaServer, postgres_url: str
) -> None:
    import httpx

    lines, truth = indicators(300, centres=1, seed=5)
    hub = ScaledHub(tmp_path, kafka, postgres_url, workers=1)
    hub.doors.register(("ro",))
    with hub.running():
        push_all(hub.doors, "ro", lines[0][:100])
        kafka.kill()
        answer = httpx.post(
            f"{hub.doors.url}/v1/intake", content=b"\n".join(lines[0][100:200]), timeout=WITHIN_S, trust_env=False,
            headers={"Authorization": f"Bearer {hub.doors.tokens['ro']}", "Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert httpx.get(f"{hub.doors.url}/readyz", timeout=WITHIN_S, trust_env=False).status_code == 503
        assert _status(hub) == {"lag": None, "push": "down", "kafka": "down"}
        in_threads(lambda: push_all(hub.doors, "ro", lines[0][100:]), kafka.restart)
        assert hub.doors.last_seq("network", "ro") > 0
        live = [obj for obj in hub.doors.pulled("network", "ro", versions="last") if not obj.get("revoked")]
        assert sum(obj["type"] == "indicator" for obj in live) == truth.live["network"]
        done = {"lag": 0, "push": "up", "kafka": "up", "kafka lag": 0}
        wait_until(lambda: _status(hub) == done, what="everything is carried and relayed")


def _status(hub: ScaledHub) -> dict[str, Any]:
    """What the doors say of the flow, as the centre ``ro`` sees it."""
    with hub.doors.client("ro") as client:
        status = client.status()
    doors = {door.name: door for door in status.doors}
    told = {"lag": status.centres[0].lag, "push": doors["push"].state, "kafka": doors["kafka"].state}
    return told if doors["kafka"].lag is None else told | {"kafka lag": doors["kafka"].lag}
