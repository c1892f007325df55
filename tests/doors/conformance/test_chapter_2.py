"""TAXII 2.1, section 2: data types. Each test looks at every resource that the hub makes, but not into STIX objects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import RFC_4122, UUID

import httpx
import pytest

from tests.doors.conformance.asking import (
    COLLECTIONS,
    FIRST,
    LAST,
    NOWHERE,
    ROOT,
    TIMESTAMP,
    Full,
    add,
    added,
    an_indicator,
    malware,
    resource,
    values_in,
)  # fmt: skip
from tests.doors.hubs import Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")
EMPTY = "added_after=2100-01-01T00:00:00Z"
BOOLEANS = {"more", "can_read", "can_write"}


async def answers(full: Full) -> AsyncIterator[tuple[str, httpx.Response]]:
    """Every kind of resource, full and empty, and an error."""
    hub, asked = full
    for path in asked.all:
        yield path, await hub.get(path, "soc")
    for path in asked.of_content:
        yield f"{path}?limit=1", await hub.get(f"{path}?limit=1", "soc")
        yield f"{path}?{EMPTY}", await hub.get(f"{path}?{EMPTY}", "soc")
    yield "an error", await hub.get(f"{COLLECTIONS}{NOWHERE}/", "soc")


def without_objects(path: str, answer: httpx.Response) -> Any:
    """A resource without the STIX objects in it, whose types are those of STIX."""
    body = resource(answer)
    if "/objects/" in path:
        body.pop("objects", None)
    return body


async def test_booleans_are_literals(full: Full) -> None:
    seen = set()
    async for path, answer in answers(full):
        for found in values_in(without_objects(path, answer)):
            for name in BOOLEANS & set(found if isinstance(found, dict) else ()):
                seen.add(name)
                assert found[name] is True or found[name] is False, (path, name)
    assert seen == BOOLEANS


async def test_identifiers_are_uuids_of_version_4(hub: Hub) -> None:
    listed = (await hub.get(COLLECTIONS, "ro")).json()["collections"]
    status = await added(hub, an_indicator())
    for said in [*(one["id"] for one in listed), status["id"]]:
        found = UUID(said)
        assert (str(found), found.version, found.variant) == (said, 4, RFC_4122)
    assert len({one["id"] for one in listed}) == len(listed)


async def test_every_integer_is_one_that_a_double_can_represent(full: Full) -> None:
    integers = []
    async for path, answer in answers(full):
        values = list(values_in(without_objects(path, answer)))
        assert not any(isinstance(one, float) for one in values), path
        integers += [one for one in values if type(one) is int]
    assert integers
    assert all(abs(one) <= 2**53 - 1 for one in integers)


async def test_no_list_is_empty(full: Full) -> None:
    async for path, answer in answers(full):
        assert [] not in list(values_in(without_objects(path, answer))), path


async def test_no_list_of_a_status_is_empty(hub: Hub) -> None:
    for objects in ([an_indicator()], [malware(created="yesterday")], [an_indicator(), malware(created="yesterday")]):
        begun = resource(await add(hub, *objects))
        await hub.settle()
        ended = (await hub.get(f"{ROOT}status/{begun['id']}/", "ro")).json()
        for status in (begun, ended):
            assert [] not in list(values_in(status))


async def test_all_values_of_a_list_have_its_type(full: Full) -> None:
    hub, asked = full
    lists: dict[str, type] = {"api_roots": str, "versions": str, "collections": dict, "media_types": str}
    seen = set()
    for path in (*asked.all, asked.manifest):
        for found in values_in(without_objects(path, await hub.get(path, "soc"))):
            for name in set(lists) & set(found if isinstance(found, dict) else ()):
                seen.add(name)
                assert {type(one) for one in found[name]} == {lists[name]}, (path, name)
    assert seen == set(lists)
    assert {type(one) for one in resource(await hub.get(asked.manifest, "soc"))["objects"]} == {dict}


async def test_timestamps_are_utc_with_microseconds_and_z(full: Full) -> None:
    hub, asked = full
    times = [one["date_added"] for one in (await hub.get(asked.manifest, "soc")).json()["objects"]]
    for path in asked.of_content:
        for query in ("", EMPTY, "limit=1"):
            answer = await hub.get(f"{path}?{query}", "soc")
            times += [answer.headers[FIRST], answer.headers[LAST]]
    for one in times:
        assert TIMESTAMP.fullmatch(one), one


async def test_the_time_of_a_request_is_utc_with_microseconds_and_z(hub: Hub) -> None:
    assert TIMESTAMP.fullmatch(resource(await add(hub, an_indicator()))["request_timestamp"])
    assert TIMESTAMP.fullmatch((await added(hub, an_indicator()))["request_timestamp"])


@pytest.mark.parametrize("name", ["\u202e", "a\u0000b", "\ud7ff\ue000", "\U0010ffff"])
async def test_strings_are_any_characters_of_unicode(hub: Hub, name: str) -> None:
    await hub.tell("ro", malware(name))
    url = await hub.objects_url("community")
    [found] = resource(await hub.get(f"{url}?match[type]=malware", "soc"))["objects"]
    assert found["name"] == name


async def test_an_empty_list_of_collections_is_left_out(hub: Hub) -> None:
    await hub.operator()
    await hub.registry.collections.remove("public")
    assert resource(await hub.get(COLLECTIONS, "ops")) == {}
