"""Query parameters that a route does not have are refused, on every route of /v1."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute

from hub.doors.parameters import BELOW, declared_by
from tests.doors.hubs import Hub


def _routes(hub: Hub) -> list[tuple[str, str, APIRoute]]:
    """Method, path and route of all that is below /v1, with a word for each part of the path."""
    below = [route for route in hub.app.routes if isinstance(route, APIRoute) and route.path.startswith(BELOW)]
    return [(method, re.sub(r"\{[^}]*\}", "x", route.path), route) for route in below for method in route.methods or ()]


@pytest.mark.asyncio
async def test_every_route_of_the_interface_refuses_an_unknown_parameter(hub: Hub) -> None:
    routes = _routes(hub)
    assert {path for _, path, _ in routes} >= {
        "/v1/intake",
        "/v1/exports",
        "/v1/receipts/x",
        "/v1/collections/x/stream",
        "/v1/collections/x/export.x",
        "/v1/openapi.json",
    }
    for method, path, route in routes:
        answer = await hub.http.request(method, f"{path}?zzz=1")
        assert answer.status_code == 400, (method, path)
        body = answer.json()
        assert (body["code"], body["detail"]) == ("parameter.unknown", "There is no parameter zzz."), (method, path)
        for name in declared_by(route).names:
            assert name in body["way_out"], (method, path)


@pytest.mark.asyncio
async def test_every_declared_parameter_is_known_and_a_single_one_may_be_given_once(hub: Hub) -> None:
    for method, path, route in _routes(hub):
        declared = declared_by(route)
        for name in declared.names:
            once = await hub.http.request(method, path, params={name: "1"})
            assert "parameter.unknown" not in once.text, (method, path, name)
            twice = await hub.http.request(method, path, params=[(name, "1"), (name, "2")])
            assert ("parameter.repeated" in twice.text) is (name not in declared.repeatable), (method, path, name)


@pytest.mark.parametrize(
    ("query", "way_out"),
    [
        ("typ=url", "Did you mean type? This path takes "),
        ("TYPE=url", "Did you mean type? This path takes "),
        ("limits=5", "Did you mean limit? This path takes "),
        ("zzz=5", "This path takes "),
        ("type=url&limit=5&lmit=7", "Did you mean limit? This path takes "),
    ],
)
@pytest.mark.asyncio
async def test_the_nearest_parameter_is_named_and_what_there_is(hub: Hub, query: str, way_out: str) -> None:
    answer = await hub.get(f"/v1/collections/public/export.txt?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter.unknown")
    assert answer.json()["way_out"].startswith(way_out)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.asyncio
async def test_a_list_takes_its_types_one_by_one_and_a_limit_once(hub: Hub) -> None:
    answer = await hub.get("/v1/collections/public/export.txt?type=url&type=domain-name&limit=5")
    assert answer.status_code == 200
    answer = await hub.get("/v1/collections/public/export.txt?limit=5&limit=5")
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter.repeated")


@pytest.mark.asyncio
async def test_a_path_without_parameters_says_so(hub: Hub) -> None:
    answer = await hub.get("/v1/exports?format=txt")
    assert answer.json()["way_out"] == "This path takes no parameters."


@pytest.mark.asyncio
async def test_a_name_that_cannot_be_shown_is_shown_safely_and_cut(hub: Hub) -> None:
    answer = await hub.get("/v1/exports", params={"\n" + "a" * 500: "1"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "There is no parameter '\\n" + "a" * 59 + "'."


@pytest.mark.asyncio
async def test_taxii_and_health_take_what_their_clients_send(hub: Hub) -> None:
    assert (await hub.get("/taxii2/?zzz=1", "soc")).status_code == 200
    assert (await hub.get("/healthz?zzz=1")).status_code == 200
