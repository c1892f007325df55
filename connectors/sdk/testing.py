"""The contract of a connector as a test suite, so that an author's test has three lines.

    class TestMyFeed(ConnectorContract):
        def connector(self, tmp_path: Path) -> Connector[Any]:
            return MyFeed(MyFeedSettings(path=write_a_sample(tmp_path)))

pytest runs it; this module does not import pytest.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.sdk.checkpoints import CheckpointFile
from connectors.sdk.connector import Checkpoint, Connector, Item
from connectors.sdk.errors import SourceFailed, TryLater
from connectors.sdk.publisher import Acknowledged, as_line
from connectors.sdk.runner import Runner


class Kept:
    """A publisher that stores the objects in memory, and fails at given calls."""

    def __init__(self, fails_at: Sequence[int] = ()) -> None:
        self.bodies: list[bytes] = []
        self.withdrawn: list[str] = []
        self.too_large: list[int] = []
        self._fails_at = set(fails_at)
        self._calls = 0

    def publish(self, bodies: Sequence[bytes]) -> Acknowledged:
        """Store the objects; when it fails, half of them have arrived, as with a broken connection."""
        self._calls += 1
        if self._calls in self._fails_at:
            self.bodies += bodies[: len(bodies) // 2]
            raise TryLater("test.failed", "It fails here.")
        self.bodies += bodies
        return Acknowledged(len(bodies))

    def withdraw(self, ids: Sequence[str]) -> Acknowledged:
        """Store the ids."""
        self.withdrawn += ids
        return Acknowledged(len(ids))

    def close(self) -> None:
        """Nothing to release."""


class ConnectorContract(ABC):
    """Promises of ``Connector``, each a test. The source needs at least three objects and must not change.

    A connector for other systems' data should also define invalid sources: ``unusable``, ``blank``.
    """

    @abstractmethod
    def connector(self, tmp_path: Path) -> Connector[Any]:
        """Returns a new connector for the same source at each call (``tmp_path`` is the same within a test)."""

    def unusable(self, tmp_path: Path) -> Sequence[Connector[Any]]:
        """Returns connectors for sources with other content: a web page, an error, a login; empty if not applicable."""
        del tmp_path
        return ()

    def blank(self, tmp_path: Path) -> Sequence[Connector[Any]]:
        """Returns connectors for empty sources, without the setting that allows them."""
        del tmp_path
        return ()

    def test_a_source_that_gives_nothing_usable_has_failed_each_time_and_says_what_to_do(self, tmp_path: Path) -> None:
        for number, connector in enumerate([*self.unusable(tmp_path), *self.blank(tmp_path)]):
            checkpoints = CheckpointFile(tmp_path / f"bad-{number}.json", connector="contract")
            for _ in range(2):
                kept = Kept()
                failure = self._failure(connector, kept, checkpoints)
                assert failure is not None, f"number {number} of the bad sources passes for a quiet day"
                assert failure.code
                assert failure.says.endswith(".")
                assert failure.way_out.endswith(".")
                assert kept.bodies == []

    def test_nothing_new_since_the_checkpoint_is_no_failure(self, tmp_path: Path) -> None:
        checkpoints = CheckpointFile(tmp_path / "state.json", connector="contract")
        for _ in range(3):
            assert self._failure(self.connector(tmp_path), Kept(), checkpoints) is None

    def _failure(self, connector: Connector[Any], kept: Kept, checkpoints: CheckpointFile) -> SourceFailed | None:
        try:
            Runner(connector, kept, checkpoints).run()
        except SourceFailed as failure:
            return failure
        return None

    def test_it_has_a_name_a_summary_and_settings_that_explain_themselves(self, tmp_path: Path) -> None:
        kind = type(self.connector(tmp_path))
        assert kind.name == kind.name.lower()
        assert " " not in kind.name
        assert kind.summary
        for name, setting in kind.Settings.model_fields.items():
            assert setting.description, f"the setting {name} has no docstring"
        assert kind.Settings.model_config.get("extra") == "forbid"

    def test_it_gives_the_same_items_in_the_same_order_each_time(self, tmp_path: Path) -> None:
        first, second = self._bodies(tmp_path, {}), self._bodies(tmp_path, {})
        assert len(first) >= 3, "the sample is too small to say anything"
        assert first == second

    def test_it_goes_on_after_any_checkpoint_without_a_gap(self, tmp_path: Path) -> None:
        items = self._items(tmp_path, {})
        bodies = [as_line(item.body) for item in items]
        marked = [
            (place, _checkpoint(item)) for place, item in enumerate(items, start=1) if item.checkpoint is not None
        ]
        assert marked, "no item carries a checkpoint"
        for place, checkpoint in marked:
            rest = self._bodies(tmp_path, checkpoint)
            missing = len(bodies) - place
            assert rest[len(rest) - missing :] == bodies[place:], f"after item {place} it does not go on there"

    def test_a_checkpoint_stays_what_it_was_while_the_connector_goes_on(self, tmp_path: Path) -> None:
        given_out = [(item, _checkpoint(item)) for item in self.connector(tmp_path).items({}) if item.checkpoint]
        for item, before in given_out:
            assert _checkpoint(item) == before

    def test_a_run_that_fails_anywhere_and_is_repeated_loses_nothing(self, tmp_path: Path) -> None:
        bodies = self._bodies(tmp_path, {})
        for fails_at in range(1, len(bodies) + 1):
            kept = Kept([fails_at])
            checkpoints = CheckpointFile(tmp_path / f"state-{fails_at}.json", connector="contract")
            self._run(tmp_path, kept, checkpoints)
            assert set(kept.bodies) == set(bodies)
            assert kept.bodies[-1] == bodies[-1]

    def test_a_run_after_a_whole_one_needs_nothing_but_its_checkpoint(self, tmp_path: Path) -> None:
        checkpoints = CheckpointFile(tmp_path / "state.json", connector="contract")
        first, second = Kept(), Kept()
        self._run(tmp_path, first, checkpoints)
        self._run(tmp_path, second, checkpoints)
        assert set(second.bodies) <= set(first.bodies)

    def test_the_share_that_was_read_is_a_share(self, tmp_path: Path) -> None:
        connector = self.connector(tmp_path)
        shares = [connector.share_read() for _ in connector.items({})]
        assert all(share is None or 0.0 <= share <= 1.0 for share in shares)

    def _run(self, tmp_path: Path, kept: Kept, checkpoints: CheckpointFile) -> None:
        for _ in range(3):
            try:
                Runner(self.connector(tmp_path), kept, checkpoints, batch_objects=1).run()
            except TryLater:
                continue
            return
        raise AssertionError("it fails also when the publisher does not")

    def _items(self, tmp_path: Path, checkpoint: Checkpoint) -> list[Item]:
        return list(self.connector(tmp_path).items(checkpoint))

    def _bodies(self, tmp_path: Path, checkpoint: Checkpoint) -> list[bytes]:
        return [as_line(item.body) for item in self._items(tmp_path, checkpoint)]


def _checkpoint(item: Item) -> dict[str, Any]:
    """Returns a checkpoint as it is read from a file."""
    kept = item.checkpoint() if callable(item.checkpoint) else item.checkpoint
    read: dict[str, Any] = json.loads(json.dumps(kept))
    return read
