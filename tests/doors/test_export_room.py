"""The room for lists and feeds: who has no credentials has none of what others read made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.doors.export.listing import Listing
from hub.doors.export.misp.feed import MispFeed, MispFeedWriter
from hub.doors.export.misp.kept_feeds import _MARGIN_US, MOST_REST_S, rest_of
from hub.doors.export.spool import FinishedList
from hub.model.words import Seq
from tests.doors.hubs import a_hub
from tests.story import an_indicator
from tests.waiting import until


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been made: the names of collections for lists, and of those with ``misp`` for feeds."""
    found: list[str] = []
    finish_list, finish_feed = Listing.finish, MispFeedWriter.finish

    async def list_finished(self: Listing) -> FinishedList:
        found.append(self._made.collection.name)
        return await finish_list(self)

    def feed_finished(self: MispFeedWriter, seq: Seq) -> MispFeed:
        found.append(f"{self._about.collection} misp")
        return finish_feed(self, seq)

    monkeypatch.setattr(Listing, "finish", list_finished)
    monkeypatch.setattr(MispFeedWriter, "finish", feed_finished)
    return found


async def test_many_lists_of_public_push_out_no_other_list_and_no_feed(tmp_path: Path, made: list[str]) -> None:
    async with a_hub(tmp_path, lists_bytes=20_000) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", an_indicator(tlp="clear"))
        ends = await hub.store.logs.ends()
        await until(
            lambda: all(hub.doors.log_watch.seq(no) == end.seq for no, end in ends.items()),
            what="the watch to have dropped what was before",
        )
        hub.clock.us += 2 * _MARGIN_US  # a feed with newer times is not kept for long
        asked = [
            ("/v1/collections/community/export.csv", "soc"),
            ("/v1/collections/community/misp/manifest.json", "soc"),
            ("/v1/collections/public/misp/manifest.json", None),
        ]
        for path, who in asked:
            assert (await hub.get(path, who)).status_code == 200
        assert sorted(made) == ["community", "community misp", "public misp"]
        for limit in range(1, 40):
            assert (await hub.get(f"/v1/collections/public/export.csv?limit={limit}")).status_code == 200
        assert made[3:] == ["public"] * 39
        assert (await hub.get("/v1/collections/public/export.csv?limit=1")).status_code == 200
        assert made[3:] == ["public"] * 40, "there is no room for all of them"
        for path, who in asked:
            assert (await hub.get(path, who)).status_code == 200
        assert made[3:] == ["public"] * 40


@pytest.mark.parametrize(
    ("took_s", "rest_s"), [(0.0, 0.0), (0.5, 5.0), (30.0, MOST_REST_S), (60.0, MOST_REST_S), (1_000.0, 1_000.0)]
)
def test_a_feed_is_used_for_some_minutes_unless_writing_it_takes_longer(took_s: float, rest_s: float) -> None:
    assert rest_of(took_s, 10) == rest_s
