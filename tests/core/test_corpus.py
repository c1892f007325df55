"""Real feeds from end to end of the core: what is accepted, how many things it is about, and nothing that breaks it."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
import stix2

from connectors.sdk.catalogue import make
from hub.core import judge
from hub.core.normalise import Normal
from hub.core.records import split
from hub.core.validate import TYPES
from hub.core.validate.common import SAME_EVERYWHERE
from hub.model.problems import Problem
from hub.model.words import CanonicalKey
from tests.core.verdicts import DATA, LIMITS
from tests.story import Story

DEMO = Path(__file__).parent.parent.parent / "deploy" / "demo" / "data"

Verdict = list[Normal] | Problem


def verdicts(path: Path) -> Iterator[Verdict]:
    """What becomes of each object of a file."""
    raw = path.read_bytes()
    objects = split(gzip.decompress(raw) if path.suffix == ".gz" else raw, LIMITS)
    assert isinstance(objects, list), path
    for one in objects:
        found = judge.judge(one, LIMITS)
        yield found[0] if isinstance(found, tuple) else found


def summed(paths: list[Path]) -> tuple[int, dict[str, int]]:
    """How many objects are accepted, and the codes of those that are refused."""
    accepted, refused = 0, Counter[str]()
    for path in paths:
        for verdict in verdicts(path):
            if isinstance(verdict, Problem):
                refused[verdict.code.value] += 1
            else:
                accepted += 1
    return accepted, dict(refused)


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name != "NOTICE"]


FOLDERS = sorted(path for path in (DATA / "stix").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_accepted_stays_what_it_is_and_can_be_read_by_stix2(folder: Path) -> None:
    for path in files(folder):
        for verdict in verdicts(path):
            for normal in [] if isinstance(verdict, Problem) else verdict:
                body = orjson.dumps(normal.obj)
                stix2.parse(body, allow_custom=True, version="2.1")
                found = judge.judge(body, LIMITS)
                assert isinstance(found, list)
                (again,) = found
                assert (again.obj, again.thing) == (normal.obj, normal.thing)


STIX = DATA / "stix"
EXPECTED: dict[Path, tuple[int, dict[str, int]]] = {
    STIX / "stix21-cti-documentation": (293, {}),
    STIX / "stix21-elevator": (
        116,
        {
            "stix.required": 9, "stix.reference": 6, "stix.id": 9, "stix.property-name": 1, "stix.spec-version": 1,
            "stix.value": 1, "stix.property-type": 1,
        },
    ),
    STIX / "stix21-misp-stix": (74, {}),
    STIX / "stix21-mvt": (81, {}),
    STIX / "stix21-tlp": (9, {}),
    STIX / "stix20-elevator": (87, {"stix.required": 10, "stix.id": 10, "stix.reference": 5, "stix.value": 1}),
    STIX / "stix20-misp-stix": (51, {}),
    STIX / "stix20-unit42": (19, {}),
    DEMO / "amnesty": (3_099, {}),
    DEMO / "mvt": (476, {}),
}  # fmt: skip
"""The elevator's documents are odd on purpose: relationships without an end, ids of STIX 1, words for references."""


@pytest.mark.parametrize("folder", EXPECTED, ids=lambda folder: folder.name)
def test_whole_feeds_get_the_verdicts_that_they_should(folder: Path) -> None:
    assert summed(files(folder)) == EXPECTED[folder]


def test_no_folder_of_samples_is_forgotten() -> None:
    assert set(FOLDERS) <= EXPECTED.keys()


def things(found: list[Verdict], beginning: str) -> set[CanonicalKey]:
    """What the indicators are about whose pattern begins so."""
    normals = [normal for verdict in found if not isinstance(verdict, Problem) for normal in verdict]
    about = [one for one in normals if one.obj["type"] == "indicator" and one.obj["pattern"].startswith(beginning)]
    return {one.thing for one in about if one.thing is not None}


def test_two_feeds_of_one_campaign_in_two_formats_are_about_the_same_domains() -> None:
    connector = make("csv", {"path": str(DEMO / "maltrail" / "apt_pegasus.txt"), "mapping": "list"})
    bodies = [item.body for item in connector.items({}) if not isinstance(item.body, bytes)]
    rows = [judge.judge_object(dict(body), LIMITS) for body in bodies]
    trails = things(rows, "[domain-name:value = ")
    reported = things(list(verdicts(DEMO / "amnesty" / "pegasus.json.gz")), "[domain-name:value = ")
    assert len(reported) == 1_438
    assert reported <= trails
    assert len(trails) == 1_523


