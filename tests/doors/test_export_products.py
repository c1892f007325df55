"""What products ask of a format beyond lines: a head and a tail, options, one kind for each list, limits.

The format of these tests writes zones of a name server, as ``rpz`` does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import Field

from hub.doors import openapi, problems
from hub.doors.export.entry import Entry
from hub.doors.export.format import About, Format, Options, ProductLimits, Writer
from hub.doors.export.formats import FORMATS
from hub.doors.export.routes import routes
from hub.doors.settings import DoorSettings
from tests.doors.hubs import Hub, doors_of
from tests.story import an_indicator

PATH = "/v1/collections/public/export.zone"
ASKED = f"{PATH}?type=domain-name&zone=rpz.example"


class ZoneOptions(Options):
    zone: str = Field(pattern=r"^[a-z.]+$", description="the name of the zone")
    action: Literal["nxdomain", "drop"] = "nxdomain"


def begin(about: About[ZoneOptions]) -> Writer:
    target = {"nxdomain": ".", "drop": "rpz-drop."}[about.options.action]
    count = 0

    def line(entry: Entry) -> bytes | None:
        nonlocal count
        written = alone(entry)
        count += written is not None
        return written

    def alone(entry: Entry) -> bytes | None:
        return None if "_" in entry.value else f"{entry.value} CNAME {target}\n".encode()

    head = (
        f"$ORIGIN {about.options.zone}.\n; {about.collection} {about.seq} {about.changed_us} {about.limit}\n".encode()
    )
    return Writer(line, alone=alone, head=head, tail=lambda: f"; {count} names\n".encode())


ZONE = Format(
    name="zone",
    media_type="text/dns; charset=utf-8",
    begin=begin,
    escape=str,
    says_type=False,
    kinds=frozenset({"domain-name", "ipv4-addr"}),
    one_kind=True,
    limits=ProductLimits(lines=3, line_bytes=30),
    options=ZoneOptions,
)
FILE = Format(
    name="zone-file",
    media_type="text/dns",
    begin=begin,
    escape=str,
    says_type=False,
    options=ZoneOptions,
    path="zones/{zone}.{action}",
)
OTHER = Format(name="other", media_type="text/dns", begin=begin, escape=str, says_type=False, options=ZoneOptions)


@pytest_asyncio.fixture
async def http(hub: Hub) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    doors = await doors_of(hub.store, hub.log, hub.registry, settings=DoorSettings())
    app.router.routes.extend(routes(doors, {"zone": ZONE, "other": OTHER, "zone-file": FILE, **FORMATS}).routes)
    problems.install(app)
    app.get("/openapi.json")(lambda: openapi.describe(app, extra_models=()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub.example") as client:
        yield client


async def tell(hub: Hub, *names: str, **more: object) -> None:
    await hub.tell("ro", *(an_indicator(f"[domain-name:value = '{name}']", tlp="clear", **more) for name in names))


async def test_a_list_has_a_head_and_a_tail(hub: Hub, http: httpx.AsyncClient) -> None:
    await tell(hub, "a.example", "b.example")
    head = await hub.store.logs.head((await hub.collection("public")).no)
    answer = await http.get(ASKED)
    assert answer.headers["content-type"] == "text/dns; charset=utf-8"
    first, second, *lines, last = answer.text.splitlines()
    assert (first, second) == ("$ORIGIN rpz.example.", f"; public {head.seq} {head.date_us} None")
    assert sorted(lines) == ["a.example CNAME .", "b.example CNAME ."]
    assert last == "; 2 names"


async def test_options_are_part_of_the_list_and_of_its_etag(hub: Hub, http: httpx.AsyncClient) -> None:
    await tell(hub, "a.example")
    first, again = [await http.get(ASKED) for _ in range(2)]
    other = await http.get(f"{ASKED}&action=drop")
    assert "a.example CNAME rpz-drop." in other.text
    assert first.headers["etag"] == again.headers["etag"] != other.headers["etag"]


@pytest.mark.parametrize("query", ["", "&zone=", "&zone=A;", "&zone=rpz.example&action=x"])
async def test_an_option_that_is_missing_or_wrong_is_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"{PATH}?type=domain-name{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "export.option")
    assert re.search(r"The parameter (zone|action) is invalid: .+", answer.json()["detail"])
    assert answer.json()["way_out"] == "See docs/formats/zone.md."


@pytest.mark.parametrize("query", ["", "&type=url", "&type=domain-name,url", "&type=domain-name,ipv4-addr"])
async def test_a_kind_that_the_products_do_not_take_or_none_is_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"{PATH}?zone=rpz.example{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "export.type")
    assert answer.json()["way_out"].endswith("domain-name, ipv4-addr.")


async def test_what_a_format_cannot_express_is_left_out_and_counted(hub: Hub, http: httpx.AsyncClient) -> None:
    too_long = f"{'x' * 30}.example"
    await tell(hub, "a_b.example", "a.example", too_long)
    answer = await http.get(ASKED)
    assert "a.example CNAME" in answer.text
    assert "a_b" not in answer.text
    assert too_long not in answer.text
    assert answer.headers["x-ctihub-skipped"] == "2"


async def test_of_more_than_the_products_take_they_get_the_best(hub: Hub, http: httpx.AsyncClient) -> None:
    for confidence, name in enumerate(("a.example", "b.example", "c.example", "d.example", "e.example"), 50):
        await tell(hub, name, confidence=confidence)
    answer = await http.get(ASKED)
    assert [line.split()[0] for line in answer.text.splitlines()[2:-1]] == ["e.example", "d.example", "c.example"]
    assert answer.headers["x-ctihub-skipped"] == "2"
    answer = await http.get(f"{ASKED}&limit=2")
    assert [line.split()[0] for line in answer.text.splitlines()[2:-1]] == ["e.example", "d.example"]
    assert answer.headers["x-ctihub-skipped"] == "0", "the reader asked for no more"
    answer = await http.get(f"{ASKED}&limit=4")
    assert (answer.status_code, answer.json()["code"]) == (400, "export.limit")


@pytest.mark.parametrize(("query", "skipped"), [("", 4), ("&limit=2", 2)])
async def test_the_best_are_chosen_among_those_that_the_format_can_write(
    hub: Hub, http: httpx.AsyncClient, query: str, skipped: int
) -> None:
    best = ("a_b.example", f"{'x' * 30}.example")
    await tell(hub, *best, confidence=90)
    for confidence, name in enumerate(("a.example", "b.example", "c.example", "d.example", "e.example"), 50):
        await tell(hub, name, confidence=confidence)
    answer = await http.get(f"{ASKED}{query}")
    written = [line.split()[0] for line in answer.text.splitlines()[2:-1]]
    assert written == ["e.example", "d.example", "c.example"][: int(answer.headers["x-ctihub-lines"])]
    assert len(written) == (2 if query else 3)
    assert answer.headers["x-ctihub-skipped"] == str(skipped)
    assert answer.text.splitlines()[-1] == f"; {len(written)} names", "what is not chosen leaves no trace in a writer"


async def test_the_list_of_formats_tells_what_each_takes(http: httpx.AsyncClient) -> None:
    exports = {one["name"]: one for one in (await http.get("/v1/exports")).json()["exports"]}
    assert list(exports) == sorted(["zone", "other", "zone-file", "misp", *FORMATS])
    assert exports["zone"] == {
        "name": "zone",
        "path": "/v1/collections/{name}/export.zone",
        "media_type": "text/dns; charset=utf-8",
        "kinds": ["domain-name", "ipv4-addr"],
        "one_kind": True,
        "limits": {"lines": 3, "line_bytes": 30},
        "options": ["action", "zone"],
        "page": "docs/formats/zone.md",
    }


async def test_the_openapi_document_tells_formats_media_types_and_options(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    export = document["paths"]["/v1/collections/{name}/export.{format}"]["get"]
    parameters = {one["name"]: one for one in export["parameters"]}
    assert len(parameters) == len(export["parameters"])
    assert parameters["format"]["schema"]["enum"] == ["zone", "other", *FORMATS]
    assert parameters["zone"]["description"].startswith("zone: the name of the zone; other: the name of the zone")
    media_types = {one.media_type.partition(";")[0] for one in FORMATS.values()}
    assert {"text/csv", "text/plain", "application/x-ndjson"} < media_types
    assert set(export["responses"]["200"]["content"]) == {"text/dns", *media_types}


async def test_a_format_may_have_a_path_of_its_own_with_options_in_it(hub: Hub, http: httpx.AsyncClient) -> None:
    await tell(hub, "a.example")
    answer = await http.get("/v1/collections/public/zones/rpz.example.drop")
    assert answer.headers["content-type"] == "text/dns"
    assert answer.text.splitlines()[0] == "$ORIGIN rpz.example."
    assert answer.text.splitlines()[2] == "a.example CNAME rpz-drop."
    assert (await http.get("/v1/collections/public/zones/RPZ.drop")).json()["code"] == "export.option"
    assert (await http.get("/v1/collections/public/export.zone-file")).json()["code"] == "export.format"
    [listed] = [one for one in (await http.get("/v1/exports")).json()["exports"] if one["name"] == "zone-file"]
    assert listed["path"] == "/v1/collections/{name}/zones/{zone}.{action}"
    path = (await http.get("/openapi.json")).json()["paths"][listed["path"]]["get"]
    assert {one["name"]: one["in"] for one in path["parameters"]} == {
        "name": "path", "zone": "path", "action": "path", "type": "query", "limit": "query",
        "min_confidence": "query", "since": "query", "collapse": "query",
    }  # fmt: skip
