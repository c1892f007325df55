"""What all doors share: errors, health, status, rules, and a document that tells the truth about them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import NoReturn

import jsonschema
import pytest

from hub.doors import metrics
from hub.doors.context import ProcessReports
from hub.doors.http import openapi_document
from hub.doors.rules import page_of
from hub.log.port import Complaint, Record
from hub.model.errors import (
    Broken,
    HubError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    TooLarge,
    TryAgain,
    WrongType,
)
from hub.model.problems import Code
from hub.model.words import Topic
from tests.doors.hubs import NDJSON, Hub, a_hub, basic
from tests.story import an_indicator

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("x.y", "No."), 400), (NotAuthenticated("x.y", "No."), 401), (NotAllowed("x.y", "No."), 403),
        (NotFound("x.y", "No."), 404), (TooLarge("x.y", "No."), 413), (WrongType("x.y", "No."), 415),
        (Broken("x.y", "No."), 500), (TryAgain("x.y", "No.", retry_after_s=7), 503), (RuntimeError("secret"), 500),
    ],
)  # fmt: skip
async def test_every_error_is_a_problem_with_its_code(
    hub: Hub, error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(hub.registry.access, "readable", fails)
    hub.http._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    answer = await hub.get("/v1/collections", "soc")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    if isinstance(error, HubError):
        assert (body["code"], body["detail"]) == ("x.y", "No.")
    else:
        assert "secret" not in answer.text
    assert answer.headers.get("retry-after") == ("7" if status == 503 else None)
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_paths_and_methods_that_are_not_there(hub: Hub) -> None:
    answer = await hub.get("/v1/nothing", "soc")
    assert (answer.status_code, answer.json()["code"]) == (404, "http.path")
    answer = await hub.http.put("/v1/intake")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "http.method", "OPTIONS, POST")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic ???", "Basic bm9jb2xvbg==", "Digest x", "Basic gICA", "Bearer " + "x" * 5_000],
)
async def test_credentials_that_are_none_are_refused_alike(hub: Hub, header: str) -> None:
    answer = await hub.http.get("/v1/collections", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["code"] == "auth.wrong"


async def test_basic_works_everywhere_with_the_right_name(hub: Hub) -> None:
    token = hub.tokens["soc"]
    assert (await hub.http.get("/v1/collections", headers=basic("soc", token))).status_code == 200
    assert (await hub.http.get("/v1/collections", headers=basic("ro", token))).status_code == 401


async def test_collections_are_those_that_one_may_read(hub: Hub) -> None:
    await hub.tell("ro", an_indicator(tlp="clear"))

    async def names(who: str | None) -> list[str]:
        return [one["name"] for one in (await hub.get("/v1/collections", who)).json()["collections"]]

    assert await names(None) == ["public"]
    assert await names("soc") == ["community", "public"]
    assert await names("ro") == ["community", "network", "public"]
    [public] = (await hub.get("/v1/collections")).json()["collections"]
    assert public["last_seq"] == 4
    assert (public["tlp"], public["group"]) == ("clear", "public")


@pytest.mark.parametrize("what", ["stream", "export.txt", "export.jsonl"])
async def test_a_collection_that_one_may_not_read_looks_like_none(hub: Hub, what: str) -> None:
    hidden, none = [await hub.get(f"/v1/collections/{name}/{what}", "soc") for name in ("network", "nothing")]
    assert hidden.status_code == none.status_code == 404
    assert hidden.content == none.content
    hidden, none = [await hub.get(f"/v1/collections/{name}/{what}") for name in ("network", "nothing")]
    assert hidden.status_code == none.status_code == 401
    assert hidden.content == none.content


async def test_a_proxys_word_counts_only_where_there_is_one(tmp_path: Path) -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "evil.example, cti.example"}
    for behind_proxy, expected in ((True, "https://cti.example/"), (False, "http://hub.example/")):
        async with a_hub(tmp_path / str(behind_proxy), behind_proxy=behind_proxy) as hub:
            await hub.centre()
            answer = await hub.get("/taxii2/", "ro", headers=headers)
            assert answer.json()["default"].startswith(expected)


# ---------------------------------------------------------------- status and health


async def test_status_shows_each_what_is_theirs(hub: Hub) -> None:
    await hub.operator()
    await hub.tell("ro", an_indicator(), b"{oops")
    await hub.push("it", an_indicator())
    everything = (await hub.get("/v1/status", "ops")).json()
    assert everything["flow"] == {"received": 2, "accepted": 1, "unchanged": 0, "held": 0, "rejected": 1}
    assert [(one["centre"], one["lag"], one["last_code"]) for one in everything["centres"]] == [
        ("it", 1, None), ("ro", 0, "json.malformed"), ("members", 0, None),
    ]  # fmt: skip
    own = (await hub.get("/v1/status", "ro")).json()
    assert own["flow"] is None
    assert [one["centre"] for one in own["centres"]] == ["ro"]
    member = (await hub.get("/v1/status", "soc")).json()
    assert member["flow"] is None
    assert [one["centre"] for one in member["centres"]] == ["soc"]
    assert [one["name"] for one in member["collections"]] == ["community", "public"]
    assert (await hub.get("/v1/status")).status_code == 401


async def test_status_counts_what_waits_whoever_took_it_in(hub: Hub) -> None:
    await hub.tell("ro", an_indicator())
    await hub.log.append(Topic("intake.ro"), [Record(None, b"{}"), Record(None, b"{}")])
    before = (await hub.get("/v1/status", "ro")).json()
    assert [(one["lag"], one["last_received"] is None) for one in before["centres"]] == [(2, False)]
    await hub.settle()
    after = (await hub.get("/v1/status", "ro")).json()
    assert after["centres"][0]["lag"] == 0
    assert after["centres"][0]["last_received"] > before["centres"][0]["last_received"]


async def test_what_does_not_work_of_a_process_is_told_to_watchers_and_operators(tmp_path: Path) -> None:
    trouble = "collection.public is not relayed: the topic is not there"
    async with a_hub(tmp_path, process=ProcessReports(troubles=lambda: [trouble])) as hub:
        await hub.centre()
        assert (await hub.get("/readyz")).text == f"not ready: {trouble}\n"
        await hub.operator()
        assert (await hub.get("/v1/status", "ops")).json()["notes"] == [f"{trouble}."]
        assert (await hub.get("/v1/status", "ro")).json()["notes"] == []


async def test_what_to_change_about_the_log_s_servers_is_told_to_operators(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def complaints() -> list[Complaint]:
        return [Complaint("Kafka has it wrong.", "Set it right.", stops=True)]

    monkeypatch.setattr(hub.log, "complaints", complaints)
    await hub.operator()
    assert (await hub.get("/v1/status", "ops")).json()["notes"] == ["Kafka has it wrong. Set it right."]
    assert (await hub.get("/v1/status", "ro")).json()["notes"] == []


async def test_status_tells_what_it_can_while_the_log_is_away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> NoReturn:
        raise TryAgain("log.away", "It does not answer.")

    await hub.tell("ro", an_indicator())
    monkeypatch.setattr(hub.log, "ends", away)
    monkeypatch.setattr(hub.log, "ready", away)
    told = (await hub.get("/v1/status", "ro")).json()
    assert [(one["lag"], one["flow"]["accepted"]) for one in told["centres"]] == [(None, 1)]
    states = {door["name"]: door["state"] for door in told["doors"]}
    assert states == {"push": "down", "stream": "up", "taxii": "up", "export": "up", "kafka": "off"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_watchers_may_ask_for_the_head_alone(hub: Hub, path: str) -> None:
    assert (await hub.http.head(path)).status_code == 200


async def test_health_says_what_is_away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await hub.get("/healthz")).status_code == 200
    assert (await hub.get("/readyz")).status_code == 200

    async def away() -> bool:
        return False

    monkeypatch.setattr(hub.log, "ready", away)
    answer = await hub.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: the event log does not answer\n")
    assert answer.headers["retry-after"] == "1"
    assert (await hub.get("/healthz")).status_code == 200


async def test_requests_are_counted_by_route(hub: Hub) -> None:
    await hub.get("/v1/collections/secret-name/export.txt", "soc")
    text = (await asyncio.to_thread(metrics.text)).decode()
    assert 'ctihub_http_requests_total{route="/v1/collections/{name}/export.{format}",status="404"}' in text
    assert "secret-name" not in text


# ---------------------------------------------------------------- rules


async def test_every_code_has_its_page_behind_rule_url(hub: Hub) -> None:
    pages = sorted((ROOT / "docs" / "rules").glob("*.md"))
    if not pages:
        pytest.fail("docs/rules holds no pages")
    code = pages[0].stem
    answer = await hub.get(f"/rules/{code}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.content == pages[0].read_bytes()


@pytest.mark.parametrize("code", ["nothing", "..%2f..%2fpyproject", "..", "json.malformed%00", "JSON.MALFORMED"])
async def test_no_other_file_is_served_as_a_rule(hub: Hub, code: str) -> None:
    assert (await hub.get(f"/rules/{code}")).status_code == 404


def test_a_code_is_looked_up_in_the_table_before_it_is_a_files_name() -> None:
    with pytest.raises(NotFound):
        page_of("../../pyproject")
    assert len(set(Code)) == len({code.value for code in Code})


# ---------------------------------------------------------------- the OpenAPI document


async def test_the_document_has_every_route(hub: Hub) -> None:
    document = (await hub.get("/v1/openapi.json")).json()
    assert document == json.loads(json.dumps(openapi_document(hub.app)))
    assert {
        "/v1/intake", "/v1/withdrawals", "/v1/receipts/{receipt}", "/v1/receipts/{receipt}/problems", "/v1/rejections",
        "/v1/collections/{name}/misp/manifest.json", "/v1/collections/{name}/misp/hashes.csv",
        "/v1/collections/{name}/misp/{uuid}.json",
        "/v1/collections", "/v1/collections/{name}/stream", "/v1/collections/{name}/export.{format}",
        "/v1/claims", "/v1/collections/{name}/changes", "/v1/lookup", "/v1/mine/claims", "/v1/mine/held",
        "/v1/deliveries",
        "/v1/feedback",
        "/v1/sightings",
        "/v1/exports", "/v1/explain/{asked}", "/v1/status", "/taxii2/", "/taxii2/root/", "/taxii2/root/collections/",
        "/taxii2/root/collections/{collection_id}/", "/taxii2/root/collections/{collection_id}/objects/",
        "/taxii2/root/collections/{collection_id}/objects/{object_id}/",
        "/taxii2/root/collections/{collection_id}/objects/{object_id}/versions/",
        "/taxii2/root/collections/{collection_id}/manifest/", "/taxii2/root/status/{status_id}/", "/healthz", "/readyz",
        "/metrics", "/rules/{code}", "/v1/webhooks", "/v1/webhooks/{id}", "/v1/webhooks/{id}/test",
        "/v1/webhooks/{id}/resume",
    } == set(document["paths"])  # fmt: skip


async def test_no_reference_in_the_document_leads_nowhere(hub: Hub) -> None:
    document = openapi_document(hub.app)
    text = json.dumps(document)
    for found in set(text.split('"#/components/schemas/')[1:]):
        assert found.split('"')[0] in document["components"]["schemas"]
    assert "HTTPValidationError" not in text
    assert '"422"' not in text


async def test_answers_are_as_the_document_says(hub: Hub) -> None:
    await hub.operator()
    document = openapi_document(hub.app)
    taken = await hub.push("ro", an_indicator(), b"{oops")
    await hub.settle()
    answers = {
        "PushAccepted": taken,
        "Receipt": await hub.receipt("ro", taken["receipt"]),
        "RejectionPage": (await hub.get("/v1/rejections", "ro")).json(),
        "CollectionList": (await hub.get("/v1/collections", "ro")).json(),
        "Explanation": (await hub.get("/v1/explain/198.51.100.7", "ro")).json(),
        **{
            f"Explanation {query}": (await hub.get(f"/v1/explain/198.51.100.7?{query}", "ops")).json()
            for query in ("as=ro", "as=public", "at=4&collection=community")
        },
        "Status": (await hub.get("/v1/status", "ops")).json(),
        "ProblemDetails": (await hub.get("/v1/nothing", "ro")).json(),
    }
    for name, body in answers.items():
        schema = {"$ref": f"#/components/schemas/{name.partition(' ')[0]}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(body)


async def test_the_openapi_document_itself_is_open(hub: Hub) -> None:
    answer = await hub.get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert NDJSON in answer.json()["paths"]["/v1/intake"]["post"]["requestBody"]["content"]
