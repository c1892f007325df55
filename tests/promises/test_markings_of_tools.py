"""What a collection shows of objects that are marked as OpenCTI, MISP and CISA mark them.

Source: docs/semantics.md, section 2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.model.words import Naming
from tests.promises.telling import what_differs_from_recomputed
from tests.story import TLP, Story, an_indicator, malware, moment, uid

WRITTEN = [
    orjson.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "markings" / "definitions.ndjson").read_bytes().splitlines()
]
PAP = {said["pap"]: said["definition"] for said in WRITTEN if said["written_by"] == "OASIS common objects"}
ACS = next(said["definition"] for said in WRITTEN if said["written_by"].startswith("CISA"))
OPENCTIS = [said for said in WRITTEN if said["written_by"].startswith("OpenCTI, TAXII")]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


def with_marking(marking: dict[str, Any]) -> dict[str, Any]:
    return {"object_marking_refs": [TLP["green"], marking["id"]]}


async def test_a_pap_is_read_from_its_marking_without_a_definition_and_shown_as_one_label(story: Story) -> None:
    ro, it, pl = [await story.centre(name) for name in ("ro", "it", "pl")]
    await story.batch(
        (ro, an_indicator("198.51.100.7", "a", labels=["PAP:GREEN", "c2"])),
        (it, an_indicator("198.51.100.7", "b", **with_marking(PAP["AMBER"]))),
        (pl, an_indicator("198.51.100.7", "c", **with_marking(PAP["CLEAR"]))),
    )
    shown = await story.only("community")
    assert shown["labels"] == ["PAP:AMBER", "c2"]
    assert shown["object_marking_refs"] == [TLP["green"]]
    assert await story.counts(it) == {"accepted": 1, "unchanged": 0, "held": 0, "rejected": 0}


async def test_a_claim_that_only_others_see_leaves_no_pap_behind(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    amber = {"object_marking_refs": [TLP["amber"], PAP["RED"]["id"]]}
    await story.batch((ro, an_indicator("198.51.100.7", "a")))
    before = await story.log("community")
    await story.batch((it, an_indicator("198.51.100.7", "b", **amber)))
    assert await story.log("community") == before
    assert (await story.only("network"))["labels"] == ["PAP:RED"]


async def test_the_pap_of_an_owners_object_is_a_label_beside_its_own(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch(
        (ro, malware("a", labels=["z", "PAP:GREEN", "b"], **with_marking(PAP["RED"]))),
        (ro, malware("b", labels=["z", "PAP:GREEN", "b"])),
    )
    shown = {obj["name"]: obj for obj in (await story.shown("community", "malware")).values()}
    assert shown["a"]["labels"] == ["z", "b", "PAP:RED"]
    assert shown["a"]["object_marking_refs"] == [TLP["green"]]
    assert shown["b"]["labels"] == ["z", "PAP:GREEN", "b"]


async def test_what_a_centre_sends_under_the_id_of_a_pap_changes_nothing(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator(**with_marking(PAP["RED"]))))
    before = await story.log("community")
    forged = {**PAP["RED"], "name": "PAP:CLEAR", "extensions": PAP["CLEAR"]["extensions"]}
    await story.batch((ro, forged))
    assert await story.log("community") == before
    assert (await story.only("community"))["labels"] == ["PAP:RED"]


@pytest.mark.parametrize("said", OPENCTIS, ids=lambda said: said["tlp"] or said["pap"])
async def test_what_opencti_sends_is_accepted_and_read_with_or_without_its_definition(
    story: Story, said: dict[str, Any]
) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    marked = {"object_marking_refs": [said["definition"]["id"]]} if said["tlp"] else with_marking(said["definition"])
    await story.batch((ro, said["definition"]), (ro, malware("a", **marked)), (it, malware("b", **marked)))
    for centre in (ro, it):
        counts = await story.counts(centre)
        assert (counts["held"], counts["rejected"]) == (0, 0)
    for shown in (await story.shown("network", "malware")).values():
        assert shown["object_marking_refs"] == [TLP[said["tlp"] or "green"]]
        assert shown.get("labels") == (None if said["tlp"] else [f"PAP:{said['pap']}"])
    assert len(await story.shown("network", "malware")) == 2


async def test_the_label_that_misp_writes_for_amber_strict_keeps_an_object_from_those_who_may_see_green(
    story: Story,
) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator(tlp=None, labels=["tlp:amber+strict", 'misp:name="ip-port"'])))
    assert await story.shown("community") == {}
    shown = await story.only("network")
    assert shown["object_marking_refs"] == [TLP["amber+strict"]]
    assert shown["labels"] == ['misp:name="ip-port"']


@pytest.mark.parametrize("naming", [Naming.NAMED, Naming.ANONYMOUS])
async def test_an_access_control_specification_travels_as_a_statement_with_its_definition(
    story: Story, naming: Naming
) -> None:
    ro = await story.centre("ro", naming=naming)
    await story.batch((ro, ACS), (ro, an_indicator(**with_marking(ACS))), (ro, malware(**with_marking(ACS))))
    shown = await story.shown("community")
    for obj in (await story.only("community"), await story.only("community", "malware")):
        _, statement = obj["object_marking_refs"]
        (said,), (kept,) = ACS["extensions"].values(), shown[statement]["extensions"].values()
        assert {**kept, "create_date_time": said["create_date_time"]} == said
        assert (kept["create_date_time"] == said["create_date_time"]) == (naming is Naming.NAMED)
    assert (await story.counts(ro))["accepted"] == 3
    await story.batch((ro, an_indicator()["id"]), (ro, malware()["id"]))
    assert await story.shown("community") == {}


async def test_an_access_control_specification_that_was_not_sent_holds_what_carries_it(story: Story) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, malware(**with_marking(ACS))))
    assert (await story.counts(ro))["held"] == 1
    await story.batch((ro, ACS))
    assert (await story.only("community", "malware"))["id"] == malware()["id"]
    assert await what_differs_from_recomputed(story) == []


async def test_a_marking_of_a_centre_that_states_a_pap_in_its_extension_counts(story: Story) -> None:
    ro = await story.centre("ro")
    own = {**PAP["AMBER"], "id": f"marking-definition--{uid('own')}"}
    await story.batch((ro, own), (ro, an_indicator(**with_marking(own))))
    shown = await story.only("community")
    assert shown["labels"] == ["PAP:AMBER"]
    assert shown["object_marking_refs"] == [TLP["green"], own["id"]]


async def test_a_revocation_that_is_marked_more_strictly_keeps_the_pap_of_what_stood(story: Story) -> None:
    ro = await story.centre("ro")
    stood = malware(**with_marking(PAP["RED"]))
    revocation = {
        name: value for name, value in stood.items() if name != "is_family"
    }  # invalid: only the revocation counts
    await story.batch((ro, stood))
    await story.batch(
        (ro, revocation | {"revoked": True, "modified": moment(5), "object_marking_refs": [TLP["amber"]]})
    )
    assert await story.shown("community", "malware") == {}
    shown = await story.only("network", "malware")
    assert (shown["revoked"], shown["labels"]) == (True, ["PAP:RED"])
    assert shown["object_marking_refs"] == [TLP["amber"]]
