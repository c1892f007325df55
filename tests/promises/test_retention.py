"""However few superseded versions the policy keeps: who pulls ends with the current content, from whatever cursor.

Source: docs/semantics.md, section 7; docs/decisions/0016.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import strategies as st

from hub.doors.context import Doors
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from hub.doors.stream import Pages
from hub.log.embedded import EmbeddedLog
from hub.model.claims import Change
from hub.model.words import Seq
from hub.registry.service import Registry
from hub.store.port import WHOLE_LOG
from tests.doors.hubs import doors_of
from tests.examples import few
from tests.on_postgres import story_on_postgres
from tests.promises.histories import Event, History, Set, Waited
from tests.promises.scenes import a_dense_history
from tests.promises.telling import Telling, a_hub, what_differs_from_recomputed
from tests.stores import a_log
from tests.story import Story, an_indicator, malware

COLLECTION = "community"
WAYS = ("next", "added_after", "all", "first", "log")
_DELETES_MUCH = 7


@pytest.fixture(params=["sqlite", "postgres"])
def real_store(request: pytest.FixtureRequest) -> None:
    """Lets stories that have a path take place on this store."""
    if request.param == "postgres":
        request.getfixturevalue(story_on_postgres.__name__)


def with_retention(history: History, random: Random) -> History:
    """The history, in which operators change how many versions are kept, and days pass."""
    events: list[Event] = []
    for event in history.events:
        events.append(event)
        if random.random() < 0.3:
            key, values = random.choice(
                [("retention.versions", ("1d", "2d", "forever")), ("retention.per-object", ("1", "2", "3", "all"))]
            )
            events += random.sample([Set(key, random.choice(values)), Waited(random.choice((1, 2)))], 2)
    return replace(history, events=tuple(events))


@asynccontextmanager
async def doors_on(story: Story, folder: Path) -> AsyncIterator[tuple[Doors, httpx.AsyncClient]]:
    """The doors on the store of a story, and a member that reads there."""
    registry = Registry(story.store.registry, now_us=lambda: story.now_us)
    token = (await registry.members.add("reader", accredited_by="ro")).token
    log: EmbeddedLog = await a_log(folder / "log.db")
    try:
        doors = await doors_of(story.store, log, registry, settings=DoorSettings())
        transport = httpx.ASGITransport(app=make_app(doors))
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example", headers=headers) as http:
            yield doors, http
    finally:
        await log.close()


class Puller:
    """Somebody who pulls in one way, page by page, and keeps the newest of each object."""

    def __init__(self, way: str, url: str, doors: Doors, http: httpx.AsyncClient, log: int) -> None:
        self.way = way
        self._url = url
        self._doors = doors
        self._http = http
        self._log = log
        self._next: str | None = None
        self._added_after: str | None = None
        self._pages = Pages(doors)
        self._seq = Seq(0)
        self.held: dict[str, bytes] = {}

    async def pull(self, limit: int) -> bool:
        """Take a page. Returns whether there is more."""
        return await (self._of_stream() if self.way == "log" else self._of_taxii(limit))

    async def _of_stream(self) -> bool:
        edits = (await self._doors.store.logs.head(self._log)).edits
        events = await self._pages.after(self._log, self._seq, edits=edits)
        for event in events.body.split(b"\n\n")[:-1]:
            _, name, data = (line.partition(b": ")[2] for line in event.split(b"\n"))
            if name == b"withdrawn":
                self.held.pop(orjson.loads(data)["id"], None)
            else:
                self.held[orjson.loads(data)["id"]] = data
        self._seq = events.last
        return events.more

    async def _of_taxii(self, limit: int) -> bool:
        asked: dict[str, Any] = {"limit": limit}
        if self.way in ("all", "first"):
            asked["match[version]"] = self.way
        if self._next is not None and self.way != "added_after":
            asked["next"] = self._next
        elif self._added_after is not None:
            asked["added_after"] = self._added_after
        answer = await self._http.get(self._url, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        self.held |= {obj["id"]: orjson.dumps(obj, option=orjson.OPT_SORT_KEYS) for obj in page["objects"]}
        self._next = page.get("next")
        self._added_after = answer.headers["x-taxii-date-added-last"]
        assert page["more"] is (self._next is not None)
        return bool(page["more"])


async def a_puller(story: Story, doors: Doors, http: httpx.AsyncClient, way: str) -> Puller:
    """A puller that begins now."""
    (collection,) = [each for each in (await story.policy()).collections.values() if each.name == COLLECTION]
    return Puller(way, f"/taxii2/root/collections/{collection.id}/objects/", doors, http, collection.no)


@few(
    2, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(seed=st.integers(0, 2**32))
@example(seed=_DELETES_MUCH)
async def test_who_pulls_in_whatever_way_ends_with_the_current_content(
    real_store: None, tmp_path: Path, seed: int
) -> None:
    random, folder = Random(seed), Path(mkdtemp(dir=tmp_path))
    async with a_hub(path=folder) as story:
        told = Telling(story, with_retention(a_dense_history(seed, dates=True), random))
        await told.begin()
        async with doors_on(story, folder) as (doors, http):
            pullers = []
            for number in range(len(told.history.events)):
                await told.event(number)
                if random.random() < 0.3:
                    pullers.append(await a_puller(story, doors, http, random.choice(WAYS)))
                for puller in random.sample(pullers, min(2, len(pullers))):
                    await puller.pull(random.choice((1, 3, 20)))
            await story.sweep()
            pullers += [await a_puller(story, doors, http, way) for way in WAYS]
            for puller in pullers:
                while await puller.pull(random.choice((10, 50))):
                    pass
            await _have_the_content(story, pullers, random)
        await _is_whole(story, deletes=seed == _DELETES_MUCH)


async def _have_the_content(story: Story, pullers: list[Puller], random: Random) -> None:
    """Whoever follows the log holds what is shown; over TAXII, where revoked ones stay and others go untold, it is the
    newest version of all that is there."""
    shown = await story.shown(COLLECTION)
    newest = {row.object_id: row for row in await story.log(COLLECTION, versions=("last",))}
    oldest = {row.object_id: row for row in await story.log(COLLECTION, versions=("first",))}
    every = await story.log(COLLECTION, versions=("all",))
    assert oldest == {row.object_id: row for row in reversed(every)}
    for row in random.sample(every, min(3, len(every))):
        at = await story.log(COLLECTION, ids=frozenset({row.object_id}), versions=(str(row.version_us),))
        assert row in at
    for puller in pullers:
        held = {name: orjson.loads(body) for name, body in puller.held.items()}
        if puller.way == "log":
            assert held == shown
        elif puller.way == "first":
            assert newest.keys() <= held.keys()
        else:
            assert {name: held.get(name) for name in newest} == {
                name: orjson.loads(row.body) for name, row in newest.items()
            }, puller.way


async def _is_whole(story: Story, *, deletes: bool) -> None:
    """Nothing differs, and no row is missing where the relay would stop at it."""
    assert await what_differs_from_recomputed(story) == []
    ends = await story.store.logs.ends()
    for no, end in ends.items():
        page = await story.store.logs.page(no, Seq(0), limit=1_000_000, limit_bytes=1 << 40, by=WHOLE_LOG)
        assert not page.has_gap(end.pruned)
        assert not page.rows or page.rows[-1].seq == end.seq
    assert not deletes or sum(end.pruned > 0 for end in ends.values()) > 2, "hardly anything was deleted"


async def test_which_versions_stay_depends_on_nothing_that_the_collection_does_not_show(tmp_path: Path) -> None:
    """INV-5: neither how many others there are, nor how often they change."""
    left: list[list[Change]] = []
    for hidden in (0, 7):
        story = await Story.begin(tmp_path / str(hidden), task_claims=2)
        ro = await story.centre("ro")
        await story.set("retention.per-object", "2")
        for number in range(6):
            said = [(ro, malware("m", name=f"m {number}", at=-100 + number))]
            said += [
                (ro, an_indicator(f"203.0.113.{other}", tlp="amber", confidence=number * 10, at=-100 + number))
                for other in range(hidden)
            ]
            await story.batch(*said)
        await story.days(1)
        left.append([replace(row, body=b"") for row in await story.log(COLLECTION)])
        assert len([row for row in left[-1] if row.type == "malware"]) == 2
        await story.close()
    assert left[0] == left[1]
