"""Splunk: the intake of Enterprise Security since 8.2, and the CTIS app, which posts with taxii2-client.

Of the intake's requests only what its documentation says is known: discovery, a collection by its title, a stored
credential. The app's source: splunk/ctis-taxii-splunk-app, bin/common.py, 0645248e.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import stix2
from taxii2client.v21 import ApiRoot, Status

from tests.doors.clients.polling import Poller, PollingContract
from tests.doors.clients.serving import TAXII, Serving, serving, shown, working
from tests.doors.hubs import addresses, ids
from tests.story import TLP, moment, uid


class Intake(Poller):
    """One download of the intake."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": TAXII, "Authorization": self.basic}

    async def poll(self) -> list[Any]:
        discovery = (await self.get(self.at.discovery_url)).json()
        collections = (await self.get(discovery["default"] + "collections/")).json()["collections"]
        [found] = [one for one in collections if one["title"] == "community"]
        url = f"{discovery['default']}collections/{found['id']}/objects/"
        return await self.pages(url, **({"added_after": self.last[url]} if url in self.last else {}))


class TestIntake(PollingContract):
    """By discovery and title."""

    def product(self, at: Serving, objects_url: str) -> Poller:
        return Intake(at, objects_url)


def grouping() -> tuple[stix2.v21.Bundle, list[Any]]:
    """What an analyst submits: a grouping of indicators, with its author, as a bundle."""
    common = {"created": moment(), "modified": moment(), "object_marking_refs": [TLP["green"]]}
    author = stix2.v21.Identity(id=f"identity--{uid('splunk')}", name="SOC", identity_class="organization", **common)
    indicators = [stix2.parse(one) for one in addresses(3)]
    whole = stix2.v21.Grouping(
        name="Submission",
        context="suspicious-activity",
        object_refs=ids(indicators),
        created_by_ref=author.id,
        **common,
    )
    return stix2.v21.Bundle(author, *indicators, whole, allow_custom=True), [author, *indicators, whole]


async def test_the_app_posts_a_bundle_and_waits_until_it_is_complete(tmp_path: Path) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        bundle, objects = grouping()

        def submit() -> Status:
            root = ApiRoot(at.root_url, **at.login("ro"))
            [intake] = [one for one in root.collections if one.can_write]  # the app greys out the others
            return intake.add_objects(bundle.serialize())

        status = await asyncio.to_thread(submit)
        assert status.status == "complete"
        assert (status.total_count, status.pending_count) == (len(objects), 0)
        assert sorted(one["id"] for one in [*status.successes, *status.failures]) == sorted(ids(objects))
        assert status.failure_count == 0, status.failures
        now = await shown(at.hub, who="ro")
        patterns = {one["pattern"] for one in now.values() if one and one["type"] == "indicator"}
        assert patterns == {one["pattern"] for one in addresses(3)}
        assert orjson.loads(bundle.serialize())["type"] == "bundle"
