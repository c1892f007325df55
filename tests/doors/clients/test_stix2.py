"""stix2, unmodified, over TLS: TAXIICollectionSource, TAXIICollectionSink, TAXIICollectionStore and Environment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import stix2
from stix2 import Environment, Filter, TAXIICollectionSink, TAXIICollectionSource
from stix2.datastore import DataSourceError

from tests.doors.clients.serving import fill, serving, shown, working
from tests.doors.hubs import addresses
from tests.story import TLP, an_indicator, malware, moment, uid


async def test_the_source_reads_a_collection(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> None:
            source = TAXIICollectionSource(collection)
            everything = source.query([])
            assert len({one["id"] for one in everything}) == len(everything) == 66
            assert {type(one) for one in everything} >= {stix2.v21.Indicator, stix2.v21.Malware, stix2.v21.Relationship}
            relationship = next(one for one in everything if one["type"] == "relationship")
            indicator = source.get(relationship["source_ref"])
            assert indicator["pattern"] == "[ipv4-addr:value = '198.51.100.7']"
            assert indicator["confidence"] == 80
            assert [one["confidence"] for one in source.all_versions(indicator["id"])] == [60, 80]
            assert len(source.query([Filter("type", "=", "indicator")])) == 61
            assert source.get("indicator--00000000-0000-4000-8000-000000000000") is None

        await asyncio.to_thread(read)


async def test_an_environment_follows_relationships(tmp_path: Path) -> None:
    async with serving(tmp_path, page_objects=25) as at:
        await fill(at.hub)
        collection = await at.collection()

        def read() -> None:
            environment = Environment(source=TAXIICollectionSource(collection))
            found = environment.get(malware("m")["id"])
            [related] = environment.related_to(found)
            assert related["type"] == "indicator"
            [creator] = {environment.creator_of(related)["name"]}
            assert creator

        await asyncio.to_thread(read)


async def test_the_sink_adds_objects_lists_and_bundles(tmp_path: Path) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        intake = await at.collection("intake", "ro")
        said = {**malware("one"), "id": f"malware--{uid('sink')}"}
        one = stix2.parse(said)

        def write() -> None:
            sink = TAXIICollectionSink(intake)
            sink.add(one)
            sink.add([an_indicator(), malware("m")])
            sink.add(stix2.v21.Bundle(*[stix2.parse(each) for each in addresses(2)]))
            sink.add(one.serialize())

        await asyncio.to_thread(write)
        now = [each for each in (await shown(at.hub)).values() if each]
        assert {each["name"] for each in now if each["type"] == "malware"} == {"one", "m"}
        assert len([each for each in now if each["type"] == "indicator"]) == 3


async def test_a_sink_of_a_collection_that_is_read_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        community, intake = await at.collection("community", "ro"), await at.collection("intake", "ro")
        with pytest.raises(DataSourceError):
            TAXIICollectionSink(community)
        with pytest.raises(DataSourceError):
            TAXIICollectionSource(intake)


async def test_an_environment_writes_to_the_one_collection_and_reads_the_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as at, working(at.hub):
        intake, community = await at.collection("intake", "ro"), await at.collection("community", "ro")

        def use() -> None:
            environment = Environment(
                factory=stix2.ObjectFactory(object_marking_refs=[TLP["green"]]),
                source=TAXIICollectionSource(community),
                sink=TAXIICollectionSink(intake),
            )
            made = environment.create(
                stix2.v21.Malware, name="made", is_family=False, created=moment(), modified=moment()
            )
            environment.add(made)
            assert environment.get(made.id)["name"] == "made"

        await asyncio.to_thread(use)
