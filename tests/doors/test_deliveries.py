"""The journal of reads: every read of a collection is in it, whichever door answers, and nobody sees another's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from hub.doors import journal as journals
from hub.doors import journal_batch
from hub.doors.http import make_app
from hub.doors.journal_batch import asked_of
from hub.doors.reads import door_of
from hub.doors.settings import DoorSettings
from hub.model.errors import TryAgain
from hub.model.journal import JournalBatch
from hub.model.times import stix_time
from hub.model.tokens import TokenRights
from hub.store import journal as stored_journal
from tests.doors.hubs import Hub, a_hub, addresses, basic, doors_of
from tests.doors.streams import open_stream
from tests.waiting import until

READS_NOTHING = re.compile(
    r"/healthz|/readyz|/metrics|/rules.*|/v1/openapi\.json|/v1/(collections|exports|status|deliveries|claims|webhooks)"
    r"|/v1/webhooks/.*|/v1/tokens.*|/v1/receipts/.*|/v1/rejections|/v1/mine/.*|/taxii2/?|(/taxii2)?/root/?"
    r"|(/taxii2)?/root/collections/?|(/taxii2)?/root/collections/\{collection_id\}/?|(/taxii2)?/root/status/.*"
)
"""Routes that answer to GET without anything that a collection shows."""


async def deliveries(hub: Hub, who: str = "soc", query: str = "") -> dict[str, Any]:
    """What the door says, with all that has been read until now."""
    await hub.doors.journal.write()
    hub.clock.us += 1  # what is read later has a later time
    answer = await hub.get(f"/v1/deliveries{query}", who)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def newest(hub: Hub, who: str = "soc") -> dict[str, Any]:
    return dict((await deliveries(hub, who))["deliveries"][0])


async def behind(hub: Hub, who: str = "soc", collection: str = "community") -> dict[str, Any]:
    """The lag of somebody in a collection."""
    (found,) = (one for one in (await deliveries(hub, who))["behind"] if one["collection"] == collection)
    return dict(found)


# ---------------------------------------------------------------- every door


async def test_every_route_that_reads_is_journaled(hub: Hub) -> None:
    paths = [getattr(one, "path", "") for one in hub.app.routes if "GET" in (getattr(one, "methods", None) or ())]
    assert len(paths) > 30
    left = [path for path in paths if not (door_of("GET", path) or READS_NOTHING.fullmatch(path))]
    assert left == [], "name these doors in hub/doors/reads.py, or above if they read no collection"
    doors = {door_of("GET", path) for path in paths} - {""}
    assert doors >= {"taxii", "stream", "export", "explain"}


async def test_a_taxii_page_says_how_far_its_reader_has_come(hub: Hub) -> None:
    await hub.tell("ro", *addresses(25))
    head = (await hub.store.logs.head((await hub.collection("community")).no)).seq
    url = await hub.objects_url("community")
    first = await hub.get(f"{url}?limit=10", "soc", headers={"user-agent": "siem/1.0"})
    one = await newest(hub)
    assert (one["door"], one["collection"], one["asked"]) == ("taxii", "community", "objects/?limit=10")
    assert (one["principal"], one["status"], one["objects"], one["client"]) == ("soc", 200, 10, "siem/1.0")
    assert one["bytes"] == int(first.headers["content-length"])
    assert 0 < one["reached"] < head
    assert one["after"] == 0
    assert (await behind(hub))["behind"] == head - one["reached"]
    following = first.json()["next"]
    while following is not None:
        page = (await hub.get(url, "soc", params={"limit": 10, "next": following})).json()
        following = page.get("next")
    assert (await newest(hub))["reached"] == head
    assert (await behind(hub))["behind"] == 0
    await hub.tell("ro", *addresses(5, start=100))
    lag = await behind(hub)
    assert lag["behind"] == lag["last_seq"] - head > 0
    assert [door["door"] for door in lag["doors"]] == ["taxii"]


async def test_single_objects_say_nothing_of_how_far_a_reader_has_come(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2))
    url = await hub.objects_url("community")
    (one, *_) = (await hub.get(url, "it")).json()["objects"]
    for asked in (f"{url}{one['id']}/", f"{url}{one['id']}/versions/", f"{url}?match[id]={one['id']}"):
        assert (await hub.get(asked, "soc")).status_code == 200
        entry = await newest(hub)
        assert entry["reached"] is None
        assert one["id"] not in str(entry), "an id may be made from a value"
    assert (await behind(hub))["reached"] == 0


async def test_a_manifest_counts_like_a_page(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    manifest = (await hub.objects_url("community")).replace("/objects/", "/manifest/")
    count = len((await hub.get(manifest, "soc")).json()["objects"])
    assert (await newest(hub))["objects"] == count
    assert (await behind(hub))["behind"] == 0


async def test_a_device_that_has_the_list_already_is_seen_to_fetch(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    path = "/v1/collections/community/export.txt?type=ipv6-addr"
    first = await hub.get(path, "soc")
    hub.clock.us += 3_600_000_000
    again = await hub.http.get(
        path, headers={**basic("soc", hub.tokens["soc"]), "if-none-match": first.headers["etag"]}
    )
    assert again.status_code == 304
    found = await deliveries(hub)
    unchanged, whole = found["deliveries"]
    assert (unchanged["status"], unchanged["bytes"], whole["status"]) == (304, 0, 200)
    assert unchanged["asked"] == "export.txt?type=ipv6-addr"
    lag = await behind(hub)
    assert (lag["behind"], lag["at"]) == (0, unchanged["at"])


async def test_head_fetches_nothing(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    answer = await hub.http.head("/v1/collections/community/export.txt", headers=hub.auth("soc"))
    assert answer.status_code == 200
    entry = await newest(hub)
    assert (entry["bytes"], entry["reached"]) == (0, None)
    assert (await behind(hub))["reached"] == 0


async def test_head_of_a_stream_is_one_entry(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    answer = await hub.http.head("/v1/collections/community/stream", headers=hub.auth("soc"))
    assert answer.status_code == 200
    found = (await deliveries(hub))["deliveries"]
    assert [(one["door"], one["status"], one["bytes"], one["reached"]) for one in found] == [("stream", 200, 0, None)]


async def test_a_live_stream_is_one_entry_that_advances(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    async with open_stream(hub, "community", "soc", "from=start") as reader:
        await until(lambda: reader.events)
        seen = (await newest(hub))["reached"]
        await hub.tell("ro", *addresses(2, start=10))
        head = (await hub.store.logs.head((await hub.collection("community")).no)).seq
        await until(lambda: reader.events[-1].seq == head)

        async def is_there() -> bool:
            return bool((await newest(hub))["reached"] == head)

        await until(is_there)
        assert seen < head
        assert (await behind(hub))["behind"] == 0
    found = (await deliveries(hub))["deliveries"]
    assert [one["door"] for one in found] == ["stream"]
    assert (found[0]["objects"], found[0]["asked"]) == (len(reader.events), "stream?from=start")
    assert found[0]["bytes"] > sum(1 for _ in reader.body.split(b"data: "))


async def test_what_was_refused_is_entered_without_what_was_asked(hub: Hub) -> None:
    for path in (
        "/v1/collections/secret-case/export.txt?type=198.51.100.7",
        "/v1/collections/community/export.evil?type=x",
    ):
        assert (await hub.get(path, "soc")).status_code in (400, 404)
        entry = await newest(hub)
        assert entry["status"] in (400, 404)
        assert entry["collection"] is None
        assert entry["asked"].startswith("export.…?")
        assert "198.51.100.7" not in str(entry)
        assert "evil" not in str(entry)


async def test_a_value_that_somebody_looks_up_is_not_in_the_journal(hub: Hub) -> None:
    await hub.get("/v1/explain/198.51.100.7?as=soc", "soc")
    entry = await newest(hub)
    assert (entry["door"], entry["collection"]) == ("explain", None)
    assert "198.51.100.7" not in str(entry)
    said = asked_of("/v1/lookup", "", b"value=198.51.100.7&198.51.100.7=1&limit=5&match%5Btype%5D=a%2Cb&%00&=")
    assert said == "/v1/lookup?value=…&…=…&limit=5&match[type]=a,b&…=…&…=…"


# ---------------------------------------------------------------- the same again


async def test_reads_that_are_the_same_are_entries_of_their_own(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    began_us = hub.clock.us
    for _ in range(3):
        assert (await hub.get("/v1/collections/community/export.txt", "soc")).status_code == 200
        hub.clock.us += 1_000
    hub.clock.us += 5_000_000
    await hub.get("/v1/collections/community/export.txt", "soc")
    first, *others = (await deliveries(hub))["deliveries"]
    assert [(one.pop("at"), one.pop("began")) for one in (first, *others)] == [
        (stix_time(at_us), stix_time(at_us))
        for at_us in (began_us + 5_003_000, began_us + 2_000, began_us + 1_000, began_us)
    ]
    assert others == [first] * 3
    head = (await hub.store.logs.head((await hub.collection("community")).no)).seq
    assert (await behind(hub))["reached"] == head


async def test_reads_that_differ_in_anything_are_told_apart(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    path = "/v1/collections/community/export.txt"
    for no, (who, asked, headers, method) in enumerate(
        [
            ("soc", path, {}, "GET"),
            ("soc", f"{path}?type=ipv4-addr", {}, "GET"),
            ("soc", path, {"user-agent": "siem/1.0"}, "GET"),
            ("soc", path, {}, "HEAD"),
            ("it", path, {}, "GET"),
            ("soc", path.replace("community", "network"), {}, "GET"),
        ],
        1,
    ):
        await hub.http.request(method, asked, headers=hub.auth(who) | headers)
        assert len(hub.doors.journal._complete) == no


async def test_a_push_is_not_a_read_of_the_same_path(hub: Hub) -> None:
    url = "/taxii2/root/collections/5c8a3a4e-0000-4000-8000-000000000000/objects/"
    read = await hub.get(url, "ro")
    written = await hub.http.post(
        url, content=b'{"objects": []}', headers=hub.auth("ro") | {"content-type": "application/taxii+json;version=2.1"}
    )
    assert read.status_code == written.status_code == 404
    assert len(read.content) == len(written.content)
    assert [one["status"] for one in (await deliveries(hub, "ro"))["deliveries"]] == [404]


@pytest.mark.parametrize("in_path", [False, True])
async def test_long_requests_are_entered_too(hub: Hub, in_path: bool) -> None:
    collection = "x" * 9_000 if in_path else "community"
    path = f"/v1/collections/{collection}/export.txt?type={'ipv4-addr,' * 1_000}ipv4-addr"
    for _ in range(2):
        agent = {"user-agent": "a" * 9_000, "x-forwarded-for": f"198.51.100.20{' ' * 9_000}"}
        answer = await hub.get(path, "soc", headers=agent)
        assert answer.status_code == (404 if in_path else 200)
    assert len(str(hub.doors.journal._complete)) < 6_000, "while they wait, little of them is kept"
    found = (await deliveries(hub))["deliveries"]
    assert len(found) == 2
    assert found[0]["asked"].startswith("export.…?type=" if in_path else "export.txt?type=ipv4-addr,")


async def test_a_device_that_connects_for_each_read_is_told_from_others_by_its_address_only(hub: Hub) -> None:
    for port in range(3):
        for host in ("198.51.100.1", "198.51.100.2"):
            to = httpx.AsyncClient(
                transport=httpx.ASGITransport(hub.app, client=(host, 40_000 + port)), base_url="http://hub"
            )
            async with to:
                await to.get("/v1/collections/community/export.txt", headers=hub.auth("soc"))
    assert len(hub.doors.journal._complete) == 2
    assert len((await deliveries(hub))["deliveries"]) == 6


async def test_of_more_reads_than_are_kept_the_newest_are_written(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_batch, "KEPT_ENTRIES", 5)
    for no in range(10):
        await hub.get(f"/v1/collections/community/export.txt?limit={no % 3 + 1}", "soc")
        hub.clock.us += 1_000
    found = (await deliveries(hub))["deliveries"]
    assert [one["asked"] for one in found] == [f"export.txt?limit={no % 3 + 1}" for no in range(9, 4, -1)]


# ---------------------------------------------------------------- who sees what


async def test_a_member_sees_its_own_and_an_operator_everybodys(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2))
    await hub.operator("ops")
    for who in ("soc", "it"):
        await hub.get("/v1/collections/community/export.txt", who)
    assert {one["principal"] for one in (await deliveries(hub))["deliveries"]} == {"soc"}
    assert {one["principal"] for one in (await deliveries(hub))["behind"]} == {"soc"}
    everybody = await deliveries(hub, "ops")
    assert {one["principal"] for one in everybody["deliveries"]} == {"soc", "it"}
    assert {one["principal"] for one in everybody["behind"]} == {"soc", "it", "ro", "ops", "anonymous"}
    never = [one for one in everybody["behind"] if (one["principal"], one["collection"]) == ("ro", "community")]
    assert [(one["at"], one["reached"], one["behind"] > 0) for one in never] == [(None, 0, True)]
    assert {one["principal"] for one in (await deliveries(hub, "ops", "?principal=it"))["deliveries"]} == {"it"}
    short = await deliveries(hub, "ops", "?limit=2")
    assert (len(short["behind"]), short["behind_total"]) == (2, len(everybody["behind"]))


async def test_a_member_is_not_told_whether_another_exists(hub: Hub) -> None:
    answers = [await hub.get(f"/v1/deliveries?principal={name}", "soc") for name in ("it", "nobody")]
    assert [one.status_code for one in answers] == [403, 403]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert (await hub.get("/v1/deliveries?principal=soc", "soc")).status_code == 200
    assert (await hub.get("/v1/deliveries")).status_code == 401
    await hub.operator("ops")
    assert (await hub.get("/v1/deliveries?principal=nobody", "ops")).status_code == 404


async def test_an_operator_that_takes_a_removed_ones_number_sees_nothing_of_it(hub: Hub) -> None:
    await hub.operator("ops")
    await hub.get("/v1/collections/public/export.txt", "ops")
    assert (await deliveries(hub, "ops", "?principal=ops"))["deliveries"]
    await hub.registry.operators.remove("ops")
    await hub.operator("later")
    assert (await deliveries(hub, "later"))["deliveries"] == []


async def test_readers_without_credentials_share_bounded_entries(hub: Hub) -> None:
    await hub.operator("ops")
    for no in range(30):
        await hub.get(f"/v1/collections/public/export.txt?limit={no + 1}")
    await hub.get("/v1/collections/network/export.txt")  # refused
    found = await deliveries(hub, "ops", "?principal=anonymous")
    assert [(one["door"], one["asked"]) for one in found["deliveries"]] == [("export", "export.txt?limit=30")]
    await hub.get("/v1/collections/public/export.csv")
    found = await deliveries(hub, "ops", "?principal=anonymous")
    assert [one["asked"] for one in found["deliveries"]] == ["export.csv"]


async def test_behind_a_proxy_the_address_is_what_the_proxy_has_seen(tmp_path: Path) -> None:
    async with a_hub(tmp_path, behind_proxy=True) as hub:
        await hub.centre("ro")
        said = {"x-forwarded-for": "203.0.113.9, 198.51.100.20"}
        await hub.get("/v1/collections/community/export.txt", "ro", headers=said)
        assert (await newest(hub, "ro"))["address"] == "198.51.100.20"


# ---------------------------------------------------------------- bounds


async def test_of_each_reader_the_newest_are_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "CROWDED_AFTER", 1)
    monkeypatch.setattr(stored_journal, "KEPT_ENTRIES", 20)
    await hub.get("/v1/collections/community/export.txt", "it")
    for part in range(3):
        for no in range(10):
            hub.clock.us += 1_000
            await hub.get(f"/v1/collections/community/export.txt?limit={part * 10 + no + 1}", "soc")
        await deliveries(hub)
    found = (await deliveries(hub))["deliveries"]
    assert [one["asked"] for one in found] == [f"export.txt?limit={no}" for no in range(30, 10, -1)]
    assert len(await hub.store.journal.entries(None, limit=100)) == 20 + 1


class Away:
    """A journal of the store that is not available; ``still_writes``: its answers are lost."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.is_away = True
        self.still_writes = False

    async def write(self, batch: JournalBatch) -> None:
        if self.still_writes or not self.is_away:
            await self.real.write(batch)
        if self.is_away:
            raise TryAgain("store.away", "The store is away.", retry_after_s=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@pytest.fixture
def away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Away:
    """Makes the journal of the hub's store unavailable, and returns it."""
    found = Away(hub.store.journal)
    monkeypatch.setattr(hub.store, "journal", found)
    return found


def dropped() -> float:
    return REGISTRY.get_sample_value("ctihub_journal_dropped_total") or 0.0


async def test_while_the_store_is_away_reading_goes_on_and_the_oldest_entries_are_dropped(
    hub: Hub, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 5)
    before = dropped()
    for no in range(7):
        hub.clock.us += 1_000
        answer = await hub.get(f"/v1/collections/community/export.txt?limit={no + 1}", "soc")
        assert answer.status_code == 200
        with pytest.raises(TryAgain):
            await hub.doors.journal.write()
    assert dropped() == before + 1
    away.is_away = False
    found = (await deliveries(hub))["deliveries"]
    assert [one["asked"] for one in found] == [f"export.txt?limit={no}" for no in (7, 6, 5, 4, 3, 1)]


async def test_reads_that_are_the_same_are_bounded_while_the_store_is_away(
    hub: Hub, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 5)
    before = dropped()
    for no in range(1, 10):
        await hub.get("/v1/collections/community/export.txt", "soc")
        hub.clock.us += 400_000
        with pytest.raises(TryAgain):
            await hub.doors.journal.write()
        assert no - (dropped() - before) <= 1 + 5
    away.is_away = False
    found = (await deliveries(hub))["deliveries"]
    assert len(found) == 9 - (dropped() - before)
    assert 9 - len(found) in (3, 4, 5), "those of one second are dropped together"


async def test_pushes_that_wait_drop_no_reads(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 2)
    before = dropped()
    await hub.get("/v1/collections/community/export.txt", "ro")
    for no in range(3):
        await hub.push("ro", *addresses(1, start=no))
    assert dropped() == before


async def test_reads_whose_writing_was_not_acknowledged_are_listed_once(hub: Hub, away: Away) -> None:
    away.still_writes = True
    for no in (1, 2):
        await hub.get(f"/v1/collections/community/export.txt?limit={no}", "soc")
        hub.clock.us += 1_000
        with pytest.raises(TryAgain):
            await hub.doors.journal.write()
    away.is_away = False
    found = (await deliveries(hub))["deliveries"]
    assert [one["asked"] for one in found] == ["export.txt?limit=2", "export.txt?limit=1"]


async def test_what_waits_is_written_when_the_process_stops(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre("ro")
        app = make_app(await doors_of(hub.store, hub.log, hub.registry, settings=DoorSettings()))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as http:
                await http.get("/v1/collections/community/export.txt", headers=hub.auth("ro"))
        assert [one.door for one in await hub.store.journal.entries(None, limit=10)] == ["export"]


async def test_entries_are_written_without_anybody_asking(hub: Hub) -> None:
    await hub.get("/v1/collections/community/export.txt", "soc")

    async def is_written() -> bool:
        return len(await hub.store.journal.entries(None, limit=10)) == 1

    await until(is_written)


async def test_a_limited_token_is_told_only_of_its_collections(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2))
    for name, more in (("list", {"collections": ["public"]}), ("push", {"rights": TokenRights.PUSH})):
        hub.tokens[f"soc.{name}"] = (await hub.registry.tokens.add("soc", name, **more)).token
    await hub.operator("ops")
    hub.tokens["ops.list"] = (await hub.registry.tokens.add("ops", "list", collections=["public"])).token
    for collection in ("community", "public", "community"):
        await hub.get(f"/v1/collections/{collection}/export.txt", "soc")
    await hub.get("/v1/collections/public/export.txt", "soc.list")
    everything = await deliveries(hub)
    assert {one["collection"] for one in everything["deliveries"]} == {"community", "public"}
    for who, told in (("soc.list", {"public"}), ("ops.list", {"public"}), ("soc.push", set[str]())):
        found = await deliveries(hub, who, "?limit=1")
        assert {one["collection"] for one in found["deliveries"]} == told, who
        assert {one["collection"] for one in found["behind"]} == told
        assert "community" not in str(await deliveries(hub, who))


async def test_a_token_of_a_device_is_told_of_its_own_reads_only(hub: Hub) -> None:
    for name in ("firewall", "siem"):
        hub.tokens[f"soc.{name}"] = (await hub.registry.tokens.add("soc", name)).token
    await hub.tell("ro", *addresses(2))
    for who in ("soc.firewall", "soc.siem", "soc", "soc"):
        await hub.get("/v1/collections/community/export.txt", who)
    found = await deliveries(hub, "soc.firewall", "?limit=1")
    assert [one["token"] for one in found["deliveries"]] == ["firewall"]
    assert {door["token"] for one in (await deliveries(hub, "soc.firewall"))["behind"] for door in one["doors"]} == {
        "firewall"
    }
    assert {one["token"] for one in (await deliveries(hub))["deliveries"]} == {"firewall", "siem", None}
    await hub.tell("ro", *addresses(2, start=10))
    await hub.get("/v1/collections/community/export.txt", "soc.siem")
    assert (await behind(hub))["behind"] == 0 < (await behind(hub, "soc.firewall"))["behind"]


async def test_a_new_token_is_not_told_what_a_removed_one_of_its_name_has_read(hub: Hub) -> None:
    for _ in range(2):
        hub.tokens["soc.siem"] = (await hub.registry.tokens.add("soc", "siem")).token
        assert (await deliveries(hub, "soc.siem"))["deliveries"] == []
        await hub.get("/v1/collections/community/export.txt", "soc.siem")
        assert len((await deliveries(hub, "soc.siem"))["deliveries"]) == 1
        await hub.registry.tokens.remove("soc", "siem")


async def test_changes_say_how_far_their_reader_has_come(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    head = (await hub.store.logs.head((await hub.collection("community")).no)).seq
    await hub.get("/v1/collections/community/changes?limit=2", "soc")
    assert (await behind(hub))["behind"] == head - 2
    await hub.get("/v1/collections/community/changes?since=2", "soc")
    one = await newest(hub)
    assert (one["door"], one["after"], one["reached"], one["objects"]) == ("changes", 2, head, head - 2)
    assert (await behind(hub))["behind"] == 0
    await hub.get(f"/v1/collections/community/changes?since={head + 9}", "soc")
    assert (await newest(hub))["reached"] == head


async def test_a_parameter_that_is_refused_is_entered_since_the_device_gets_no_list(hub: Hub) -> None:
    for query, asked in (("min_confidance=95", "…=…"), ("limit=many", "limit=…")):
        answer = await hub.get(f"/v1/collections/community/export.txt?{query}", "soc")
        assert answer.status_code == 400
        one = await newest(hub)
        assert (one["door"], one["status"], one["asked"]) == ("export", 400, f"export.…?{asked}")
    before = len((await deliveries(hub))["deliveries"])
    for headers in ({}, {"authorization": "Bearer ctihub_wrong"}):
        await hub.http.get("/v1/collections/public/export.txt?limit=many", headers=headers)
    await hub.get("/v1/status?x=1", "soc")
    assert len((await deliveries(hub))["deliveries"]) == before


async def test_each_token_is_seen_to_fetch_or_to_be_behind(hub: Hub) -> None:
    for name in ("firewall", "siem"):
        hub.tokens[f"soc.{name}"] = (await hub.registry.tokens.add("soc", name)).token
    await hub.tell("ro", *addresses(2))
    await hub.get("/v1/collections/community/export.txt", "soc.firewall")
    stopped = (await behind(hub))["reached"]
    await hub.tell("ro", *addresses(2, start=10))
    await hub.get("/v1/collections/community/export.txt", "soc.siem")
    assert (await newest(hub))["token"] == "siem"
    found = await behind(hub)
    assert [(one["token"], one["reached"]) for one in found["doors"]] == [
        ("firewall", stopped), ("siem", found["last_seq"]),
    ]  # fmt: skip
    assert found["behind"] == 0 < found["last_seq"] - stopped
    await hub.get("/v1/collections/community/export.txt", "soc")
    assert (await newest(hub))["token"] is None


async def test_a_new_token_with_the_name_of_a_removed_one_has_read_nothing(hub: Hub) -> None:
    hub.tokens["soc.siem"] = (await hub.registry.tokens.add("soc", "siem")).token
    await hub.tell("ro", *addresses(2))
    await hub.get("/v1/collections/community/export.txt", "soc.siem")
    before = await behind(hub)
    await hub.registry.tokens.remove("soc", "siem")
    await hub.registry.tokens.add("soc", "siem")
    found = await behind(hub)
    assert [(one["token"], one["reached"]) for one in found["doors"]] == [(None, before["reached"])]
    assert found["behind"] == before["behind"] == 0
