"""HEAD and OPTIONS on every path that has GET."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from hub.doors import metrics
from hub.store.port import LogPage
from tests.doors.hubs import Hub
from tests.story import an_indicator

OF_THE_MOMENT = {"content-length"}
"""Headers of health, metrics and status that differ from one request to the next."""


async def paths_of(hub: Hub, method: str) -> dict[str, str]:
    """Every path with this method: of its route, and with parameters for which there is something."""
    taken = await hub.push("ro", an_indicator(), b"{")
    await hub.settle()
    url = await hub.objects_url("community")
    [shown] = [one for one in (await hub.get(url, "ro")).json()["objects"] if one["type"] == "indicator"]
    values = {
        "name": "community", "format": "txt", "collection_id": url.split("/")[-3], "object_id": shown["id"],
        "receipt": taken["receipt"], "code": "json.malformed", "asked:path": quote(shown["pattern"], safe=""),
        "status_id": "3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11", "kind": "ipv4",
    }  # fmt: skip
    found = {}
    for route in hub.app.routes:
        if method in route.methods:  # type: ignore[attr-defined]
            path = made = route.path  # type: ignore[attr-defined]
            for name, value in values.items():
                made = made.replace(f"{{{name}}}", value)
            query = {"/v1/claims": "?about=198.51.100.7", "/v1/receipts/{receipt}/problems": "?after=0.0"}
            found[path] = made + query.get(path, "")
    return found


async def test_head_has_the_status_and_the_headers_of_get_wherever_there_is_get(hub: Hub) -> None:
    for route, path in (await paths_of(hub, "GET")).items():
        head = await hub.http.head(path, headers=hub.auth("ro"))
        assert head.content == b"", route
        if route.endswith("/stream"):
            assert (head.status_code, head.headers["content-type"][:17]) == (200, "text/event-stream")
            continue
        got = await hub.get(path, "ro")
        assert head.status_code == got.status_code, route
        for name, value in got.headers.items():
            if route not in ("/metrics", "/v1/status") or name not in OF_THE_MOMENT:
                assert head.headers[name] == value, (route, name)


async def test_head_has_the_status_of_errors_too(hub: Hub) -> None:
    for path in ("/taxii2/root/collections/nowhere/", "/v1/collections/nothing/export.txt", "/nothing", "/taxii2/no/"):
        head, got = await hub.http.head(path, headers=hub.auth("soc")), await hub.get(path, "soc")
        assert (head.status_code, head.content, head.headers) == (got.status_code, b"", got.headers)
    head, got = await hub.http.head("/taxii2/"), await hub.get("/taxii2/")
    assert (head.status_code, head.headers) == (401, got.headers)


async def test_head_keeps_no_stream(hub: Hub) -> None:
    assert (await hub.http.head("/v1/collections/public/stream?from=now")).status_code == 200
    assert (await hub.http.head("/v1/collections/public/stream?from=77")).status_code == 400
    assert metrics.stream_readers() == 0


async def test_the_list_that_head_describes_is_not_made_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.tell("ro", an_indicator(tlp="clear"))
    path = "/v1/collections/public/export.txt"
    head = await hub.http.head(path)

    async def page(*said: Any, **more: Any) -> LogPage:
        raise AssertionError("nothing is read")

    monkeypatch.setattr(type(hub.store.logs), "page", page)
    answer = await hub.get(path)
    assert (answer.status_code, answer.text, dict(answer.headers)) == (200, "198.51.100.7\n", dict(head.headers))
    assert hub.doors.answers.free_bytes == hub.doors.answers.total_bytes


async def test_options_names_all_methods_of_a_path_without_credentials(hub: Hub) -> None:
    gets, posts, deletes = [await paths_of(hub, method) for method in ("GET", "POST", "DELETE")]
    for route, path in {**gets, **posts, **deletes}.items():
        answer = await hub.http.options(path)
        assert (answer.status_code, answer.content) == (204, b""), route
        methods = set(answer.headers["allow"].split(", "))
        assert methods >= {"OPTIONS"}
        assert ({"GET", "HEAD"} <= methods) == (route in gets), route
        assert ("POST" in methods) == (route in posts), route
        assert ("DELETE" in methods) == (route in deletes), route
        refused = await hub.http.request("PROPFIND", path)
        assert (refused.status_code, refused.headers["allow"]) == (405, answer.headers["allow"])
        assert answer.headers["allow"] in refused.text
    assert (await hub.http.options("/taxii2/root/collections/x/objects")).headers["allow"].startswith("GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "/v1/collections/x/export.txt/more", "/taxii2/root/nothing/", "/"])
async def test_options_of_a_path_that_is_not_there(hub: Hub, path: str) -> None:
    answer = await hub.http.options(path)
    assert (answer.status_code, "allow" in answer.headers) == (404, False)
