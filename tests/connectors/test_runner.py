"""The runner: only what was acknowledged is remembered, also when it is killed; what it reads is bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.sdk import (
    Acknowledged,
    Checkpoint,
    CheckpointFile,
    Connector,
    ConnectorSettings,
    Item,
    LeftOut,
    LeftOutCounts,
    Runner,
    SourceFailed,
    TryLater,
    WrongSettings,
)
from connectors.sdk.publisher import as_line, batches
from connectors.sdk.testing import ConnectorContract, Kept
from tests.connectors.small_hub import TOKEN, SmallHub
from tests.waiting import wait_until


class Counting(Connector[ConnectorSettings]):
    """Counts to ten, and may fail before a number."""

    name: ClassVar[str] = "counting"
    summary: ClassVar[str] = "Numbers"
    Settings: ClassVar[type[ConnectorSettings]] = ConnectorSettings

    def __init__(self, *, fails_before: int = 0) -> None:
        super().__init__(ConnectorSettings())
        self.fails_before = fails_before
        self.taken = 0

    def items(self, checkpoint: Checkpoint) -> Iterator[Item]:
        for number in range(int(checkpoint.get("done", 0)) + 1, 11):
            if number == self.fails_before:
                raise SourceFailed("test.failed", "The source is broken.")
            self.taken = number
            yield Item({"number": number}, {"done": number})


def numbers(bodies: Sequence[bytes]) -> list[int]:
    return [json.loads(body)["number"] for body in bodies]


class TestCounting(ConnectorContract):
    def connector(self, tmp_path: Path) -> Connector[Any]:
        return Counting()


def test_what_was_read_before_the_source_broke_is_published_and_remembered(tmp_path: Path) -> None:
    kept, checkpoints = Kept(), CheckpointFile(tmp_path / "state.json", connector="counting")
    with pytest.raises(SourceFailed, match="broken"):
        Runner(Counting(fails_before=8), kept, checkpoints, batch_objects=3).run()
    assert numbers(kept.bodies) == [1, 2, 3, 4, 5, 6, 7]
    assert checkpoints.load() == {"done": 7}


def test_the_checkpoint_never_runs_ahead_of_the_acknowledgement(tmp_path: Path) -> None:
    checkpoints = CheckpointFile(tmp_path / "state.json", connector="counting")
    seen: list[Checkpoint] = []

    class Asking(Kept):
        def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
            seen.append(checkpoints.load())
            return super().publish(bodies)

    Runner(Counting(), Asking(), checkpoints, batch_objects=4).run()
    assert seen == [{}, {"done": 4}, {"done": 8}]
    assert checkpoints.load() == {"done": 10}


def test_what_is_left_out_is_counted_with_its_first_place() -> None:
    counts = LeftOutCounts()
    counts.add("no value")
    counts.add("no value", "line 3:\ta\n" + "b" * 500)
    before = counts.by_reason()
    counts.add("no value", "line 9", count=5)
    assert before == {"no value": LeftOut(2, "line 3: a " + "b" * 109 + "…")}
    assert counts.by_reason()["no value"].count == 7
    counts.clear()
    assert counts.by_reason() == {}


def test_one_batch_is_read_while_one_is_on_its_way_and_no_more() -> None:
    connector, going, read_ahead = Counting(), threading.Event(), []

    class Slow(Kept):
        def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
            if not going.is_set():
                wait_until(lambda: connector.taken >= 5, what="the next batch to be read")
                read_ahead.append(connector.taken)
                going.set()
            return super().publish(bodies)

    report = Runner(connector, Slow(), batch_objects=2).run()
    assert read_ahead == [5]  # a batch on its way, one ready, and the first item that did not fit into it
    assert (report.objects, report.batches) == (10, 5)


def test_a_publisher_that_gives_up_ends_the_run_where_it_was(tmp_path: Path) -> None:
    kept, checkpoints = Kept(fails_at=[3]), CheckpointFile(tmp_path / "state.json", connector="counting")
    runner = Runner(Counting(), kept, checkpoints, batch_objects=2)
    with pytest.raises(TryLater):
        runner.run()
    assert checkpoints.load() == {"done": 4}
    assert runner.report.objects == 4


def test_batches_stay_below_both_limits_and_keep_the_order() -> None:
    bodies = [b"%03d" % n for n in range(100)]
    made = list(batches(map(Item, bodies), limit_objects=7, limit_bytes=1_000))
    assert [body for batch in made for body in batch.bodies] == bodies
    assert max(len(batch.bodies) for batch in made) == 7
    made = list(batches(map(Item, [*bodies, b"x" * 500, b"y"]), limit_objects=1_000, limit_bytes=100))
    assert all(batch.size_bytes <= 101 or len(batch.bodies) == 1 for batch in made)


def test_a_body_becomes_one_line_whatever_it_holds() -> None:
    assert as_line({"a": 1}) == b'{"a":1}'
    assert as_line({"a": 1 << 70}) == b'{"a":1180591620717411303424}'
    assert as_line({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    assert as_line(b'{"a":\r\n1}') == b'{"a":\t\t1}'


def test_a_checkpoint_file_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "state.json"
    checkpoints = CheckpointFile(path, connector="x")
    checkpoints.save({"a": 1})
    checkpoints.save({"a": 2})
    assert checkpoints.load() == {"a": 2}
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "[]", '{"connector":"x"}', '{"connector":"other","checkpoint":{}}'])
def test_a_checkpoint_file_that_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(WrongSettings, match="cannot be read") as raised:
        CheckpointFile(path, connector="x").load()
    assert "another --state" in raised.value.way_out


KILLED = """
import sys
from connectors.sdk import CheckpointFile, Runner
from connectors.sdk.client import HubClient
from connectors.sdk.http import HttpPublisher
from connectors.stix_file import StixFileConnector, StixFileSettings
from pathlib import Path
url, token, path, state = sys.argv[1:]
connector = StixFileConnector(StixFileSettings(path=path))
publisher, checkpoints = HttpPublisher(HubClient(url, token)), CheckpointFile(Path(state), connector="x")
Runner(connector, publisher, checkpoints, batch_objects=100).run()
"""


def test_killed_again_and_again_it_loses_nothing_and_keeps_the_order(tmp_path: Path, hub: SmallHub) -> None:
    objects = [{"type": "indicator", "id": f"indicator--{n}"} for n in range(10_000)]
    (tmp_path / "feed.json").write_text(json.dumps({"type": "bundle", "objects": objects}))
    command = [sys.executable, "-c", KILLED, hub.url, TOKEN, str(tmp_path / "feed.json"), str(tmp_path / "state.json")]
    for kill_at in (500, 1_500, 4_000, 7_000):
        if kill_at == 4_000:
            hub.plan.append("lost")
        process = subprocess.Popen(command)
        wait_until(lambda at=kill_at: len(hub.lines) >= at)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, check=False).returncode == 0
    first_seen = list(dict.fromkeys(hub.lines))
    assert [json.loads(line) for line in first_seen] == objects
    assert len(hub.lines) < 12_000
