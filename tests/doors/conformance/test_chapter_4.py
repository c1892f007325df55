"""TAXII 2.1, section 4: discovery, the API root, the status of what was added."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.intake.service import IntakeLimits
from hub.model.times import parse_us
from hub.model.words import Limits
from tests.doors.conformance.asking import (
    NOWHERE,
    ROOT,
    TAXII,
    UNVERSIONED,
    Full,
    add,
    added,
    an_indicator,
    an_object,
    malware,
    resource,
)  # fmt: skip
from tests.doors.hubs import Hub, a_hub, addresses

pytestmark = pytest.mark.asyncio(loop_scope="module")
BROKEN = malware("broken", created="yesterday")
"""An object that is no STIX."""


async def status_of(hub: Hub, status_id: str, who: str | None = "ro") -> Any:
    return await hub.get(f"{ROOT}status/{status_id}/", who)


# ---------------------------------------------------------------- 4.1 and 4.2: discovery and API root


async def test_the_default_root_is_one_of_the_roots(full: Full) -> None:
    found = resource(await full.hub.get("/taxii2/", "soc"))
    assert found["title"]
    assert found["default"] in found["api_roots"]
    assert (await full.hub.get(found["default"], "soc")).status_code == 200


async def test_roots_are_absolute_https_addresses_without_a_query(tmp_path: Path) -> None:
    async with a_hub(tmp_path, public_url="https://cti.example") as hub:
        await hub.member(by=await hub.centre() and "ro")
        roots = resource(await hub.get("/taxii2/?limit=1", "soc"))["api_roots"]
        assert roots == ["https://cti.example/taxii2/root/"]
        assert not any("?" in one or "#" in one for one in roots)


async def test_behind_a_proxy_with_tls_roots_are_https_addresses(tmp_path: Path) -> None:
    async with a_hub(tmp_path, behind_proxy=True) as hub:
        await hub.centre()
        said = {"x-forwarded-proto": "https", "x-forwarded-host": "cti.example"}
        assert resource(await hub.get("/taxii2/", "ro", headers=said))["api_roots"] == [
            "https://cti.example/taxii2/root/"
        ]


async def test_each_root_has_its_own_address(full: Full) -> None:
    roots = resource(await full.hub.get("/taxii2/", "soc"))["api_roots"]
    assert len(roots) >= 1
    assert len(set(roots)) == len(roots)


async def test_the_root_names_its_version_as_a_media_type(full: Full) -> None:
    found = resource(await full.hub.get(ROOT, "soc"))
    assert TAXII in found["versions"]
    assert all(one.startswith("application/taxii+json;version=") for one in found["versions"])
    assert found["title"]


async def test_the_root_names_the_longest_body_that_it_takes(full: Full) -> None:
    most = resource(await full.hub.get(ROOT, "soc"))["max_content_length"]
    assert type(most) is int
    assert most > 0


async def test_a_root_or_a_status_that_is_not_there_is_a_404(full: Full) -> None:
    for path in ("/taxii2/other/", "/taxii2/other/collections/", f"{ROOT}status/x/", f"{ROOT}status/{NOWHERE}/"):
        answer = await full.hub.get(path, "soc")
        assert (answer.status_code, resource(answer)["http_status"]) == (404, "404"), path


@pytest.mark.parametrize("content_type", [TAXII, "application/stix+json"])
async def test_no_body_up_to_the_length_is_too_large_and_each_beyond_is(tmp_path: Path, content_type: str) -> None:
    async with a_hub(tmp_path, intake=IntakeLimits(push_bytes=10_000)) as hub:
        await hub.centre()
        most = resource(await hub.get(ROOT, "ro"))["max_content_length"]
        body = orjson.dumps({"objects": [an_indicator()]})
        for length, status in ((most - 1, 202), (most, 202), (most + 1, 413)):
            padded = body[:-1] + b" " * (length - len(body)) + body[-1:]
            assert (await add(hub, content=padded, content_type=content_type)).status_code == status, length


async def test_too_many_objects_are_no_413(tmp_path: Path) -> None:
    async with a_hub(tmp_path, intake=IntakeLimits(objects=Limits(bundle_objects=5))) as hub:
        await hub.centre()
        assert (await add(hub, *addresses(5))).status_code == 202
        answer = await add(hub, *addresses(6))
        assert (answer.status_code, resource(answer)["http_status"]) == (422, "422")


async def test_a_compressed_body_counts_as_it_is_decompressed(tmp_path: Path) -> None:
    async with a_hub(tmp_path, intake=IntakeLimits(push_bytes=10_000)) as hub:
        await hub.centre()
        body = orjson.dumps({"objects": [an_indicator()]})
        for length, status in ((10_000, 202), (10_001, 413)):
            packed = gzip.compress(body[:-1] + b" " * (length - len(body)) + body[-1:])
            assert len(packed) < 1_000
            assert (await add(hub, content=packed, content_encoding="gzip")).status_code == status


# ---------------------------------------------------------------- 4.3: status


async def test_the_status_of_what_was_added_can_be_asked_for(hub: Hub) -> None:
    begun = resource(await add(hub, an_indicator(), malware()))
    answer = await status_of(hub, begun["id"])
    assert answer.status_code == 200
    assert resource(answer)["id"] == begun["id"]
    await hub.settle()
    assert resource(await status_of(hub, begun["id"]))["status"] == "complete"


async def test_a_status_is_pending_until_it_is_complete_and_then_stays(hub: Hub) -> None:
    begun = resource(await add(hub, an_indicator()))
    assert begun["status"] == "pending"
    await hub.settle()
    ended = (await status_of(hub, begun["id"])).content
    assert orjson.loads(ended)["status"] == "complete"
    await added(hub, malware(), an_indicator("198.51.100.8"))
    assert (await status_of(hub, begun["id"])).content == ended


async def test_a_status_is_there_a_day_after_it_was_complete(hub: Hub) -> None:
    ended = await added(hub, an_indicator())
    hub.clock.us += 25 * 3_600 * 1_000_000
    await hub.settle()
    answer = await status_of(hub, ended["id"])
    assert (answer.status_code, resource(answer)) == (200, ended)


async def test_the_counts_of_a_status_add_up_to_the_objects_that_were_sent(hub: Hub) -> None:
    begun = resource(await add(hub, an_indicator(), malware(), BROKEN))
    await hub.settle()
    ended = resource(await status_of(hub, begun["id"]))
    for status in (begun, ended):
        counts = [status[name] for name in ("success_count", "failure_count", "pending_count")]
        assert all(type(one) is int and one >= 0 for one in (*counts, status["total_count"]))
        assert status["total_count"] == 3
        assert sum(counts) == 3
        for name, count in zip(("successes", "failures", "pendings"), counts, strict=True):
            assert name not in status or len(status[name]) == count
    assert (begun["pending_count"], ended["pending_count"]) == (3, 0)
    assert (ended["success_count"], ended["failure_count"]) == (2, 1)


async def test_what_a_status_must_have_is_there(hub: Hub) -> None:
    begun = resource(await add(hub, an_indicator(), BROKEN))
    await hub.settle()
    for status in (begun, resource(await status_of(hub, begun["id"]))):
        assert {"id", "status", "total_count", "success_count", "failure_count", "pending_count"} <= set(status)
        assert set(status) <= {
            "id", "status", "request_timestamp", "total_count", "success_count", "successes", "failure_count",
            "failures", "pending_count", "pendings",
        }  # fmt: skip
        assert status["status"] in ("complete", "pending")
        for one in [each for name in ("successes", "failures", "pendings") for each in status.get(name, [])]:
            assert {"id", "version"} <= set(one) <= {"id", "version", "message"}
            assert all(isinstance(text, str) for text in one.values())


async def test_a_status_names_each_object_by_its_id_and_version(hub: Hub) -> None:
    marking = an_object(
        "marking-definition", "own", modified=None, definition_type="statement", definition={"statement": "ours"}
    )
    sent = [an_indicator(), malware(), marking]
    begun = resource(await add(hub, *sent))
    await hub.settle()
    ended = resource(await status_of(hub, begun["id"]))
    expected = {(one["id"], parse_us(one.get("modified") or one["created"])) for one in sent}
    for name, status in (("pendings", begun), ("successes", ended)):
        assert {(one["id"], parse_us(one["version"])) for one in status[name]} == expected


async def test_a_status_names_a_failure_with_its_id_version_and_reason(hub: Hub) -> None:
    wrong = an_indicator("[no pattern", "wrong")
    [failure] = (await added(hub, wrong, malware()))["failures"]
    assert (failure["id"], parse_us(failure["version"])) == (wrong["id"], parse_us(wrong["modified"]))
    assert failure["message"]


async def test_what_has_no_time_has_the_same_version_in_every_status(hub: Hub) -> None:
    begun = resource(await add(hub, UNVERSIONED))
    await hub.settle()
    ended = resource(await status_of(hub, begun["id"]))
    [pending], [success] = begun["pendings"], ended["successes"]
    assert pending["id"] == success["id"] == UNVERSIONED["id"]
    assert pending["version"] == success["version"]


async def test_the_time_of_the_request_is_the_same_in_every_answer(hub: Hub) -> None:
    begun = resource(await add(hub, an_indicator()))
    hub.clock.us += 3_600_000_000
    await hub.settle()
    assert resource(await status_of(hub, begun["id"]))["request_timestamp"] == begun["request_timestamp"]


async def test_a_status_of_another_is_a_404(hub: Hub) -> None:
    ended = await added(hub, an_indicator())
    for who in ("it", "soc"):
        assert (await status_of(hub, ended["id"], who)).status_code == 404
    assert (await status_of(hub, ended["id"], None)).status_code == 401
