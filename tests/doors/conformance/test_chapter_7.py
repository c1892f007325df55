"""TAXII 2.1, section 7.1: custom properties."""

from __future__ import annotations

import re

import orjson
import pytest

from tests.doors.conformance.asking import ROOT, Full, add, an_indicator, resource
from tests.doors.hubs import Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = re.compile(r"[a-z0-9_]{3,250}", re.ASCII)


async def test_the_one_property_of_our_own_has_a_name_that_it_may_have(full: Full) -> None:
    """Section 3.4 has the parameter ``next`` for manifests and versions too, but 5.3.1 and 5.8.1 no property for it."""
    hub, asked = full
    for path, defined in ((asked.manifest, {"more", "objects"}), (asked.versions, {"more", "versions"})):
        body = resource(await hub.get(f"{path}?limit=1", "soc"))
        assert set(body) - defined == {"next"}
        assert all(NAME.fullmatch(name) for name in set(body) - defined)


async def test_a_custom_property_that_is_not_understood_is_ignored(hub: Hub) -> None:
    body = orjson.dumps({"x_acmeinc_scoring": {"impact": "high"}, "objects": [an_indicator()], "more": False})
    answer = await add(hub, content=body)
    assert answer.status_code == 202
    await hub.settle()
    status = resource(await hub.get(f"{ROOT}status/{resource(answer)['id']}/", "ro"))
    assert (status["total_count"], status["success_count"]) == (1, 1)
