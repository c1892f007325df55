"""INV-5 for look-ups: what an audience may not see changes no byte and no order of what its readers are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.model.policy import Collection, Source
from hub.model.words import Seq
from hub.questions.changes import ChangesSince, changes_of
from hub.questions.lookup import look_up
from tests.promises.histories import VALUES, WIDE, a_history
from tests.promises.telling import Telling, a_hub
from tests.promises.test_non_interference import Retelling
from tests.story import TLP, Story, an_indicator, moment, uid

DIGESTS = ("d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab" * 32)
ASKED = (
    *VALUES, WIDE, "198.51.100.0/25", "http://198.51.100.7/a", "c2.example", "a.c2.example", *DIGESTS, "no value", "x.y"
)  # fmt: skip


async def told_by(story: Story, collections: Sequence[Collection]) -> list[object]:
    """All that a reader of these collections is told, at once and one by one."""
    at_once = [one async for part in look_up(story.store, collections, ASKED) for one in part]
    alone = [one for text in ASKED async for part in look_up(story.store, collections, [text]) for one in part]
    assert at_once == alone
    changes = [
        await changes_of(story.store.logs, one.no, ChangesSince(Seq(0), None, 1_000), 1 << 20) for one in collections
    ]
    return [*at_once, changes]


async def of_name(story: Story, name: str) -> list[Collection]:
    return [one for one in (await story.policy()).collections.values() if one.name == name]


@pytest.mark.parametrize(("seed", "collection"), [(1, "public"), (2, "community"), (3, "network"), (5, "red")])
async def test_what_a_reader_may_not_see_changes_nothing_that_it_is_told(
    seed: int, collection: str, tmp_path: Path
) -> None:
    async with a_hub(path=tmp_path / "full") as full, a_hub(path=tmp_path / "less") as less:
        telling = Telling(full, a_history(seed, repeats=False))
        await telling.tell()
        await Retelling(less, telling, collection).tell()
        assert await told_by(full, await of_name(full, collection)) == await told_by(
            less, await of_name(less, collection)
        )


# ---------------------------------------------------------------- networks, names, URLs and files


def something(rng: Random, no: int) -> dict[str, Any]:
    """An object that is about one of the values, or around one, or gives digests of a file."""
    tlp = rng.choice(["green", "amber"])
    md5, sha1, sha256 = DIGESTS
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("ipv4-addr", {"value": rng.choice(["198.51.100.7", "198.51.100.0/24", "198.51.0.0/16"])}),
        ("url", {"value": f"http://{rng.choice(['198.51.100.7', 'c2.example'])}/{rng.randrange(3)}"}),
        ("domain-name", {"value": rng.choice(["c2.example", "a.c2.example"])}),
        ("file", {"hashes": dict(rng.sample([("MD5", md5), ("SHA-1", sha1), ("SHA-256", sha256)], 2))}),
        ("pattern", {}),
    ]
    kind, more = rng.choice(kinds)
    if kind != "pattern":
        return {
            "type": kind, "spec_version": "2.1", "id": f"{kind}--{uid('said', str(no))}", **more,
            "object_marking_refs": [TLP[tlp]],
        }  # fmt: skip
    pattern = rng.choice(
        [
            f"[ipv4-addr:value IN ('198.51.100.7', '203.0.113.{rng.randrange(3)}')]",
            f"[ipv4-addr:value = '198.51.{rng.randrange(100, 102)}.0/{rng.randrange(20, 25)}']",
            f"[url:value = 'http://c2.example/{rng.randrange(3)}' OR url:value = 'http://c2.example/x']",
            f"[file:hashes.MD5 = '{md5}' AND file:hashes.'SHA-1' = '{sha1}']",
            f"[file:hashes.'SHA-256' = '{sha256}' AND file:hashes.'SHA-1' = '{sha1}']",
        ]
    )
    return an_indicator(
        pattern, f"{no}", tlp=tlp, confidence=rng.choice([None, rng.randrange(101)]), modified=moment(no)
    )  # fmt: skip


def is_green(said: Mapping[str, Any]) -> bool:
    return bool(said["object_marking_refs"] == [TLP["green"]])


@pytest.mark.parametrize("seed", range(6))
async def test_nor_does_what_is_around_a_value_or_gives_digests(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    said = [(rng.choice(["ro", "it"]), something(rng, no)) for no in range(60)]
    answers: list[list[object]] = []
    for name, only_green in (("full", False), ("less", True)):
        async with a_hub(path=tmp_path / name) as story:
            centres: dict[str, Source] = {one.name: one for one in (await story.policy()).sources.values()}
            for at in range(0, len(said), 10):
                some = said[at : at + 10]
                await story.batch(*((centres[who], one) for who, one in some if not only_green or is_green(one)))
            answers.append(await told_by(story, await of_name(story, "community")))
            if not only_green:
                both = [*await of_name(story, "network"), *await of_name(story, "community")]
                assert await told_by(story, both) != answers[-1], "nothing was hidden"
    assert answers[0] == answers[1]
