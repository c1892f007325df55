"""Taken back means gone: a revocation counts whatever else it says, and shows nothing to anybody new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from hub.core.hold import WarningLists
from hub.core.validate import TYPES
from hub.model.words import Level, Naming
from tests.examples import few
from tests.story import EXTENSION, TLP, Story, an_indicator, an_object, malware, moment, uid

COLLECTIONS = ("public", "community", "network")
REAL = Path(__file__).parent.parent / "data" / "real-life"


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    found = await Story.begin()
    yield found
    await found.close()


def revoking(obj: dict[str, Any], at: float = 10, **more: Any) -> dict[str, Any]:
    return {**obj, "modified": moment(at), "revoked": True, **more}


async def everywhere(story: Story, kind: str) -> list[dict[str, Any]]:
    return [
        obj
        for name in COLLECTIONS
        for obj in (await story.shown(name, kind)).values()
        if obj.get("revoked") is not True
    ]


async def outcomes(story: Story, centre: Any) -> tuple[int, int, int, int]:
    return tuple((await story.counts(centre)).values())  # type: ignore[return-value]


# ---------------------------------------------------------------- the property

SIGHTED = an_indicator("198.51.100.8", "s")
OBSERVED = an_object(
    "observed-data",
    "o",
    first_observed=moment(-100),
    last_observed=moment(-90),
    number_observed=1,
    objects={"0": {"type": "ipv4-addr", "value": "198.51.100.9"}, "1": {"type": "file", "name": "a.exe"}},
)
OLD = {
    name: value
    for name, value in an_indicator("198.51.100.10", "2.0", labels=["malicious-activity"]).items()
    if name not in ("spec_version", "pattern_type")
}
WHOLES: dict[str, dict[str, Any]] = {
    "indicator": an_indicator(),
    "sigma": an_indicator("title: x", "sigma", pattern="title: x", pattern_type="sigma"),
    "malware": malware(),
    "relationship": an_object(
        "relationship", "r", relationship_type="indicates", source_ref=SIGHTED["id"], target_ref=malware("t")["id"]
    ),
    "sighting": an_object("sighting", "s", sighting_of_ref=SIGHTED["id"]),
    "report": an_object("report", "r", name="r", published=moment(-100), object_refs=[SIGHTED["id"]]),
    "observed-data": OBSERVED,
    "stix 2.0": OLD,
    "custom": an_object("x-thing", "c", name="c"),
}
OTHERS = [(SIGHTED), malware("t")]
NAMES = ["id", "type", "modified", "created_by_ref", "revoked"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["tlp:green", "TLP:X"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OWN = ["created", "name", "pattern", "valid_from", "valid_until", "objects", "object_refs", "source_ref", "target_ref"]
COMMON = ["spec_version", "labels", "confidence", "lang", "external_references", "object_marking_refs", "extensions"]
names = st.sampled_from(OWN + COMMON + ["granular_markings"]) | st.text(max_size=6).filter(lambda one: one not in NAMES)
AS_IT_WAS = object()


@asynccontextmanager
async def a_hub() -> AsyncIterator[Story]:
    story = await Story.begin()
    yield story
    await story.close()


@pytest.mark.parametrize("kind", WHOLES)
@few(60)
@given(changed=st.dictionaries(names, values | st.just(AS_IT_WAS), max_size=5), dropped=st.sets(names, max_size=4))
def test_whatever_else_a_revocation_says_the_thing_is_gone_everywhere(
    kind: str, changed: dict[str, Any], dropped: set[str]
) -> None:
    whole = WHOLES[kind]
    said = {name: value for name, value in whole.items() if name not in dropped}
    said |= {name: value for name, value in changed.items() if value is not AS_IT_WAS}

    async def tell() -> None:
        async with a_hub() as story:
            ro = await story.centre("ro")
            await story.batch(*((ro, one) for one in (*OTHERS, whole)))
            shown = [obj["id"] for obj in await everywhere(story, whole["type"])]
            assert shown
            before = {one: obj for name in COLLECTIONS for one, obj in (await story.shown(name)).items()}
            await story.batch((ro, json.dumps(revoking(said)).encode()))
            left = {obj["id"] for obj in await everywhere(story, whole["type"])}
            others = {one["id"] for one in OTHERS} | {before[i]["id"] for i in before if _is_other(before[i])}
            assert left <= others
            assert not await everywhere(story, "ipv4-addr")
            assert (await story.counts(ro))["accepted"] == len(OTHERS) + 2
            for name in COLLECTIONS:
                for obj in (await story.shown(name)).values():
                    stix2.parse(obj, allow_custom=True)
            await story.batch((ro, whole))  # an older version does not bring it back
            assert {obj["id"] for obj in await everywhere(story, whole["type"])} <= others
            assert (await story.counts(ro))["unchanged"] == 1

    asyncio.run(tell())


def _is_other(obj: dict[str, Any]) -> bool:
    return bool(obj.get("pattern") == SIGHTED["pattern"])


# ---------------------------------------------------------------- single rules


async def test_what_real_tools_revoke_is_gone_and_shown_as_it_was(story: Story) -> None:
    first, second = (REAL / "revocation.ndjson").read_bytes().splitlines()
    ro = await story.centre("ro", default_level=Level.GREEN)
    story.now_us += 400 * 86_400 * 1_000_000
    await story.batch((ro, first))
    before = await story.only("community")
    await story.batch((ro, second))
    (last,) = [json.loads(row.body) for row in await story.log("community") if row.withdrawn and row.body]
    assert last == {**before, "revoked": True, "modified": last["modified"]}
    assert await outcomes(story, ro) == (2, 0, 0, 0)


KINDS = sorted({"x-thing", *TYPES} - {"indicator", "malware"})


async def test_a_revocation_of_nothing_keeps_older_versions_out_and_newer_ones_in(story: Story) -> None:
    ro = await story.centre("ro")
    for number, kind in enumerate(("indicator", "malware", *KINDS)):
        stix_id = f"{kind}--{uid(kind, number)}"
        await story.batch((ro, {"type": kind, "id": stix_id, "modified": moment(10), "revoked": True}))
    assert await outcomes(story, ro) == (2 + len(KINDS), 0, 0, 0)
    for name in COLLECTIONS:
        assert await story.shown(name) == {}
    old = malware("m", id=f"malware--{uid('malware', 1)}")
    await story.batch((ro, old))
    assert await everywhere(story, "malware") == []
    await story.batch((ro, {**old, "modified": moment(20)}))
    assert len(await everywhere(story, "malware")) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"created_by_ref": "CERT"}, {"created_by_ref": 7}, {"modified": "yesterday"}, {"modified": None},
        {"type": "malware"}, {"type": 1}, {"id": "indicator--x"}, {"revoked": "true"}, {"revoked": None},
        {"revoked": 1},
    ],
)  # fmt: skip
async def test_what_cannot_be_read_of_a_revocation_refuses_it(story: Story, broken: dict[str, Any]) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator()), (ro, revoking(an_indicator(), labels={}, **broken)))
    assert await outcomes(story, ro) == (1, 0, 0, 1)
    assert await everywhere(story, "indicator")


async def test_nobody_revokes_in_anothers_name(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    mine = an_indicator(created_by_ref=ro.identity)
    await story.batch((ro, mine), (it, revoking(mine, pattern=None)))
    assert await outcomes(story, it) == (0, 0, 0, 1)
    assert await everywhere(story, "indicator")


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"12345678901234567890123", b"[" * 50 + b"]" * 50])
async def test_numbers_and_nesting_that_readers_refuse_do_not_save_what_is_revoked(story: Story, number: bytes) -> None:
    ro = await story.centre("ro")
    said = orjson.dumps(revoking(an_indicator()))[:-1]
    await story.batch((ro, an_indicator()), (ro, said + b',"x_score":' + number + b',"name":"\\ud800"}'))
    assert await everywhere(story, "indicator") == []


async def test_a_byte_that_is_no_utf_8_does_not_save_what_is_revoked(story: Story) -> None:
    ro = await story.centre("ro")
    said = orjson.dumps(revoking(an_indicator()))[:-1]
    await story.batch((ro, an_indicator()), (ro, said + b',"name":"R\xe9seau"}'))
    assert await everywhere(story, "indicator") == []


@pytest.mark.parametrize("modified", ["2026-01-01T00:00:10+00:00", "2026-01-01t02:00:10.000123+02:00"])
async def test_a_time_with_an_offset_can_be_read_of_a_revocation(story: Story, modified: str) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, malware()), (ro, {**malware(), "revoked": True, "modified": modified}))
    assert await everywhere(story, "malware") == []
    shown = await story.only("community", "malware")
    assert shown["modified"].startswith("2026-01-01T00:00:10.000")
    stix2.parse(shown)
    await story.batch((ro, {**malware(), "modified": moment(9)}))
    assert await everywhere(story, "malware") == []


async def test_a_key_that_comes_twice_refuses_only_with_two_values_where_it_decides(story: Story) -> None:
    ro = await story.centre("ro")
    one, two = an_indicator("198.51.100.1"), an_indicator("198.51.100.2")
    said = [orjson.dumps(revoking(obj))[:-1] for obj in (one, two)]
    await story.batch((ro, one), (ro, two))
    twice = b',"name":"a","name":"b","revoked":true}'
    await story.batch((ro, said[0] + twice), (ro, said[1] + b',"modified":"2030-01-01T00:00:00Z"}'))
    assert [obj["pattern"] for obj in await everywhere(story, "indicator")] == [two["pattern"]] * 2


async def test_a_revocation_marked_above_the_ceiling_or_in_the_future_counts(story: Story) -> None:
    ro = await story.centre("ro", ceiling=Level.AMBER)
    one, two = an_indicator("198.51.100.1"), an_indicator("198.51.100.2")
    await story.batch((ro, one), (ro, two))
    said = (revoking(one, object_marking_refs=[TLP["red"]]), revoking(two, at=900_000))
    await story.batch(*((ro, one) for one in said))
    assert await everywhere(story, "indicator") == []
    await story.batch((ro, one), (ro, two))
    assert await everywhere(story, "indicator") == []
    assert await outcomes(story, ro) == (4, 2, 0, 0)


async def test_a_revocation_with_a_marking_that_nobody_has_defined_counts(story: Story) -> None:
    ro = await story.centre("ro")
    unknown = f"marking-definition--{uid('unknown')}"
    await story.batch((ro, an_indicator()), (ro, revoking(an_indicator(), object_marking_refs=[unknown])))
    assert await everywhere(story, "indicator") == []
    assert await outcomes(story, ro) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("marked", "counted"),
    [
        ({}, True), ({"object_marking_refs": None}, True), ({"object_marking_refs": [TLP["clear"]]}, True),
        ({"object_marking_refs": [TLP["green"]]}, True), ({"object_marking_refs": [TLP["amber"]]}, False),
        ({"object_marking_refs": [TLP["red"]]}, False), ({"object_marking_refs": ["TLP:GREEN"]}, False),
        ({"object_marking_refs": [], "labels": ["tlp:amber"]}, False), ({"labels": ["tlp:nonsense"]}, True),
        ({"object_marking_refs": [], "labels": ["tlp:nonsense"]}, False), ({"granular_markings": 7}, False),
        ({"granular_markings": [{"marking_ref": TLP["red"], "selectors": ["revoked"]}]}, False),
    ],
)  # fmt: skip
async def test_who_may_not_see_the_revocation_sees_a_withdrawal(
    story: Story, marked: dict[str, Any], counted: bool
) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    mine = an_indicator(name="mine")
    await story.batch((ro, mine), (it, an_indicator(name="its")))
    await story.batch((ro, revoking(mine, valid_until=7, **marked)))
    said = (await story.only("community"))["extensions"][EXTENSION]
    assert [len(said["sources"]), said.get("revoked_by")] == [1, 1 if counted else None]


async def test_a_revocation_shows_the_thing_to_nobody_new(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    mine = an_indicator(name="mine", tlp="amber")
    await story.batch((ro, mine), (it, an_indicator(name="its")))
    await story.batch((ro, revoking(mine, valid_until=7, object_marking_refs=[TLP["clear"]])))
    assert "revoked_by" not in (await story.only("community"))["extensions"][EXTENSION]


async def test_a_revocation_of_what_nobody_may_see_is_seen_by_nobody(story: Story) -> None:
    ro, it = await story.centre("ro"), await story.centre("it")
    hidden = an_indicator(name="mine", tlp=None, labels=["tlp:nonsense"])
    await story.batch((ro, hidden), (it, an_indicator(name="its", tlp="amber+strict")))
    marked: dict[str, Any] = {"labels": None, "object_marking_refs": [TLP["amber+strict"]]}
    await story.batch((ro, revoking(hidden, valid_until=7, **marked)))
    assert "revoked_by" not in (await story.only("network"))["extensions"][EXTENSION]


async def test_a_revocation_of_what_waits_for_the_operator_takes_it_back(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path, hold=WarningLists().holds)
    ro = await story.centre("ro")
    private = an_indicator("10.0.0.1")
    await story.batch((ro, private), (ro, revoking(private, pattern="[")))
    assert await outcomes(story, ro) == (1, 0, 1, 0)
    async with story.store.begin() as conn:
        assert (await conn.exec_driver_sql("select count(*) from held")).scalar() == 0
    await story.close()


@pytest.mark.parametrize("spelled", [" {} ", '"{}"', "{}\n", "\t{}"])
async def test_a_withdrawal_reaches_an_id_in_any_spelling(story: Story, spelled: str) -> None:
    ro = await story.centre("ro")
    obj = an_indicator()
    kind, _, rest = obj["id"].partition("--")
    await story.batch((ro, obj))
    await story.batch((ro, spelled.format(f"{kind}--{rest.upper()}")))
    assert await everywhere(story, "indicator") == []
    assert await outcomes(story, ro) == (2, 0, 0, 0)


# ---------------------------------------------------------------- markings


@pytest.mark.parametrize("naming", list(Naming))
@pytest.mark.parametrize("stood", [False, True])
async def test_a_marking_that_only_was_revoked_opens_nothing(story: Story, naming: Naming, stood: bool) -> None:
    ro = await story.centre("ro", default_level=Level.GREEN, naming=naming, alias="North")
    marking: dict[str, Any] = {
        "type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{uid('m')}",
        "created": moment(-100), "definition_type": "statement", "definition": {"statement": "TLP:AMBER"},
    }  # fmt: skip
    marked = malware(tlp=None, object_marking_refs=[marking["id"]])
    if stood:
        await story.batch((ro, marking))
        await story.batch((ro, marking["id"]))
    await story.batch((ro, {**marking, "revoked": True, "labels": 7}))
    await story.batch((ro, marked))
    assert await everywhere(story, "malware") == []
    await story.batch((ro, marking))
    assert [name for name in COLLECTIONS if await story.shown(name, "malware")] == ["network"]


# ---------------------------------------------------------------- how a record withdraws


@pytest.mark.parametrize(("how", "comes_back"), [(None, True), ("soft", True), ("stands", False)])
async def test_the_header_of_a_record_says_whether_a_withdrawal_stands(
    story: Story, how: str | None, comes_back: bool
) -> None:
    ro = await story.centre("ro")
    await story.batch((ro, an_indicator()))
    header: dict[str, Any] = {} if how is None else {"withdrawal": how}
    await story.carry([story.record(ro, an_indicator()["id"], **header)])
    assert await everywhere(story, "indicator") == []
    await story.batch((ro, an_indicator()))
    assert bool(await everywhere(story, "indicator")) is comes_back


async def test_a_header_that_is_no_kind_of_withdrawal_is_rejected_and_withdraws_nothing(tmp_path: Path) -> None:
    story = await Story.begin(tmp_path, hold=WarningLists().holds)
    ro = await story.centre("ro")
    private = an_indicator("10.0.0.1", "held")
    await story.batch((ro, an_indicator()), (ro, private))
    await story.carry([story.record(ro, one["id"], withdrawal="restored") for one in (an_indicator(), private)])
    assert [one["code"] for one in await story.rejections(ro)] == ["withdrawal.kind"] * 2
    assert len(await everywhere(story, "indicator")) == 2
    async with story.store.begin() as conn:
        assert (await conn.exec_driver_sql("select state from held")).scalars().all() == ["waiting"]
    await story.close()
