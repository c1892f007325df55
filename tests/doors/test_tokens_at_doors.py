"""What a token of a device may do over HTTP and TAXII, and what the caller and the operator learn when it may not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from hub.doors import metrics
from hub.doors.refusals import EVERY_S, RefusalLog
from hub.model.principals import PrincipalKind
from hub.model.tokens import RefusedCredentials, StoredToken, TokenRefusal, TokenRights
from tests.doors.hubs import NDJSON, Hub, a_hub, addresses, basic, lines
from tests.waiting import WITHIN_S, until

DAY_US = 86_400_000_000


async def device(hub: Hub, name: str = "fw1", principal: str = "soc", **more: Any) -> str:
    """Give a principal a named token; ``hub.get(…, "soc.fw1")`` uses it. Returns it."""
    added = await hub.registry.tokens.add(principal, name, **more)
    hub.tokens[f"{principal}.{name}"] = added.token
    return added.token


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but what differs between any two."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, answer.content, headers


WRONG = {"authorization": "Bearer ctihub_" + "A" * 43}


# ---------------------------------------------------------------- collections


PATHS = [
    "/v1/collections/{}/export.txt",
    "/v1/collections/{}/export.jsonl?limit=3",
    "/v1/collections/{}/stream",
    "/v1/collections/{}/changes",
    "/v1/collections/{}/misp/manifest.json",
    "/v1/explain/192.0.2.1?at=1&collection={}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("rights", [TokenRights.BOTH, TokenRights.PUSH])
async def test_another_collection_is_as_if_it_did_not_exist(hub: Hub, path: str, rights: TokenRights) -> None:
    await hub.tell("ro", *addresses(3, object_marking_refs=[]))
    await device(hub, rights=rights, collections=["public"] if rights is TokenRights.BOTH else [])
    hidden = await hub.get(path.format("community"), "soc.fw1")
    missing = await hub.get(path.format("no-such-one"), "soc.fw1")
    assert told(hidden) == told(missing)
    assert hidden.status_code == 404
    assert (await hub.get(path.format("community"), "soc.fw1")).json()["code"] == "collection.unknown"


async def test_lists_and_status_name_only_the_collections_of_the_token(hub: Hub) -> None:
    await device(hub, "one", collections=["community", "network"])
    await device(hub, "push", rights=TokenRights.PUSH)
    for who, names in (("soc", ["community", "public"]), ("soc.one", ["community"]), ("soc.push", [])):
        for path in ("/v1/collections", "/v1/status"):
            answer = await hub.get(path, who)
            assert answer.status_code == 200
            assert [one["name"] for one in answer.json()["collections"]] == names, (who, path)


async def test_a_token_explains_only_what_its_collections_show(hub: Hub) -> None:
    await hub.tell("ro", *addresses(1))
    await device(hub, collections=["public"])
    whole = (await hub.get("/v1/explain/2001:db8::1", "soc")).json()
    part = await hub.get("/v1/explain/2001:db8::1", "soc.fw1")
    unknown = await hub.get("/v1/explain/2001:db8::2", "soc.fw1")
    assert whole["things"]
    assert part.status_code == 404
    assert part.text.replace("db8::1", "db8::2") == unknown.text


async def test_taxii_shows_a_token_only_its_collections(hub: Hub) -> None:
    await hub.tell("ro", *addresses(2))
    await device(hub, collections=["community"])
    listed = (await hub.get("/taxii2/root/collections/", "soc.fw1")).json()["collections"]
    assert [one["title"] for one in listed] == ["community", "intake"]
    assert len((await hub.get(await hub.objects_url("community"), "soc.fw1")).json()["objects"]) >= 2
    hidden = (await hub.collection("public")).id
    for path in ("", "objects/", "manifest/"):
        answers = [
            await hub.get(f"/taxii2/root/collections/{one}/{path}", "soc.fw1")
            for one in (hidden, "00000000-0000-4000-8000-000000000000")
        ]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code == 404


async def test_a_running_stream_ends_when_its_token_is_removed(tmp_path: Path) -> None:
    async with a_hub(tmp_path, recheck_s=0.01, heartbeat_s=0.01) as hub:
        await hub.centre("ro")
        await hub.member("soc")
        await device(hub)
        reading = asyncio.ensure_future(hub.get("/v1/collections/community/stream", "soc.fw1"))
        await until(lambda: metrics.stream_readers() > 0, what="the stream has begun")
        await hub.registry.tokens.remove("soc", "fw1")
        async with asyncio.timeout(WITHIN_S):
            assert (await reading).status_code == 200


# ---------------------------------------------------------------- reading and pushing


PUSHES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/intake", {"content": lines(*addresses(1)), "headers": {"content-type": NDJSON}}),
    ("POST", "/v1/withdrawals", {"json": {"ids": []}}),
    ("POST", "/v1/sightings", {"json": {"value": "192.0.2.1"}}),
    ("POST", "/v1/feedback", {"json": {"value": "192.0.2.1", "verdict": "confirmed"}}),
    ("GET", "/v1/receipts/x", {}),
    ("GET", "/v1/receipts/x/problems?after=0.0", {}),
    ("GET", "/v1/rejections", {}),
    ("GET", "/v1/claims?about=192.0.2.1", {}),
]


@pytest.mark.parametrize(("method", "path", "more"), PUSHES, ids=[path for _, path, _ in PUSHES])
async def test_a_token_that_reads_pushes_nothing_and_sees_nothing_of_it(
    hub: Hub, method: str, path: str, more: dict[str, Any]
) -> None:
    await device(hub, principal="ro", rights=TokenRights.READ)
    headers = hub.auth("ro.fw1") | more.get("headers", {})
    answer = await hub.http.request(method, path, **(more | {"headers": headers}))
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.read-only")


async def test_taxii_does_not_show_intake_to_a_token_that_reads_and_refuses_its_pushes(hub: Hub) -> None:
    await device(hub, rights=TokenRights.READ)
    listed = (await hub.get("/taxii2/root/collections/", "soc")).json()["collections"]
    (intake,) = (one["id"] for one in listed if one["title"] == "intake")
    titles = [one["title"] for one in (await hub.get("/taxii2/root/collections/", "soc.fw1")).json()["collections"]]
    assert titles == ["community", "public"]
    url = f"/taxii2/root/collections/{intake}/"
    assert (await hub.get(url, "soc.fw1")).status_code == 404
    assert (await hub.get(f"{url}objects/", "soc.fw1")).status_code == 404
    headers = {"content-type": "application/taxii+json;version=2.1", "accept": "application/taxii+json;version=2.1"}
    for answer in (
        await hub.post(f"{url}objects/", "soc.fw1", content=b'{"objects": []}', headers=headers),
        await hub.http.delete(f"{url}objects/sighting--x/", headers=headers | hub.auth("soc.fw1")),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (403, "auth.read-only")


async def test_a_token_that_pushes_reads_its_receipts_rejections_and_status_but_no_collection(hub: Hub) -> None:
    await device(hub, principal="ro", rights=TokenRights.PUSH)
    told_ = await hub.tell("ro.fw1", *addresses(2), b"{}")
    assert (told_["accepted"], told_["rejected"]) == (2, 1)
    assert len((await hub.get("/v1/rejections", "ro.fw1")).json()["rejections"]) == 1
    assert (await hub.get("/v1/status", "ro.fw1")).json()["centres"][0]["centre"] == "ro"
    assert (await hub.get("/v1/collections", "ro.fw1")).json()["collections"] == []
    assert (await hub.get("/v1/collections/public/export.txt", "ro.fw1")).status_code == 404
    listed = (await hub.get("/taxii2/root/collections/", "ro.fw1")).json()["collections"]
    assert [one["title"] for one in listed] == ["intake"]


async def test_what_one_token_pushed_is_the_principal_s_and_its_other_tokens_see_the_receipt(hub: Hub) -> None:
    await device(hub, "a", "ro", rights=TokenRights.PUSH)
    await device(hub, "b", "ro", rights=TokenRights.PUSH)
    taken = await hub.push("ro.a", *addresses(1))
    await hub.settle()
    assert (await hub.receipt("ro.b", taken["receipt"]))["accepted"] == 1


# ---------------------------------------------------------------- from where, until when


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "status"),
    [
        (False, None, 401),  # ASGI says that the client is 127.0.0.1
        (False, "192.0.2.1", 401),
        (True, "192.0.2.1", 200),
        (True, "198.51.100.9, 192.0.2.1", 200),
        (True, "192.0.2.1, 198.51.100.9", 401),
        (True, "rubbish", 401),
        (True, None, 401),
    ],
)
async def test_a_token_is_valid_in_its_networks_as_the_nearest_proxy_tells(
    tmp_path: Path, behind_proxy: bool, forwarded: str | None, status: int
) -> None:
    async with a_hub(tmp_path, behind_proxy=behind_proxy) as hub:
        await hub.centre("ro")
        await device(hub, principal="ro", networks=["192.0.2.0/24"])
        headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
        for path in ("/v1/collections", "/v1/collections/community/export.txt", "/taxii2/"):
            answer = await hub.get(path, "ro.fw1", headers=headers)
            assert answer.status_code == status, path
        own = await hub.get("/v1/collections", "ro", headers=headers)
        assert own.status_code == 200


async def test_a_token_in_its_network_is_valid_without_a_proxy(hub: Hub) -> None:
    await device(hub, networks=["127.0.0.0/8"])
    assert (await hub.get("/v1/collections/community/export.txt", "soc.fw1")).status_code == 200


async def test_a_caller_cannot_tell_apart_why_a_token_is_refused_but_the_operator_can(hub: Hub) -> None:
    await hub.member("plant")
    await device(hub, "net", networks=["192.0.2.0/24"])
    await device(hub, "old", until="1h")
    await device(hub, "gone")
    await device(hub, "new")
    await device(hub, "out", "plant")
    await hub.registry.principals.suspend("plant", PrincipalKind.MEMBER)
    await hub.registry.tokens.remove("soc", "gone")
    await hub.registry.tokens.rotate("soc", "new")
    hub.clock.us += DAY_US
    whys = {
        "soc.net": "token.network",
        "soc.old": "token.ended",
        "soc.gone": "token.unknown",
        "soc.new": "token.replaced",
        "plant.out": "token.suspended",
    }
    for path in ("/v1/collections", "/v1/collections/public/export.txt", "/taxii2/root/collections/"):
        plain = told(await hub.http.get(path, headers=WRONG))
        assert plain[0] == 401
        for user in whys:
            assert told(await hub.get(path, user)) == plain, (path, user)
    states = {one.token.full_name: one.state for one in await hub.registry.tokens.all()}
    assert (states["soc.net"], states["soc.old"], states["plant.out"]) == ("valid", "ended", "suspended")
    await hub.registry.access.uses.flush()
    listed = {one.token.full_name: one.uses for one in await hub.registry.tokens.all()}
    for user in ("soc.net", "soc.old", "plant.out"):
        assert listed[user][0][1].why == whys[user]
    assert listed["soc.new"][1][1].why == "token.replaced"


async def test_the_log_says_why_once_and_has_no_token(hub: Hub) -> None:
    token = await device(hub, networks=["192.0.2.0/24"])
    with capture_logs() as logs:
        for _ in range(3):
            await hub.get("/v1/collections", "soc.fw1")
            await hub.http.get("/v1/collections", headers=WRONG)
    found = [{**one} for one in logs if one["event"] == "auth.refused"]
    for one in found:
        one.pop("log_level")
    assert found == [
        {"event": "auth.refused", "code": "token.network", "token_name": "soc.fw1", "address": "127.0.0.1"},
        {"event": "auth.refused", "code": "token.unknown", "token_name": None, "address": "127.0.0.1"},
    ]
    assert token not in str(logs)


def test_a_refusal_is_logged_again_after_a_while_and_the_memory_for_it_is_bounded() -> None:
    now_s = [0.0]
    log = RefusalLog(monotonic_s=lambda: now_s[0])
    refused = RefusedCredentials(TokenRefusal.ENDED, StoredToken(1, "soc", "fw1"))

    def logged(address: str | None) -> int:
        with capture_logs() as logs:
            log.note(refused, address)
        return len(logs)

    assert [logged("192.0.2.1"), logged("192.0.2.1"), logged(None), logged("no address")] == [1, 0, 1, 1]
    now_s[0] += EVERY_S
    assert [logged("192.0.2.1"), logged("192.0.2.1")] == [1, 0]
    assert sum(logged(f"198.18.{number // 256}.{number % 256}") for number in range(2_000)) == 999
    now_s[0] += EVERY_S
    assert logged("203.0.113.1") == 1


# ---------------------------------------------------------------- how it is sent


@pytest.mark.parametrize("path", ["/v1/collections/community/export.txt", "/taxii2/root/collections/"])
async def test_basic_takes_the_principal_s_name_or_the_token_s_full_name(hub: Hub, path: str) -> None:
    token = await device(hub)
    for user, status in (("soc", 200), ("soc.fw1", 200), ("fw1", 401), ("ro", 401), ("soc.fw2", 401), ("", 401)):
        assert (await hub.http.get(path, headers=basic(user, token))).status_code == status, user


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "apikey", "key", "auth", "authorization"])
@pytest.mark.parametrize(
    "path",
    ["/v1/collections/community/export.txt", "/v1/collections/community/stream", "/v1/status", "/taxii2/root/"],
)
async def test_a_token_in_an_address_never_authenticates(hub: Hub, path: str, name: str) -> None:
    for token in (hub.tokens["soc"], await device(hub)):
        answer = await hub.http.get(path, params={name: token})
        assert answer.status_code in (400, 401), answer.text
        assert (await hub.http.get(f"{path}?{name}=Bearer%20{token}")).status_code in (400, 401)


async def test_all_collections_stay_hidden_from_a_token_in_an_address(hub: Hub) -> None:
    answer = await hub.http.get("/v1/collections", params={"token": hub.tokens["soc"]})
    if answer.status_code != 400:  # ignored, as without credentials
        assert [one["name"] for one in answer.json()["collections"]] == ["public"]


# ---------------------------------------------------------------- last use


async def test_the_last_use_is_written_while_the_hub_runs_and_when_it_stops(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        await hub.centre("ro")
        await device(hub, principal="ro")
        await hub.get("/v1/collections", "ro.fw1")
        store = hub.store

        async def noted() -> bool:
            async with store.registry.reading() as directory:
                return any(use.used_us for use in (await directory.token_uses()).values())

        await until(noted, what="the use is in the store")
        hub.clock.us += DAY_US
        await hub.get("/v1/collections", "ro.fw1")
    async with a_hub(tmp_path) as again:
        (entry,) = (one for one in await again.registry.tokens.all("ro") if one.token.name)
        assert entry.last_used_us == hub.clock.us


async def test_tokens_of_one_principal_share_its_limits(tmp_path: Path) -> None:
    async with a_hub(tmp_path, streams_each=0) as hub:
        await hub.centre("ro")
        await device(hub, principal="ro")
        assert (await hub.get("/v1/collections/public/stream", "ro.fw1")).status_code == 503


# ---------------------------------------------------------------- webhooks


WEBHOOKS = [
    ("POST", "/v1/webhooks", {"json": {"collection": "community", "url": "https://soc.example/"}}),
    ("GET", "/v1/webhooks", {}),
    ("DELETE", "/v1/webhooks/x", {}),
    ("POST", "/v1/webhooks/x/test", {}),
    ("POST", "/v1/webhooks/x/resume", {}),
]


@pytest.mark.parametrize(("method", "path", "more"), WEBHOOKS)
async def test_a_named_token_manages_no_webhook_which_would_outlive_it(
    hub: Hub, method: str, path: str, more: dict[str, Any]
) -> None:
    await hub.operator("ops")
    await device(hub)
    await device(hub, principal="ops")
    for who in ("soc.fw1", "ops.fw1"):
        answer = await hub.http.request(method, path, headers=hub.auth(who), **more)
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.own-token-only")
    assert (await hub.http.request(method, path, headers=hub.auth("soc"), **more)).status_code in (200, 201, 404)
