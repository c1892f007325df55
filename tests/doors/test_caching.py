"""ETags, 304, and pages that are kept: nobody gets again what it has, and nobody gets what is not so any more."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from hub.core.step import StepSettings
from hub.doors.export.spool import FinishedList
from hub.doors.kept import KeptValues
from hub.forgetting import Eraser
from hub.intake import Encoding
from hub.model.forgettings import Request
from hub.model.lifecycle import KeptVersions
from tests.doors.hubs import Hub, a_hub, addresses, an_indicator
from tests.doors.streams import read_stream
from tests.doors.test_compression import decoded
from tests.waiting import until

MAIL = "alice.muster@mail.example"


def an_address(**more: Any) -> dict[str, Any]:
    return an_indicator(f"[email-addr:value = '{MAIL}']", MAIL, **more)


class Pages:
    """Counts the pages that are read from the store."""

    def __init__(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for way in ("page", "joined"):
            monkeypatch.setattr(hub.store.logs, way, self._counted(getattr(hub.store.logs, way)))

    def _counted(self, read: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def counted(*said: Any, **more: Any) -> object:
            before = self.count
            page = await read(*said, **more)
            self.count = before + 1  # one may read the other
            return page

        return counted


async def again(hub: Hub, path: str, who: str | None, first: httpx.Response, **headers: str) -> httpx.Response:
    return await hub.get(path, who, headers={"if-none-match": first.headers["etag"], **headers})


async def urls_of_pages(hub: Hub, collection: str = "community") -> list[str]:
    url = await hub.objects_url(collection)
    [one, *_] = [one["id"] for one in (await hub.get(url, "ro")).json()["objects"] if one["type"] == "indicator"]
    return [
        url, f"{url}?limit=1", f"{url}?match[version]=all", f"{url}?match[type]=tool", f"{url}{one}/",
        f"{url}{one}/versions/", url.replace("objects", "manifest"),
    ]  # fmt: skip


# ---------------------------------------------------------------- what has not changed is not sent again


async def test_everything_that_may_be_kept_is_sent_once(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    collection = (await hub.objects_url("community")).removesuffix("objects/")
    private = ["/taxii2/", "/taxii2/root/", "/taxii2/root/collections/", collection, *await urls_of_pages(hub)]
    private += ["/v1/collections", "/v1/collections/community/export.txt"]
    public = ["/v1/openapi.json", "/rules/json.malformed", "/v1/exports"]
    for path in private + public:
        first = await hub.get(path, "soc")
        assert first.headers["etag"].startswith('W/"'), path
        for said in (
            first.headers["etag"],
            first.headers["etag"].removeprefix("W/"),
            f'"x", {first.headers["etag"]}',
            "*",
        ):
            answer = await hub.get(path, "soc", headers={"if-none-match": said})
            assert (answer.status_code, answer.content) == (304, b""), (path, said)
            for name in ("etag", "cache-control", "vary"):
                assert answer.headers[name] == first.headers[name], (path, said)
            assert not [name for name in answer.headers if name.startswith("content-")]
        assert (await hub.get(path, "soc", headers={"if-none-match": 'W/"other"'})).content == first.content
        if path in private:
            assert first.headers["cache-control"] == "private, no-cache"
            assert first.headers["vary"] == "Authorization, Accept-Encoding"
        else:
            assert "private" not in first.headers["cache-control"]


async def test_only_what_anybody_may_read_may_be_kept_by_anybody(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    for path in ("/v1/collections", "/v1/collections/public/export.txt"):
        answer = await hub.get(path)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["vary"] == "Authorization, Accept-Encoding"
        assert (await again(hub, path, None, answer)).headers["cache-control"] == "no-cache"
        assert (await hub.get(path, "soc")).headers["cache-control"] == "private, no-cache"


async def test_errors_and_what_is_of_one_moment_are_not_kept(hub: Hub) -> None:
    receipt = (await hub.tell("ro", an_indicator()))["received"] and (await hub.push("ro", an_indicator()))["receipt"]
    for path in (f"/v1/receipts/{receipt}", "/v1/status", "/v1/rejections", "/v1/explain/198.51.100.7", "/taxii2/no"):
        answer = await hub.get(path, "ro")
        assert (answer.headers["cache-control"], "etag" in answer.headers) == ("no-store", False), path
    assert (await hub.get("/taxii2/")).headers["cache-control"] == "no-store"
    assert "etag" not in (await hub.get("/healthz")).headers


async def test_304_reads_no_page(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.tell("ro", *addresses(3))
    paths = [*await urls_of_pages(hub), "/v1/collections/community/export.txt"]
    firsts = [await hub.get(path, "soc") for path in paths]

    async def page(*said: Any, **more: Any) -> NoReturn:
        raise AssertionError("a page is read")

    monkeypatch.setattr(hub.store.logs, "page", page)
    monkeypatch.setattr(hub.store.logs, "joined", page)
    for path, first in zip(paths, firsts, strict=True):
        assert (await again(hub, path, "soc", first)).status_code == 304
        assert (await again(hub, path, "soc", first, **{"accept-encoding": "zstd"})).status_code == 304


async def test_an_object_that_is_not_there_is_not_unchanged(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    url = await hub.objects_url("community") + "indicator--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11/"
    assert (await hub.get(url, "soc", headers={"if-none-match": "*"})).status_code == 404


async def test_each_question_has_its_own_etag(hub: Hub) -> None:
    await hub.tell("ro", *addresses(12))
    url = await hub.objects_url("community")
    following = (await hub.get(url, "soc")).json()["next"]
    asked = [
        *await urls_of_pages(hub), f"{url}?limit=2", f"{url}?limit=1&next={following}", f"{url}?next={following}",
        f"{url}?added_after=2026-01-01T00:00:00Z", f"{url}?added_after=2026-01-01T00:00:00.000001Z",
        f"{url}?match[id]=indicator--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11", f"{url}?match[spec_version]=2.0",
        f"{url}?match[version]=first", await hub.objects_url("public"), f"{url.replace('objects', 'manifest')}?limit=1",
    ]  # fmt: skip
    tags = [(await hub.get(path, "soc")).headers["etag"] for path in asked]
    assert len(set(tags)) == len(tags)
    assert (await hub.get(url, "ro")).headers["etag"] == tags[0], "who asks makes no difference"


# ---------------------------------------------------------------- what has changed is


async def test_a_change_ends_what_was_current_and_what_nobody_sees_does_not(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    paths = [*await urls_of_pages(hub), "/v1/collections/community/export.txt"]
    firsts = [await hub.get(path, "soc") for path in paths]
    await hub.tell("it", *addresses(1, start=70, tlp="amber+strict"))  # soc is in no audience of it
    for path, first in zip(paths, firsts, strict=True):
        assert (await again(hub, path, "soc", first)).status_code == 304
    await hub.tell("ro", an_indicator("[ipv6-addr:value = '2001:db8::1']", "address 1", at=-60, description="new"))
    for path, first in zip(paths, firsts, strict=True):
        answer = await again(hub, path, "soc", first)
        assert answer.status_code == 200, path
        assert answer.headers["etag"] != first.headers["etag"]


async def test_what_retention_deletes_ends_what_was_current(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    await hub.tell("ro", an_indicator("[ipv6-addr:value = '2001:db8::1']", "address 1", at=-60, description="new"))
    no = (await hub.collection("community")).no
    paths = [await hub.objects_url("community") + "?match[version]=all", *await urls_of_pages(hub)]
    firsts = [await hub.get(path, "soc", headers={"accept-encoding": "gzip"}) for path in paths]
    head = await hub.store.logs.head(no)
    async with hub.store.transaction() as tx:
        await tx.drop_versions(no, KeptVersions(since_us=head.date_us + 1), 1_000)
    assert (await hub.store.logs.head(no)).seq == head.seq
    for path, first in zip(paths, firsts, strict=True):
        answer = await again(hub, path, "soc", first, **{"accept-encoding": "gzip"})
        assert answer.status_code == 200
    whole = (await again(hub, paths[0], "soc", firsts[0])).json()["objects"]
    assert len(whole) == len(firsts[0].json()["objects"]) - 1


# ---------------------------------------------------------------- pages that are kept


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
async def test_a_page_that_is_asked_again_is_read_once(hub: Hub, monkeypatch: pytest.MonkeyPatch, coding: str) -> None:
    await hub.tell("ro", *addresses(9))
    paths = await urls_of_pages(hub)
    await hub.tell("ro", *addresses(9, start=20))
    no = (await hub.collection("community")).no
    end = (await hub.store.logs.head(no)).seq
    await until(lambda: hub.doors.log_watch.seq(no) == end, what="the watch to have dropped what was before")
    for path in paths:
        pages = Pages(hub, monkeypatch)
        found = [await hub.get(path, who, headers={"accept-encoding": coding}) for who in ("soc", "soc", "ro")]
        assert pages.count == 1
        for one in found:
            assert (one.content, one.headers) == (found[0].content, found[0].headers)
        monkeypatch.undo()


async def test_who_may_not_read_a_collection_gets_no_kept_page(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    url = await hub.objects_url("network")
    first = await hub.get(url, "ro")
    for headers in ({}, {"if-none-match": first.headers["etag"]}, {"if-none-match": "*"}):
        assert (await hub.get(url, "ro", headers=headers)).status_code in (200, 304)
        assert (await hub.get(url, "soc", headers=headers)).status_code == 404
        assert (await hub.get(url, headers=headers)).status_code == 401


async def test_kept_pages_have_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_hub(tmp_path, kept_bytes=1) as hub:
        await hub.centre()
        await hub.tell("ro", *addresses(3))
        pages = Pages(hub, monkeypatch)
        for _ in range(2):
            assert (await hub.get(await hub.objects_url("community"), "ro")).status_code == 200
        assert pages.count == 2


def kept_values(said: str) -> list[str]:
    """The kinds of values with this text that anything in this process keeps."""
    every = [value for one in gc.get_objects() if isinstance(one, KeptValues) for value, _ in one._values.values()]
    return [type(value).__name__ for value in every if said.encode() in content(value)]


def content(value: Any) -> bytes:
    if isinstance(value, FinishedList):
        return value.part(0, value.size_bytes)
    return decoded(value.body, getattr(value, "coding", Encoding.IDENTITY))


async def test_what_is_erased_is_in_no_page_and_no_memory(hub: Hub) -> None:
    await hub.tell("ro", an_address(), *addresses(3))
    paths = await urls_of_pages(hub)
    everything = [f"{path}{'&' if '?' in path else '?'}match[version]=all" for path in paths]
    firsts = [await hub.get(path, "soc") for path in everything]
    assert any(MAIL in one.text for one in firsts)
    assert MAIL in str(await read_stream(hub, "community", "soc"))
    assert set(kept_values(MAIL)) == {"KeptPage", "Events"}
    eraser = Eraser(hub.store, hub.log, StepSettings(), hub.clock)
    await eraser.run(await eraser.remember(await eraser.look_up(MAIL), Request("dpo", "asked for", "7")))
    await until(lambda: not kept_values(MAIL), what="the memory to be free of it, whoever asks")
    for path, first in zip(everything, firsts, strict=True):
        answer = await again(hub, path, "soc", first)
        assert answer.status_code in (200, 404)
        assert MAIL not in answer.text
    assert MAIL not in str(await read_stream(hub, "community", "soc"))


async def test_a_commit_frees_the_pages_from_before_it(hub: Hub) -> None:
    await hub.tell("ro", an_address())
    url = await hub.objects_url("community")
    assert (await hub.get(url, "soc")).status_code == 200
    assert kept_values(MAIL) == ["KeptPage"]
    await hub.tell("ro", *addresses(1))
    await until(lambda: not kept_values(MAIL))
