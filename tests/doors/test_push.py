"""Pushing: what is taken in, what is refused, and that every object can be looked up."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from hub.intake import IntakeLimits
from hub.log.port import TopicPartition
from hub.model.principals import PrincipalKind
from hub.model.words import Limits, Topic
from tests.doors.hubs import NDJSON, STIX, Hub, a_bundle, a_hub, addresses, lines
from tests.story import an_indicator, an_object
from tests.waiting import until

PROBLEM = "application/problem+json"


async def push(hub: Hub, body: bytes, content_type: str = NDJSON, who: str | None = "ro", **headers: str) -> Any:
    said = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await hub.post("/v1/intake", who, content=body, headers=said)


async def came_to(hub: Hub, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    await hub.settle()
    return await hub.receipt("ro", answer.json()["receipt"])


# ---------------------------------------------------------------- forms and encodings


@pytest.mark.parametrize("content_type", [STIX, "application/json", "Application/JSON; charset=utf-8"])
async def test_a_bundle_and_an_object_are_taken(hub: Hub, content_type: str) -> None:
    answer = await push(hub, a_bundle(*addresses(3)), content_type)
    assert answer.json()["received"] == 3
    assert (await came_to(hub, answer))["accepted"] == 3
    answer = await push(hub, orjson.dumps(an_indicator()), content_type)
    assert answer.json()["received"] == 1
    assert (await came_to(hub, answer))["accepted"] == 1


async def test_a_bundle_without_objects_is_a_push_of_nothing(hub: Hub) -> None:
    body = b'{"type": "bundle", "id": "bundle--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11"}'
    answer = await push(hub, body, STIX)
    assert answer.json()["received"] == 0
    assert (await came_to(hub, answer))["state"] == "complete"


async def test_of_ndjson_each_line_that_is_not_empty_is_an_object(hub: Hub) -> None:
    body = b"\r\n \t\r\n".join(orjson.dumps(one) for one in addresses(3)) + b"\n\n"
    answer = await push(hub, body)
    assert answer.json()["received"] == 3
    assert (await came_to(hub, answer))["accepted"] == 3


async def test_an_unreadable_line_is_a_rejection(hub: Hub) -> None:
    answer = await push(hub, lines(*addresses(2)) + b"{oops\n\xff\xfe\n[]\n" + lines(an_indicator()))
    assert answer.json()["received"] == 6
    receipt = await came_to(hub, answer)
    assert (receipt["accepted"], receipt["rejected"]) == (3, 3)
    assert [(one["index"], one["id"], one["state"]) for one in receipt["problems"]] == [
        (2, None, "rejected"), (3, None, "rejected"), (4, None, "rejected"),
    ]  # fmt: skip


async def test_a_bundle_on_a_line_is_taken_apart(hub: Hub) -> None:
    receipt = await came_to(hub, await push(hub, a_bundle(*addresses(3)) + b"\n"))
    assert (receipt["received"], receipt["accepted"]) == (3, 3)


REAL = Path(__file__).parent.parent / "data" / "real-life"


@pytest.mark.parametrize("content_type", [STIX, NDJSON])
@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("bundles-in-a-list.json", 2),
        ("bundles-in-bundles.json", 2),
        ("bundles-in-bundles.envelope.json", 2),
        ("stix-in-utf16.json", 1),
        ("version-on-the-bundle.json", 1),
    ],
)
async def test_what_real_tools_write_is_taken(hub: Hub, name: str, objects: int, content_type: str) -> None:
    body = (REAL / name).read_bytes()
    for encoding in ("utf-8", "utf-16-le"):  # the clock of these tests stands at the beginning of 2026
        body = body.replace("2026-11-".encode(encoding), "2025-11-".encode(encoding))
    if content_type == NDJSON:  # on one line
        body = orjson.dumps(orjson.loads(body if b"\0" not in body else body.decode("utf-16")))
    receipt = await came_to(hub, await push(hub, body, content_type))
    assert (receipt["received"], receipt["accepted"]) == (objects, objects)


async def test_a_broken_object_in_an_inner_bundle_is_refused_alone(hub: Hub) -> None:
    good = orjson.loads(a_bundle(*addresses(2)))
    body = orjson.dumps([good, {"type": "bundle", "id": "bundle--1", "objects": [{"type": "x"}, an_indicator(), 7]}])
    receipt = await came_to(hub, await push(hub, body, STIX))
    assert (receipt["received"], receipt["accepted"], receipt["rejected"]) == (5, 3, 2)


async def test_an_archive_is_refused_with_the_way_out(hub: Hub) -> None:
    for content_type in (STIX, NDJSON):
        answer = await push(hub, (REAL / "packed.json.zip").read_bytes(), content_type)
        assert answer.status_code == 415
        assert "ZIP archive" in answer.text
        assert "Unpack it" in answer.text


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd", "GZIP"])
async def test_compressed_bodies_are_taken(hub: Hub, encoding: str, members: int) -> None:
    compress = zstandard.ZstdCompressor().compress if encoding == "zstd" else gzip.compress
    parts = [lines(*addresses(2, start=10 * no)) for no in range(members)]
    answer = await push(hub, b"".join(compress(part) for part in parts), content_encoding=encoding)
    assert answer.json()["received"] == 2 * members
    assert (await came_to(hub, answer))["accepted"] == 2 * members


async def test_a_body_may_come_in_any_pieces(hub: Hub) -> None:
    body = gzip.compress(lines(*addresses(3)))

    async def one_by_one() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    headers = {"content-type": NDJSON, "content-encoding": "gzip"}
    answer = await hub.post("/v1/intake", "ro", content=one_by_one(), headers=headers)
    assert answer.json()["received"] == 3


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "record.empty"),
        (b'{"type": "bundle"', "json.malformed"),
        (b'{"type": "bundle", "objects": []}', "bundle.invalid"),
        (b'{"type": "bundle", "id": "bundle--x", "objects": 5}', "bundle.invalid"),
        (b'{"type": "bundle", "id": "bundle--x", "type": "bundle", "objects": [{}]}', "json.duplicate-key"),
    ],
)
async def test_an_unreadable_bundle_is_a_400(hub: Hub, body: bytes, code: str) -> None:
    answer = await push(hub, body, STIX)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["code"] == code
    assert answer.json()["status"] == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_another_type_is_a_415(hub: Hub, content_type: str) -> None:
    answer = await push(hub, b"{}", content_type)
    assert answer.status_code == 415
    assert NDJSON in answer.json()["way_out"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
async def test_another_encoding_is_a_415_that_says_which_are_taken(hub: Hub, encoding: str) -> None:
    answer = await push(hub, b"{}", content_encoding=encoding)
    assert answer.status_code == 415
    assert "zstd" in answer.headers["accept-encoding"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_corrupt_or_cut_off_body_is_a_400(hub: Hub, encoding: str) -> None:
    whole = (zstandard.ZstdCompressor().compress if encoding == "zstd" else gzip.compress)(lines(*addresses(50)))
    for body in (whole[:-5], whole[:20] + b"x" + whole[21:], b"not compressed at all", whole + b"tail"):
        answer = await push(hub, body, content_encoding=encoding)
        assert answer.status_code == 400, body
        assert answer.json()["code"] == "push.encoding"


@pytest.mark.parametrize("who", [None, "ops"])
async def test_only_centres_and_members_push(hub: Hub, who: str | None) -> None:
    await hub.operator()
    answer = await push(hub, lines(an_indicator()), who=who)
    assert answer.status_code == (401 if who is None else 403)


async def test_a_suspended_centre_pushes_no_more(hub: Hub) -> None:
    await hub.registry.principals.suspend("ro", PrincipalKind.CENTRE)
    assert (await push(hub, lines(an_indicator()))).status_code == 401


@pytest.fixture
def small() -> IntakeLimits:
    return IntakeLimits(
        objects=Limits(object_bytes=2_000, bundle_objects=5), push_bytes=10_000, wait_s=0.05, stall_s=0.2
    )


async def test_a_body_over_the_limit_is_a_413(tmp_path: Path, small: IntakeLimits) -> None:
    async with a_hub(tmp_path, intake=small) as hub:
        await hub.centre()
        big = lines(*addresses(40))
        assert len(big) > 10_000
        for encoding, body in (("identity", big), ("gzip", gzip.compress(big)), ("zstd", zstandard.compress(big))):
            answer = await push(hub, body, content_encoding=encoding)
            assert answer.status_code == 413, encoding
            assert answer.json()["code"] == "push.too-large"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_bomb_is_noticed_before_it_goes_off(hub: Hub, encoding: str) -> None:
    zeros = bytes(1 << 20)
    if encoding == "gzip":
        bomb = gzip.compress(zeros * 300)
    else:
        packer = zstandard.ZstdCompressor().compressobj()
        bomb = b"".join(packer.compress(zeros) for _ in range(2_000)) + packer.flush()
    assert len(bomb) < 1 << 20
    import tracemalloc

    tracemalloc.start()
    answer = await push(hub, bomb, STIX, content_encoding=encoding)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 200 << 20


async def test_a_bundle_of_too_many_objects_is_a_413(tmp_path: Path, small: IntakeLimits) -> None:
    async with a_hub(tmp_path, intake=small) as hub:
        await hub.centre()
        assert (await push(hub, a_bundle(*addresses(5)), STIX)).status_code == 202
        answer = await push(hub, a_bundle(*addresses(6)), STIX)
        assert answer.status_code == 413
        assert answer.json()["code"] == "bundle.too-large"


@pytest.mark.parametrize("form", [NDJSON, STIX])
async def test_an_object_over_the_limit_is_a_rejection_and_not_carried_in_the_log(
    tmp_path: Path, small: IntakeLimits, form: str
) -> None:
    async with a_hub(tmp_path, intake=small) as hub:
        await hub.centre()
        big = an_indicator(description="x" * 3_000)
        body = (
            lines(an_indicator("198.51.100.1"), big, an_indicator("198.51.100.2"))
            if form == NDJSON
            else a_bundle(an_indicator("198.51.100.1"), big, an_indicator("198.51.100.2"))
        )
        answer = await push(hub, body, form)
        assert answer.json()["received"] == 3
        batch = await hub.consumer.take(limit=10, limit_bytes=1 << 20, wait_s=0)
        assert max(len(record.value or b"") for record in batch.records) < 2_000
        await hub.worker.process(batch)
        receipt = await hub.receipt("ro", answer.json()["receipt"])
        assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
        [problem] = receipt["problems"]
        assert (problem["index"], problem["code"]) == (1, "object.too-large")
        [rejection] = (await hub.get("/v1/rejections", "ro")).json()["rejections"]
        assert (rejection["code"], rejection["index"]) == ("object.too-large", 1)


async def test_a_sender_that_stalls_is_let_go(tmp_path: Path, small: IntakeLimits) -> None:
    import asyncio

    async with a_hub(tmp_path, intake=small) as hub:
        await hub.centre()
        never = asyncio.Event()

        async def stalls() -> AsyncIterator[bytes]:
            yield b"{"
            await never.wait()

        answer = await hub.post("/v1/intake", "ro", content=stalls(), headers={"content-type": NDJSON})
        assert answer.status_code == 408


async def test_overload_says_when_to_come_again(tmp_path: Path, small: IntakeLimits) -> None:
    async with a_hub(tmp_path, intake=small) as hub:
        await hub.centre()
        intake = hub.doors.intake
        async with intake._budget.share(None) as everything:
            await everything.grow_to(intake.limits.in_flight_bytes)
            answer = await push(hub, lines(an_indicator()))
        assert answer.status_code == 503
        assert answer.json()["code"] == "push.overloaded"
        assert answer.headers["retry-after"].isdigit()
        assert (await push(hub, lines(an_indicator()))).status_code == 202


async def test_one_source_with_many_slow_bodies_keeps_no_push_of_another(tmp_path: Path) -> None:
    async with a_hub(tmp_path, intake=IntakeLimits(in_flight_bytes=64 << 20)) as hub:
        await hub.centre("ro")
        await hub.centre("at")
        goes_on, begun = asyncio.Event(), 0
        headers = {"content-type": NDJSON}
        budget = hub.doors.intake._budget

        async def quick() -> AsyncIterator[bytes]:
            yield lines(an_indicator())

        async def slow() -> AsyncIterator[bytes]:
            nonlocal begun
            begun += 1
            await goes_on.wait()
            yield lines(an_indicator())

        def waiting() -> int:
            return sum(len(caller.waiting) for caller in budget._turns)

        async with asyncio.TaskGroup() as tasks:
            pushes = [
                tasks.create_task(hub.post("/v1/intake", "ro", content=slow(), headers=headers)) for _ in range(20)
            ]
            await until(lambda: begun + waiting() == len(pushes))
            answer = await hub.post("/v1/intake", "at", content=quick(), headers=headers)
            assert answer.status_code == 202
            assert waiting() > 0
            goes_on.set()
        assert {push.result().status_code for push in pushes} == {202}
        assert budget.free_bytes == budget.total_bytes


# ---------------------------------------------------------------- receipts


async def test_a_receipt_is_pending_until_all_is_committed(hub: Hub) -> None:
    answer = await push(hub, lines(*addresses(3), {"type": "x"}))
    body = answer.json()
    assert answer.headers["location"] == body["status_url"] == f"http://hub.example/v1/receipts/{body['receipt']}"
    before = await hub.receipt("ro", body["receipt"])
    assert (before["state"], before["received"], before["accepted"]) == ("pending", 4, 0)
    after = await came_to(hub, answer)
    assert after["state"] == "complete"
    assert after["received"] == after["accepted"] + after["unchanged"] + after["held"] + after["rejected"] == 4
    [problem] = after["problems"]
    assert set(problem) == {"index", "id", "state", "code", "message", "rule_url"}
    assert problem["rule_url"] == f"http://hub.example/rules/{problem['code']}"


async def test_a_receipt_is_complete_only_when_every_part_of_it_is(hub: Hub) -> None:
    answer = await push(hub, lines(*addresses(30)))
    batch = await hub.consumer.take(limit=10, limit_bytes=1 << 20, wait_s=0)
    await hub.worker.process(batch)
    half = await hub.receipt("ro", answer.json()["receipt"])
    assert (half["state"], half["accepted"]) == ("pending", 10)
    assert (await came_to(hub, answer))["accepted"] == 30


async def test_the_same_push_again_is_unchanged(hub: Hub) -> None:
    assert (await hub.tell("ro", *addresses(3)))["accepted"] == 3
    assert (await hub.tell("ro", *addresses(3)))["unchanged"] == 3


async def test_a_receipt_still_answers_after_a_restart(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        token = await hub.centre()
        taken = await hub.push("ro", *addresses(3))
    async with a_hub(tmp_path) as hub:
        hub.tokens["ro"] = token
        assert (await hub.receipt("ro", taken["receipt"]))["state"] == "pending"
        await hub.settle()
        assert (await hub.receipt("ro", taken["receipt"]))["accepted"] == 3


async def test_a_receipt_is_its_sources_alone(hub: Hub) -> None:
    await hub.operator()
    taken = await hub.push("ro", an_indicator())
    for path in (f"/v1/receipts/{taken['receipt']}", f"/v1/receipts/{taken['receipt']}/problems?after=0.0"):
        for another in ("it", "soc"):
            other = await hub.get(path, another)
            nobody = await hub.get("/v1/receipts/nothing", another)
            assert other.status_code == nobody.status_code == 404
            assert other.json() == nobody.json()
        assert (await hub.get(path)).status_code == 401
        assert (await hub.get(path, "ops")).status_code == 403


@pytest.mark.parametrize("text", ["x", "AAAA", "%00", "%C3%BC", "a" * 300])
async def test_what_is_no_receipt_is_a_404(hub: Hub, text: str) -> None:
    assert (await hub.get(f"/v1/receipts/{text}", "ro")).status_code == 404


async def test_a_mangled_receipt_is_a_404(hub: Hub) -> None:
    text = (await hub.push("ro", an_indicator()))["receipt"]
    for place in range(0, len(text), 7):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert (await hub.get(f"/v1/receipts/{changed}", "ro")).status_code == 404


async def test_of_many_problems_the_first_thousand_come_and_the_rest_page_by_page(hub: Hub) -> None:
    receipt = await came_to(hub, await push(hub, b"{oops\n" * 2_345))
    assert len(receipt["problems"]) == 1_000
    indexes = [one["index"] for one in receipt["problems"]]
    url = receipt["problems_url"]
    while url:
        body = (await hub.get(url.removeprefix("http://hub.example"), "ro")).json()
        assert len(body["problems"]) <= 1_000
        indexes += [one["index"] for one in body["problems"]]
        url = body["next_url"]
    assert indexes == list(range(2_345))


async def test_problems_url_is_null_when_all_are_there(hub: Hub) -> None:
    receipt = await came_to(hub, await push(hub, b"{oops\n" * 1_000))
    assert len(receipt["problems"]) == 1_000
    assert receipt["problems_url"] is None


# ---------------------------------------------------------------- withdrawals and rejections


async def test_a_withdrawal_has_a_receipt_like_any_push(hub: Hub) -> None:
    said = an_object("malware", "m", name="m", is_family=False)
    await hub.tell("ro", said)
    receipt = await hub.withdraw("ro", said["id"], "malware--00000000-0000-4000-8000-000000000000")
    assert (receipt["received"], receipt["accepted"], receipt["unchanged"]) == (2, 1, 1)
    assert [(one["index"], one["code"]) for one in receipt["problems"]] == [(1, "withdrawal.unknown")]


async def test_a_centre_withdraws_only_its_own(hub: Hub) -> None:
    said = an_object("malware", "m", name="m", is_family=False)
    await hub.tell("ro", said)
    assert (await hub.withdraw("it", said["id"]))["unchanged"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"ids": []}',
        b'{"ids": "x"}',
        b'{"ids": [1]}',
        b'{"ids": ["a"], "why": 1}',
        b'["a"]',
        b"\xff",
        b'{"ids": ["a"], "soft": 1}',
        b'{"ids": ["a"], "soft": true, "restore": true}',
    ],
)
async def test_withdrawals_that_are_none_are_a_400(hub: Hub, body: bytes) -> None:
    answer = await hub.post("/v1/withdrawals", "ro", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "withdrawals.invalid"


async def test_a_withdrawal_stands_unless_it_is_soft_or_taken_back(hub: Hub) -> None:
    said = an_object("malware", "m", name="m", is_family=False)
    await hub.tell("ro", said)
    await hub.withdraw("ro", said["id"])
    (kept_out,) = (await hub.tell("ro", said))["problems"]
    assert (kept_out["state"], kept_out["code"]) == ("unchanged", "withdrawal.stands")
    assert (await hub.withdraw("ro", said["id"], restore=True))["accepted"] == 1
    assert (await hub.tell("ro", said))["accepted"] == 1
    assert (await hub.withdraw("ro", said["id"], soft=True))["accepted"] == 1
    assert (await hub.tell("ro", said))["accepted"] == 1


async def test_a_centre_reads_its_own_claims_about_a_value_and_nobody_elses(hub: Hub) -> None:
    mine = [an_indicator("198.51.100.7", name) for name in ("a", "b")]
    address = an_object("ipv4-addr", "x", value="198.51.100.7", created=None, modified=None)
    other = an_indicator("198.51.100.8", "c")
    await hub.tell("ro", *mine, address, other)
    await hub.tell("it", an_indicator("198.51.100.7", "its"))
    await hub.withdraw("ro", mine[0]["id"])
    for asked in ("198.51.100[.]7", "[ipv4-addr:value = '198.51.100.7/32']", " 198.51.100.7 "):
        answer = (await hub.get("/v1/claims", "ro", params={"about": asked})).json()
        ids = {mine[0]["id"], mine[1]["id"]} | (set() if asked[0] == "[" else {address["id"]})
        assert {one["id"] for one in answer["claims"]} == ids
        assert {one["id"]: one["stands"] for one in answer["claims"]}[mine[0]["id"]] is True
    first = (await hub.get("/v1/claims", "ro", params={"about": "198.51.100.7", "limit": 2})).json()
    more = {"about": "198.51.100.7", "after": first["next_after"]}
    rest = (await hub.get("/v1/claims", "ro", params=more)).json()
    assert len({one["id"] for one in (*first["claims"], *rest["claims"])}) == 3
    assert rest["next_after"] is None
    assert (await hub.get("/v1/claims", "ro", params={"about": "nothing.example"})).json()["claims"] == []


@pytest.mark.parametrize(("asked", "status"), [("", 400), ("[", 400), ("none.example", 200)])
async def test_what_cannot_be_asked_of_claims_is_refused(hub: Hub, asked: str, status: int) -> None:
    assert (await hub.get("/v1/claims", "ro", params={"about": asked})).status_code == status


async def test_an_operator_has_no_claims(hub: Hub) -> None:
    await hub.operator()
    assert (await hub.get("/v1/claims", None, params={"about": "198.51.100.7"})).status_code == 401
    assert (await hub.get("/v1/claims", "ops", params={"about": "198.51.100.7"})).status_code == 403


async def test_rejections_are_paged_and_the_centres_own(hub: Hub) -> None:
    await hub.tell("ro", *[b"{oops"] * 7)
    await hub.tell("it", b"{other")
    first = (await hub.get("/v1/rejections?limit=4", "ro")).json()
    assert [one["seq"] for one in first["rejections"]] == [1, 2, 3, 4]
    assert first["more"] is True
    second = (await hub.get(f"/v1/rejections?after={first['next_after']}", "ro")).json()
    assert [one["seq"] for one in second["rejections"]] == [5, 6, 7]
    assert second["more"] is False
    assert {one["centre"] for one in first["rejections"] + second["rejections"]} == {"ro"}
    assert (await hub.get("/v1/rejections?after=7", "ro")).json() == {"rejections": [], "next_after": 7, "more": False}
    assert (await hub.get("/v1/rejections?after=-1", "ro")).status_code == 400


async def test_a_rejection_names_the_receipt_of_its_push(hub: Hub) -> None:
    receipts = [(await hub.push("ro", b"{oops"))["receipt"] for _ in range(2)]
    await hub.settle()
    rejections = (await hub.get("/v1/rejections", "ro")).json()["rejections"]
    assert [one["receipt"] for one in rejections] == [receipt.partition("-")[0] for receipt in receipts]


async def test_records_carry_receipt_index_and_key(hub: Hub) -> None:
    await hub.push("ro", an_indicator(), b"{oops")
    batch = await hub.consumer.take(limit=10, limit_bytes=1 << 20, wait_s=0)
    readable, unreadable = batch.records
    assert readable.key == an_indicator()["id"].encode()
    assert unreadable.key is None
    assert [dict(one.headers)["index"] for one in batch.records] == [b"0", b"1"]
    assert len({dict(one.headers)["receipt"] for one in batch.records}) == 1
    assert batch.end == {TopicPartition(Topic("intake.ro"), 0): 2}


async def test_a_body_that_drips_is_given_up_though_it_never_stops(tmp_path: Path) -> None:
    """Each part comes well before the sender would count as stalled; together they are far too slow."""
    sent = 0

    async def dripping() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            await asyncio.sleep(0.01)
            sent += 1
            yield b"\n"

    async with a_hub(tmp_path, intake=IntakeLimits(stall_s=0.2)) as hub:
        await hub.centre("ro")
        answer = await hub.post("/v1/intake", "ro", content=dripping(), headers={"content-type": NDJSON})
    assert (answer.status_code, answer.json()["code"]) == (408, "push.stalled")
    assert sent < 10_000
