"""What real TAXII clients need of a server, rule by rule (docs/taxii.md has the rules and who needs each)."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from starlette.datastructures import QueryParams

from hub.doors.connections import ConnectionLimits
from hub.doors.taxii.query import query_of
from hub.model.principals import PrincipalKind
from hub.model.times import parse_us, taxii_time
from tests.doors.hubs import Hub, a_hub, addresses, basic, ids
from tests.story import an_indicator, an_object

TAXII = "application/taxii+json;version=2.1"
FIRST, LAST = "x-taxii-date-added-first", "x-taxii-date-added-last"


async def page(hub: Hub, collection: str = "community", query: str = "", who: str = "soc") -> httpx.Response:
    answer = await hub.get(await hub.objects_url(collection) + query, who)
    assert answer.status_code == 200, answer.text
    return answer


async def everything(hub: Hub, query: str = "", who: str = "soc", collection: str = "community") -> list[Any]:
    """All objects by following ``next`` as the specification says; fails when it goes round in circles."""
    found: list[Any] = []
    seen: set[str] = set()
    more = query
    while True:
        body = (await page(hub, collection, f"?{more}", who)).json()
        found += body["objects"]
        if not body["more"]:
            assert "next" not in body
            return found
        assert body["objects"], "an empty page that promises more"
        assert body["next"] not in seen
        seen.add(body["next"])
        more = f"{query}&next={body['next']}"


# ---------------------------------------------------------------- R1 to R3: order and dates


async def test_r1_pages_follow_the_change_log_in_commit_order(hub: Hub) -> None:
    await hub.tell("ro", *addresses(25))
    await hub.tell("it", *addresses(25, start=25))
    manifest_url = (await hub.objects_url("community")).replace("objects", "manifest")
    dates = []
    query = ""
    while True:
        body = (await hub.get(manifest_url + query, "soc")).json()
        dates += [parse_us(one["date_added"]) for one in body["objects"]]
        if not body["more"]:
            break
        query = f"?next={body['next']}"
    assert len(dates) == 53  # the hub's identity, its extension and TLP:GREEN come along
    assert dates == sorted(set(dates)), "date_added strictly increases"


async def test_r1_what_was_committed_after_a_page_comes_after_it(hub: Hub) -> None:
    await hub.tell("ro", *addresses(4))
    before = await page(hub)
    await hub.tell("it", *addresses(4, start=100))
    after = (await page(hub, query=f"?added_after={before.headers[LAST]}")).json()["objects"]
    assert len(after) == 4
    assert not set(ids(before.json()["objects"])) & set(ids(after))


async def test_r2_what_the_hub_makes_is_modified_when_it_is_added(hub: Hub) -> None:
    await hub.tell("ro", *addresses(3))
    manifest = (await hub.get((await hub.objects_url("community")).replace("objects", "manifest"), "soc")).json()
    added = {one["id"]: parse_us(one["date_added"]) for one in manifest["objects"]}
    indicators = [one for one in (await page(hub)).json()["objects"] if one["type"] == "indicator"]
    assert len(indicators) == 3
    for one in indicators:
        assert parse_us(one["modified"]) == added[one["id"]] // 1000 * 1000


async def test_r3_at_most_fifty_objects_share_a_millisecond_and_the_last_is_on_a_whole_one(hub: Hub) -> None:
    await hub.tell("ro", *addresses(200))
    manifest_url = (await hub.objects_url("community")).replace("objects", "manifest")
    per_ms: dict[int, int] = {}
    query, last_us = "", 0
    while True:
        body = (await hub.get(manifest_url + query, "soc")).json()
        for one in body["objects"]:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["date_added"])
            last_us = parse_us(one["date_added"])
            ms = last_us // 1000
            per_ms[ms] = per_ms.get(ms, 0) + 1
        if not body["more"]:
            break
        query = f"?next={body['next']}"
    assert max(per_ms.values()) <= 50
    assert last_us % 1000 == 0, "a client that cuts dates to milliseconds gets nothing again"


# ---------------------------------------------------------------- R4 to R9: added_after and next


async def test_r4_added_after_is_exclusive(hub: Hub) -> None:
    await hub.tell("ro", *addresses(5))
    answer = await page(hub)
    assert (await page(hub, query=f"?added_after={answer.headers[LAST]}")).json()["objects"] == []
    first_us = parse_us(answer.headers[FIRST])
    rest = (await page(hub, query=f"?added_after={taxii_time(first_us)}")).json()["objects"]
    assert rest == answer.json()["objects"][1:]
    assert (await page(hub, query=f"?added_after={taxii_time(first_us - 1)}")).json() == answer.json()


@pytest.mark.parametrize(
    "written",
    [
        "2025-12-31T00:00:00Z", "2025-12-31T00:00:00.1Z", "2025-12-31T00:00:00.123456789Z",
        "2025-12-31T00:00:00%2B00:00", "2025-12-31T00:00:00.5+00:00", "2025-12-31t00:00:00z",
        "2025-12-30T19:00:00-05:00",
    ],
)  # fmt: skip
async def test_r4_added_after_is_read_in_every_spelling(hub: Hub, written: str) -> None:
    await hub.tell("ro", *addresses(2))
    assert len((await page(hub, query=f"?added_after={written}")).json()["objects"]) == 5


@pytest.mark.parametrize("written", ["yesterday", "2025-12-31", "2025-13-01T00:00:00Z", "1767225600"])
async def test_r4_what_is_no_time_is_refused(hub: Hub, written: str) -> None:
    answer = await hub.get(await hub.objects_url("community") + f"?added_after={written}", "soc")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "taxii.time"


async def test_r5_a_cursor_goes_on_whatever_happened_since(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20))
    begun = (await page(hub)).json()
    expected = await everything(hub, f"next={begun['next']}")
    await hub.tell("ro", *addresses(3, start=500))
    again = await everything(hub, f"next={begun['next']}")
    assert again[: len(expected)] == expected
    assert len(again) == len(expected) + 3


async def test_r5_a_cursor_survives_a_restart(tmp_path: Any) -> None:
    async with a_hub(tmp_path, page_objects=10) as hub:
        await hub.centre()
        token = await hub.member()
        await hub.tell("ro", *addresses(20))
        begun = (await page(hub)).json()
        url = await hub.objects_url("community")
    async with a_hub(tmp_path, page_objects=10) as hub:
        hub.tokens["soc"] = token
        answer = await hub.get(f"{url}?next={begun['next']}", "soc")
    assert answer.status_code == 200
    assert len(answer.json()["objects"]) == 10
    assert not set(ids(answer.json()["objects"])) & set(ids(begun["objects"]))


async def test_r5_a_cursor_does_not_bind_the_limit(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20))
    whole = await everything(hub)
    begun = (await page(hub, query="?limit=5")).json()
    assert len(begun["objects"]) == 5
    onward = (await page(hub, query=f"?limit=7&next={begun['next']}")).json()
    assert onward["objects"] == whole[5:12]


@pytest.mark.parametrize("mangled", ["x", "%00", "AAAA", "ü", "a" * 500])
async def test_r5_a_cursor_that_is_none_is_refused(hub: Hub, mangled: str) -> None:
    answer = await hub.get(await hub.objects_url("community") + f"?next={mangled}", "soc")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "taxii.next"


async def test_r5_no_bit_of_a_cursor_can_be_changed(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20))
    begun = (await page(hub)).json()["next"]
    raw = bytearray(base64.urlsafe_b64decode(begun + "=" * (-len(begun) % 4)))
    for place in range(len(raw)):
        changed = bytes(raw[:place]) + bytes([raw[place] ^ 1]) + bytes(raw[place + 1 :])
        text = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        answer = await hub.get(await hub.objects_url("community") + f"?next={text}", "soc")
        assert answer.status_code == 400, place


async def test_r6_filters_that_a_client_drops_come_from_the_cursor(hub: Hub) -> None:
    await hub.tell(
        "ro", *addresses(20), *[an_object("malware", f"m{no}", name=f"m{no}", is_family=False) for no in range(20)]
    )
    whole = await everything(hub, "match[type]=malware")
    assert len(whole) == 20
    begun = (await page(hub, query="?match[type]=malware&limit=5")).json()
    rest = await everything(hub, f"next={begun['next']}")
    assert begun["objects"] + rest == whole
    same = await everything(hub, f"match[type]=malware&next={begun['next']}")
    assert same == rest


async def test_r6_added_after_comes_from_the_cursor_and_of_two_the_later_counts(hub: Hub) -> None:
    await hub.tell("ro", *addresses(10))
    early = (await page(hub)).headers[LAST]
    await hub.tell("ro", *addresses(20, start=100))
    whole = await everything(hub, f"added_after={early}")
    begun = (await page(hub, query=f"?added_after={early}&limit=5")).json()
    assert await everything(hub, f"next={begun['next']}") == whole[5:]
    at = (await page(hub, query=f"?added_after={early}&limit=8")).headers[LAST]
    assert await everything(hub, f"next={begun['next']}&added_after={at}") == whole[8:]
    assert await everything(hub, f"next={begun['next']}&added_after=1970-01-01T00:00:00Z") == whole[5:]


async def test_r7_a_cursor_of_another_collection_names_it(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20, tlp="clear"))
    begun = (await page(hub, "public")).json()
    answer = await hub.get(await hub.objects_url("community") + f"?next={begun['next']}", "soc")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "taxii.foreign-next"
    assert "public" in answer.json()["description"]


async def test_r7_a_cursor_of_a_hidden_collection_does_not_name_it(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20, tlp="amber"))
    begun = (await page(hub, "network", who="ro")).json()
    answer = await hub.get(await hub.objects_url("community") + f"?next={begun['next']}", "soc")
    assert answer.status_code == 400
    assert "network" not in answer.text


async def test_r8_next_comes_only_with_more_and_never_empty(hub: Hub) -> None:
    await hub.tell("ro", *addresses(7))  # with the three that come along a full page, and nothing behind it
    body = (await page(hub)).json()
    assert len(body["objects"]) == 10
    assert body["more"] is False
    assert "next" not in body
    assert len(await everything(hub, "limit=1")) == 10


async def test_r9_no_page_is_empty_while_there_is_more(hub: Hub) -> None:
    await hub.tell("ro", an_object("malware", "first", name="first", is_family=False))
    await hub.tell("ro", *addresses(50))
    await hub.tell("ro", an_object("malware", "last", name="last", is_family=False))
    found = await everything(hub, "match[type]=malware&limit=1")
    assert [one["name"] for one in found] == ["first", "last"]


async def test_r9_versions_that_are_not_asked_for_make_no_empty_pages(hub: Hub) -> None:
    for confidence in range(1, 30):
        await hub.tell("ro", an_indicator(confidence=confidence, at=-3600 + confidence))
    newest = await everything(hub, "limit=1&match[type]=indicator")
    assert [one["confidence"] for one in newest] == [29]


# ---------------------------------------------------------------- R10 to R13: headers, bodies, media types


async def test_r10_the_date_headers_are_those_of_the_pages_objects(hub: Hub) -> None:
    await hub.tell("ro", *addresses(20))
    manifest = (await hub.get((await hub.objects_url("community")).replace("objects", "manifest"), "soc")).json()
    answer = await page(hub)
    assert answer.headers[FIRST] == manifest["objects"][0]["date_added"]
    assert answer.headers[LAST] == manifest["objects"][-1]["date_added"]


async def test_r10_an_empty_page_says_up_to_where_nothing_is_missing(hub: Hub) -> None:
    nothing = await page(hub)
    assert nothing.headers[FIRST] == nothing.headers[LAST] == "1970-01-01T00:00:00.000000Z"
    await hub.tell("ro", *addresses(2))
    last = (await page(hub)).headers[LAST]
    early = "2025-05-01T00:00:00.123Z"
    assert (await page(hub, query=f"?match[type]=tool&added_after={early}")).headers[LAST] == early[:-1] + "000Z"
    assert (await page(hub, query="?match[type]=tool")).headers[LAST] == last


@pytest.mark.parametrize("path", ["objects", "manifest"])
@pytest.mark.parametrize(
    "asked",
    ["2027-05-01T00:00:00.123Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59Z", "9999-12-31T12:00:00+12:00"],
)
async def test_r36_a_client_comes_back_from_a_time_that_is_wrong(hub: Hub, asked: str, path: str) -> None:
    url = (await hub.objects_url("community")).replace("objects", path)
    await hub.tell("ro", *addresses(2))
    last = (await page(hub)).headers[LAST]
    answer = await hub.get(f"{url}?added_after={quote(asked)}", "soc")
    assert (answer.headers[FIRST], answer.headers[LAST]) == (last, last)
    await hub.tell("ro", *addresses(3, start=50))
    assert len((await hub.get(f"{url}?added_after={answer.headers[LAST]}", "soc")).json()["objects"]) == 3


@pytest.mark.parametrize("asked", ["9999-12-31T23:59:60Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
async def test_a_time_beyond_all_years_is_refused(hub: Hub, asked: str) -> None:
    answer = await hub.get(await hub.objects_url("community") + f"?added_after={quote(asked)}", "soc")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "taxii.time")


async def test_the_first_year_is_before_everything(hub: Hub) -> None:
    for written in (0, 3):
        await hub.tell("ro", *addresses(written))
        answer = await page(hub, query="?added_after=0001-01-01T00:00:00Z&match[type]=tool")
        assert answer.headers[LAST] == "0001-01-01T00:00:00.000000Z"


async def test_r11_an_empty_answer_has_its_objects(hub: Hub) -> None:
    assert (await page(hub)).content == b'{"more":false,"objects":[]}'


@pytest.mark.parametrize(
    "path", ["/taxii2/", "/taxii2/root/", "/taxii2/root/collections/", "/taxii2/root/status/x/", "/taxii2/nowhere"]
)
async def test_r12_every_answer_has_exactly_one_content_type(hub: Hub, path: str) -> None:
    assert (await hub.get(path, "soc")).headers["content-type"] == TAXII
    assert (await hub.get(path)).headers["content-type"] == TAXII
    assert (await hub.http.delete(path, headers=hub.auth("soc"))).headers["content-type"] == TAXII


@pytest.mark.parametrize(
    "accept",
    [
        "*/*", "", "application/json", "application/taxii+json", "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1", 'application/taxii+json; version="2.1"', "text/html, */*;q=0.8",
        "application/stix+json;version=2.1", "application/vnd.oasis.stix+json; version=2.1",
        "application/vnd.oasis.taxii+json; version=2.0, application/taxii+json; version=2.1",
    ],
)  # fmt: skip
async def test_r12_what_a_client_of_2_1_accepts_is_served(hub: Hub, accept: str) -> None:
    headers = {"accept": accept} if accept else {}
    answer = await hub.get("/taxii2/", "soc", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TAXII


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.oasis.taxii+json; version=2.0", "application/vnd.oasis.taxii+json",
        "application/vnd.oasis.stix+json; version=2.0", "application/taxii+json;version=2.0",
    ],
)  # fmt: skip
async def test_r12_a_client_of_another_version_is_told_so(hub: Hub, accept: str) -> None:
    answer = await hub.get(await hub.objects_url("community"), "soc", headers={"accept": accept})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == TAXII
    assert TAXII in answer.json()["description"]
    assert answer.json()["http_status"] == "406"


async def test_r13_a_content_type_on_get_changes_nothing(hub: Hub) -> None:
    answer = await hub.get("/taxii2/", "soc", headers={"content-type": "application/taxii+json;version=2.1"})
    assert answer.status_code == 200


async def test_r13_nothing_can_be_added_to_a_collection_that_is_read(hub: Hub) -> None:
    for content_type in (TAXII, "application/taxii+json", "application/taxii+json; version=2.1; charset=utf-8"):
        answer = await hub.post(
            await hub.objects_url("community"), "ro", content=b"{}", headers={"content-type": content_type}
        )
        assert answer.status_code == 403
        assert answer.headers["content-type"] == TAXII


# ---------------------------------------------------------------- R14 and R15: credentials and paths


async def test_r14_every_way_of_sending_a_token_works(hub: Hub) -> None:
    token = hub.tokens["soc"]
    pair = base64.b64encode(f"soc:{token}".encode()).decode()
    for header in (
        f"Bearer {token}",
        f"bearer {token}",
        f"Token {token}",
        f"Basic {pair}",
        f"basic {pair}",
        f"BASIC  {pair}",
    ):
        answer = await hub.http.get("/taxii2/", headers={"authorization": header})
        assert answer.status_code == 200, header


async def test_r14_the_name_must_be_the_principals(hub: Hub) -> None:
    answer = await hub.http.get("/taxii2/", headers=basic("ro", hub.tokens["soc"]))
    assert answer.status_code == 401


async def test_r14_a_password_with_colons_is_taken_whole(hub: Hub) -> None:
    answer = await hub.http.get("/taxii2/", headers=basic("soc", "a:b:" + hub.tokens["soc"]))
    assert answer.status_code == 401  # read as a wrong token, not cut at a later colon into the right one


async def test_r14_taxii_always_asks_for_credentials(hub: Hub) -> None:
    public = await hub.objects_url("public")
    for path in ("/taxii2/", "/taxii2/root/", "/taxii2/root/collections/", public):
        answer = await hub.get(path)
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Basic realm=")
        assert "Bearer" in challenge
        assert answer.json()["http_status"] == "401"


async def test_r15_no_path_redirects(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    objects = await hub.objects_url("community")
    one = (await page(hub, query="?match[type]=indicator")).json()["objects"][0]["id"]
    paths = [
        "/taxii2/", "/taxii2/root/", "/taxii2/root/collections/", objects.removesuffix("objects/"), objects,
        objects.replace("objects", "manifest"), f"{objects}{one}/", f"{objects}{one}/versions/",
    ]  # fmt: skip
    for path in paths:
        with_slash, without = await hub.get(path, "soc"), await hub.get(path.rstrip("/"), "soc")
        assert with_slash.status_code == without.status_code == 200, path
        assert with_slash.content == without.content


async def test_r15_advertised_addresses_are_absolute_and_end_with_a_slash(hub: Hub) -> None:
    discovery = (await hub.get("/taxii2", "soc")).json()
    assert discovery["api_roots"] == [discovery["default"]] == ["http://hub.example/taxii2/root/"]
    segments = discovery["default"].split("/")
    assert segments[-2] == "root"  # OpenCTI's connector takes the root's name from here


async def test_r15_the_public_address_is_what_the_operator_says(tmp_path: Any) -> None:
    async with a_hub(tmp_path, public_url="https://cti.example/") as hub:
        await hub.centre()
        assert (await hub.get("/taxii2/", "ro")).json()["default"] == "https://cti.example/taxii2/root/"


# ---------------------------------------------------------------- R16 to R19: collections and page sizes


async def test_r16_a_collections_id_is_a_uuid_of_version_4_and_in_its_url(hub: Hub) -> None:
    for one in (await hub.get("/taxii2/root/collections/", "ro")).json()["collections"]:
        assert UUID(one["id"]).version == 4
        answer = (await hub.get(f"/taxii2/root/collections/{one['id']}/", "ro")).json()
        assert answer == one
        assert "alias" not in one


async def test_r17_a_collections_title_is_its_name(hub: Hub) -> None:
    titles = [one["title"] for one in (await hub.get("/taxii2/root/collections/", "ro")).json()["collections"]]
    assert titles == ["community", "network", "public", "intake"]
    assert [one["title"] for one in (await hub.get("/taxii2/root/collections/", "soc")).json()["collections"]] == [
        "community", "public", "intake",
    ]  # fmt: skip


async def test_r18_what_clients_need_is_always_there(hub: Hub) -> None:
    root = (await hub.get("/taxii2/root/", "soc")).json()
    assert root["versions"] == [TAXII]
    assert root["max_content_length"] == 64 << 20
    for one in (await hub.get("/taxii2/root/collections/", "soc")).json()["collections"]:
        assert one["can_read"] is (one["title"] != "intake")
        assert one["can_write"] is (one["title"] == "intake")


@pytest.mark.parametrize("limit", ["23", "0023", "10001", "9" * 19, "9" * 5_000, "0" * 5_000 + "23"])
async def test_r37_a_limit_may_be_above_the_usual_page(hub: Hub, limit: str) -> None:
    await hub.tell("ro", *addresses(20))
    answer = (await page(hub, query=f"?limit={limit}")).json()
    assert (len(answer["objects"]), answer["more"]) == (23, False)
    assert len((await page(hub)).json()["objects"]) == 10


@pytest.mark.parametrize("limit", ["10000", "10001", "99999", "9" * 5_000])
def test_r19_a_limit_above_the_cap_is_cut(limit: str) -> None:
    assert query_of(QueryParams({"limit": limit}), page_objects=5).limit == 10_000


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "1.5", "", "0" * 5_000, "+5", "5 ", "1e3", "0x10", "\u0661"])
async def test_r19_a_limit_that_is_none_is_refused(hub: Hub, limit: str) -> None:
    answer = await hub.get(await hub.objects_url("community") + f"?limit={quote(limit)}", "soc")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "taxii.limit"


async def test_r19_a_page_has_a_thousand_objects_and_eight_megabytes_at_most(tmp_path: Any) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", *addresses(1_100))
        assert len((await page(hub)).json()["objects"]) == 1_000
    async with a_hub(tmp_path, page_bytes=20_000) as hub:
        await hub.registry.principals.rotate("soc", PrincipalKind.MEMBER)
        hub.tokens["soc"] = (await hub.registry.principals.rotate("soc", PrincipalKind.MEMBER)).token
        answer = await page(hub)
        assert answer.json()["more"] is True
        assert 10_000 < len(answer.content) < 21_000
        assert len(await everything(hub)) == 1_103


async def test_the_next_page_of_the_longest_filter_still_fits_into_a_request(hub: Hub) -> None:
    url = await hub.objects_url("community")
    await hub.tell("ro", *addresses(3))
    shown = [one["id"] for one in (await hub.get(url, "ro")).json()["objects"] if one["type"] == "indicator"]
    others = [f"indicator--{UUID(int=no * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)}" for no in range(1, 498)]
    wanted = [*shown, *others]
    asked = f"{url}?match[id]={quote(','.join(wanted))}&limit=1"
    first = (await hub.get(asked, "ro")).json()
    assert first["more"]
    following = f"{asked}&next={first['next']}"
    assert len(following) + 4_096 < ConnectionLimits().head_bytes
    assert (await hub.get(following, "ro")).status_code == 200
    for too_many in ([*wanted, "indicator--x"], ["x-" + "a" * 200 + f"--{no}" for no in range(200)]):
        answer = await hub.get(f"{url}?match[id]={quote(','.join(too_many))}", "ro")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "taxii.match")
