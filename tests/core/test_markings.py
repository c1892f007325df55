"""What marking-definitions state, in the forms that tools write: ``tests/data/markings``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest

from hub.core.judge import judge
from hub.core.merge.reach import decided_by
from hub.model.markings import (
    LEVEL_OF_ID,
    PAP_OF_ID,
    PAP_ORDER,
    TLP_IDS,
    UnreadableMarking,
    level_of_definition,
    marks_of,
    pap_of_definition,
    stated_level,
    stated_pap,
)
from hub.model.words import Level, Limits

WRITTEN = [
    orjson.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "markings" / "definitions.ndjson").read_bytes().splitlines()
]
AMBER, GREEN = "60f8932b-e51e-4458-b265-a2e8be9a80ab", "c43594d1-4b11-4c59-93ab-1c9b14d53ce9"
OPENCTI = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace of OpenCTI's ids."""


def accepted(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition as the hub keeps it."""
    found = judge(orjson.dumps(definition), Limits())
    assert isinstance(found, list), found
    return found[0].obj


@pytest.mark.parametrize("said", WRITTEN, ids=lambda said: f"{said['written_by']}: {said['tlp'] or said['pap']}")
def test_a_definition_states_what_its_tool_means(said: dict[str, Any]) -> None:
    decided = decided_by(accepted(said["definition"]))
    assert decided.readable
    assert (None if decided.level is None else decided.level.label) == said["tlp"]
    assert (None if decided.pap is None else PAP_ORDER[decided.pap]) == said["pap"]


@pytest.mark.parametrize("said", WRITTEN, ids=lambda said: f"{said['written_by']}: {said['tlp'] or said['pap']}")
def test_what_has_a_well_known_id_is_read_by_its_id_alone(said: dict[str, Any]) -> None:
    marking = said["definition"]["id"]
    if not said["written_by"].startswith(("OASIS", "OpenCTI")):
        assert marking not in LEVEL_OF_ID.keys() | PAP_OF_ID.keys()
        return
    assert (LEVEL_OF_ID[marking].label if marking in LEVEL_OF_ID else None) == said["tlp"]
    assert (PAP_ORDER[PAP_OF_ID[marking]] if marking in PAP_OF_ID else None) == said["pap"]


def test_the_ids_of_opencti_are_those_that_it_derives_from_type_and_text() -> None:
    for at, word in enumerate(PAP_ORDER):
        text = json.dumps({"definition": f"PAP:{word}", "definition_type": "PAP"}, separators=(",", ":"))
        assert PAP_OF_ID[f"marking-definition--{uuid5(OPENCTI, text)}"] == at


def test_a_pap_is_none_of_the_markings_that_must_be_resolved() -> None:
    amber, green = (f"marking-definition--{uid}" for uid in (AMBER, GREEN))
    parts = [{"marking_ref": green, "selectors": ["name"]}, {"marking_ref": TLP_IDS[Level.RED], "selectors": ["name"]}]
    found = marks_of({"type": "malware", "name": "x", "object_marking_refs": [amber], "granular_markings": parts})
    assert found.others == ()


@pytest.mark.parametrize(
    "said",
    ["tlp:amber+strict", "TLP:AMBER+STRICT", "TLP: Amber-Strict", "tlp:amber_strict", "TLP AMBER STRICT",
     "tlp:amber + strict"],
)  # fmt: skip
def test_amber_strict_is_read_in_every_spelling(said: str) -> None:
    assert stated_level(said) is Level.AMBER_STRICT


@pytest.mark.parametrize(
    ("said", "expected"),
    [("PAP:RED", 3), ("pap: amber", 2), ("PAP GREEN", 1), ("PAP:WHITE", 0), ("PAP:MAUVE", None), ("papred", None)],
)  # fmt: skip
def test_a_pap_is_read_in_every_spelling(said: str, expected: int | None) -> None:
    assert stated_pap(said) == expected


@pytest.mark.parametrize(
    "more",
    [
        {"definition_type": "TLP", "definition": {"tlp": "mauve"}},
        {"definition_type": "TLP", "extensions": {"extension-definition--x": {}}},
        {"definition_type": "statement", "definition": {"statement": "custom"}, "x_opencti_definition_type": "TLP",
         "x_opencti_definition": "TLP:EX:CHR"},
        {"name": "TLP:MAUVE", "definition_type": "statement", "definition": {"statement": "ask us"}},
    ],
)  # fmt: skip
def test_a_tlp_that_names_no_level_is_unreadable(more: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMarking):
        level_of_definition({"type": "marking-definition", **more})


def test_of_several_texts_the_strictest_counts() -> None:
    both = {"name": "TLP:GREEN", "definition_type": "statement", "definition": {"statement": "TLP:RED"}}
    assert level_of_definition(both) is Level.RED
    both = {"name": "PAP:RED", "definition_type": "statement", "definition": {"statement": "PAP:GREEN"}}
    assert pap_of_definition(both) == PAP_ORDER.index("RED")
