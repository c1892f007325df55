"""What a feed has published is remembered, so that all of it, or what its source lists no more, can be withdrawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.sdk import CheckpointFile, PublishedFile, Runner, SourceList, TryLater, WrongSettings
from connectors.sdk.published import published_beside
from connectors.sdk.publisher import ItemBatch
from connectors.sdk.testing import Kept
from connectors.stix_file import StixFileConnector, StixFileSettings


class Feed:
    """Lists in a folder, and what one connector has kept of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "lists"
        self.folder.mkdir()
        self.checkpoints = CheckpointFile(folder / "state.json", connector="stix-file")
        self.published = PublishedFile(published_beside(folder / "state.json"))
        self.warnings: list[str] = []

    def lists(self, name: str, *numbers: int, broken: bool = False) -> None:
        lines = [json.dumps({"type": "indicator", "id": f"indicator--{n}"}) for n in numbers]
        (self.folder / f"{name}.ndjson").write_text("\n".join([*lines, *(['{"id": 7'] if broken else [])]))

    def run(self, kept: Kept | None = None) -> list[str]:
        """One run; what it withdraws."""
        kept = kept or Kept()
        connector = StixFileConnector(StixFileSettings(path=str(self.folder)))
        runner = Runner(
            connector, kept, self.checkpoints, published=self.published, withdraw_unlisted=True, batch_objects=2
        )
        report = runner.run()
        self.warnings = [one.code for one in report.warnings]
        assert report.withdrawn == len(kept.withdrawn)
        return [one.removeprefix("indicator--") for one in kept.withdrawn]


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


def test_what_a_list_has_no_more_is_withdrawn_once_and_may_come_back(feed: Feed) -> None:
    feed.lists("a", 1, 2, 3, 4)
    assert feed.run() == []
    feed.lists("a", 1, 2, 5)
    assert feed.run() == ["3", "4"]
    assert feed.run() == []
    feed.lists("a", 1, 2, 3)
    assert feed.run() == ["5"]
    feed.lists("a", 1, 2)
    assert feed.run() == ["3"]
    assert list(feed.published.ids()) == [f"indicator--{n}" for n in range(1, 6)]


def test_what_another_list_still_has_stays_and_so_does_what_was_in_a_list_that_is_gone(feed: Feed) -> None:
    feed.lists("a", 1, 2, 3)
    feed.lists("b", 3, 4)
    feed.run()
    feed.lists("a", 1, 2)
    assert feed.run() == []
    (feed.folder / "b.ndjson").unlink()
    assert feed.run() == []


def test_a_list_that_has_lost_more_than_it_has_takes_nothing_back(feed: Feed) -> None:
    feed.lists("a", 1, 2, 3, 4, 5)
    feed.run()
    feed.lists("a", 1, 2)
    assert feed.run() == []
    assert "source.many-unlisted" in feed.warnings
    feed.lists("a", 1, 2, 3)
    assert feed.run() == ["4", "5"]


def test_while_an_object_of_a_list_cannot_be_read_nothing_counts_as_missing(feed: Feed) -> None:
    feed.lists("a", 1, 2, 3)
    feed.run()
    feed.lists("a", 1, 2, broken=True)
    assert feed.run() == []
    feed.lists("a", 1, 2)
    assert feed.run() == ["3"]


def test_a_run_that_was_cut_off_withdraws_nothing_and_the_next_one_all(feed: Feed) -> None:
    feed.lists("a", *range(6))
    feed.run()
    feed.lists("a", *range(5, 0, -1))
    with pytest.raises(TryLater):
        feed.run(Kept(fails_at=[2]))
    assert feed.run() == ["0"]


def test_ids_are_remembered_before_they_are_published(feed: Feed) -> None:
    feed.lists("a", 1)
    with pytest.raises(TryLater):
        feed.run(Kept(fails_at=[1]))
    assert list(feed.published.ids()) == ["indicator--1"]


def test_an_object_that_stands_in_no_list_is_remembered_and_never_missing(tmp_path: Path) -> None:
    published = PublishedFile(tmp_path / "x.published")
    published.add(ItemBatch((b'{"id":"malware--1"}',), None, 0, (None,)))
    assert list(published.ids()) == ["malware--1"]
    assert published.unlisted(SourceList("a", "1")) == ([], 0)


def test_a_file_that_is_no_list_of_ids_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.published").write_text("no database, but long enough to be looked at " * 40)
    with pytest.raises(WrongSettings, match="cannot be read"):
        list(PublishedFile(tmp_path / "x.published").ids())