# ---------------------------------------------------------------- damage

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 2**53, "", " ", "a\x00b", "\U0001f600", "x" * 3_000, "stix", [], [[]], [{}], {}, {"a": 1},
    ["a", None], [1, 2], "2024-01-01T00:00:00Z", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff", "IDENTITY--x",
    ["tlp:red"], ["tlp:purple"], "tlp:green", [{"kill_chain_name": 1}], {"MD5": 5}, {"MD5": "x"},
    {"0": {"type": "file"}}, [{"source_name": "cve"}],
    [{"selectors": ["name"], "marking_ref": "marking-definition--x"}],
    {"extension-definition--f82dae75-1890-5e4a-907d-b8105061ee17": 5},
    {"extension-definition--f82dae75-1890-5e4a-907d-b8105061ee17": {"extension_type": ["property-extension"]}},
    "[ipv4-addr:value = '1.2.3.4']",
]  # fmt: skip
NAMES = sorted(
    {name for table in TYPES.values() for name in table.properties}
    | SAME_EVERYWHERE.keys()
    | {"id", "type", "spec_version", "x_acme", "objects", "contents"}
)


class Damage:
    """Real objects with something in them that does not belong there; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._real: dict[str, list[dict[str, Any]]] = {}
        for folder in FOLDERS:
            for path in files(folder):
                for raw in split(path.read_bytes(), LIMITS):  # type: ignore[union-attr]
                    obj = json.loads(raw)
                    self._real.setdefault(str(obj.get("type")), []).append(obj)

    def an_object(self) -> bytes:
        draw = self._random
        obj = json.loads(json.dumps(draw.choice(self._real[draw.choice(sorted(self._real))])))
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            self._damage(obj)
        text = bytearray(json.dumps(obj).encode())
        if draw.random() < 0.05:
            text[draw.randrange(len(text))] = draw.randrange(256)
        return bytes(text)

    def _damage(self, obj: dict[str, Any]) -> None:
        draw = self._random
        match draw.randrange(8):
            case 0:
                obj["type"] = draw.choice([*TYPES, "x-acme"])
                obj["id"] = f"{obj['type']}--{str(obj.get('id')).rpartition('--')[2]}"
            case 1 | 2:
                holder, key = draw.choice(list(_places(obj)) or [({"x": 1}, "x")])
                holder[key] = [holder[key]] if draw.random() < 0.1 else self._odd()
            case 3:
                obj.pop(draw.choice(sorted(obj) or ["id"]), None)
            case _:
                obj[draw.choice(NAMES)] = self._odd()

    def _odd(self) -> Any:
        return deepcopy(self._random.choice(ODD))

    def some_bytes(self) -> bytes:
        draw = self._random
        raw = draw.randbytes(draw.randrange(200))
        return draw.choice((raw, b"{" + raw, b'{"type": "' + raw + b'"}', b'{"type": "bundle", "objects": [' + raw))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder in a JSON value with every key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield value, key
        yield from _places(one)


async def carry_all(tmp_path: Path, said: Iterator[bytes]) -> dict[str, int]:
    """Let a hub take it all, a hundred records at a time; how they ended."""
    story = await Story.begin(tmp_path)
    try:
        ro = await story.centre("ro")
        batch: list[Any] = []
        for one in said:
            batch.append((ro, one))
            if len(batch) == 100:
                await story.batch(*batch)
                batch.clear()
        await story.batch(*batch)
        for name in ("public", "community", "network"):
            for obj in (await story.shown(name)).values():
                stix2.parse(obj, allow_custom=True, version="2.1")
        return await story.counts(ro)
    finally:
        await story.close()


COUNT = 10_000 if "CTIHUB_TEST_ROUNDS" in os.environ else 600


@pytest.mark.faults
async def test_damaged_objects_have_their_end_and_what_is_shown_is_stix(tmp_path: Path) -> None:
    damage = Damage(COUNT)
    counts = await carry_all(tmp_path, (damage.an_object() for _ in range(COUNT)))
    assert sum(counts.values()) == COUNT
    assert min(counts["accepted"], counts["rejected"]) > COUNT // 10


@pytest.mark.faults
async def test_any_bytes_have_their_end(tmp_path: Path) -> None:
    damage = Damage(COUNT)
    counts = await carry_all(tmp_path, (damage.some_bytes() for _ in range(COUNT)))
    assert sum(counts.values()) == counts["rejected"] == COUNT
