"""``explain`` names what is around a value and linked with a thing, as far as one may see it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hub.model.times import DAY_US
from hub.questions.around import MOST_NEAR
from hub.questions.linked import MOST_LINKED
from tests.doors.hubs import Hub
from tests.story import an_indicator, an_object, malware, moment

GREEN = an_indicator()["object_marking_refs"]


def url(value: str, name: str = "", **more: Any) -> dict[str, Any]:
    return an_indicator(f"[url:value = '{value}']", name or value, **more)


def domain(value: str, **more: Any) -> dict[str, Any]:
    return an_indicator(f"[domain-name:value = '{value}']", value, **more)


async def answer(hub: Hub, asked: str, who: str = "soc") -> Any:
    found = await hub.get(f"/v1/explain/{quote(asked, safe='')}", who)
    return found.json() if found.status_code == 200 else {"things": [], "within": [], "more_within": []}


async def within(hub: Hub, asked: str, who: str = "soc") -> list[tuple[str, str]]:
    return [(one["relation"], one["value"]) for one in (await answer(hub, asked, who))["within"]]


async def test_networks_that_contain_an_address_are_named_the_narrowest_first(hub: Hub) -> None:
    await hub.tell(
        "ro", an_indicator("198.51.0.0/16"), an_indicator("198.51.100.0/24"), an_indicator("203.0.113.0/24"),
        an_indicator("[ipv4-addr:value IN ('198.51.100.0/28', '192.0.2.0/28')]"),
        an_indicator("[ipv4-addr:value = '198.51.100.0/25' AND ipv4-addr:x_port = 1]"),
    )  # fmt: skip
    expected = [("network", "198.51.100.0/28"), ("network", "198.51.100.0/24"), ("network", "198.51.0.0/16")]
    assert await within(hub, "198.51.100.7") == expected
    assert await within(hub, "198.51.100[.]7/24") == expected[2:]
    assert await within(hub, "203.0.114.1") == []
    await hub.tell("ro", an_indicator("[ipv6-addr:value = '2001:db8::/32']"))
    assert await within(hub, "2001:db8::7") == [("network", "2001:db8::/32")]


async def test_names_above_a_name_and_urls_on_a_host_are_named(hub: Hub) -> None:
    await hub.tell(
        "ro", domain("c2.example"), domain("b.c2.example"), url("http://a.b.c2.example/x"), url("http://c2.example/y"),
        url("http://198.51.100.7:8080/z"), url("http://[2001:db8::7]/z"),
        an_indicator("[url:value = 'http://a.b.c2.example/1' OR url:value = 'http://a.b.c2.example/2']", "or"),
    )  # fmt: skip
    assert await within(hub, "a.b.c2.example") == [
        ("name", "b.c2.example"), ("name", "c2.example"), ("url", "http://a.b.c2.example/1"),
        ("url", "http://a.b.c2.example/2"), ("url", "http://a.b.c2.example/x"),
    ]  # fmt: skip
    assert await within(hub, "198.51.100.7") == [("url", "http://198.51.100.7:8080/z")]
    assert await within(hub, "2001:db8::7") == [("url", "http://[2001:db8::7]/z")]
    assert await within(hub, "http://x.c2.example/other") == [("name", "c2.example")]


async def test_observables_are_around_a_value_too(hub: Hub) -> None:
    network = {"type": "ipv4-addr", "spec_version": "2.1", "value": "198.51.100.0/24", "object_marking_refs": GREEN}
    link = {"type": "url", "spec_version": "2.1", "value": "http://198.51.100.7/a", "object_marking_refs": GREEN}
    ids = ("ipv4-addr--5853f6a4-638f-5b4e-9b0f-ded361ae3812", "url--5853f6a4-638f-5b4e-9b0f-ded361ae3812")
    await hub.tell("ro", *({**obj, "id": stix_id} for obj, stix_id in zip((network, link), ids, strict=True)))
    assert await within(hub, "198.51.100.7") == [("network", "198.51.100.0/24"), ("url", "http://198.51.100.7/a")]


async def test_only_what_is_live_and_what_one_may_see_is_around(hub: Hub) -> None:
    await hub.tell("it", an_indicator("198.51.100.0/24", tlp="amber"), url("http://198.51.100.7/a", tlp="amber"))
    assert await within(hub, "198.51.100.7") == []
    assert (await hub.get("/v1/explain/198.51.100.7", "soc")).status_code == 404
    assert len(await within(hub, "198.51.100.7", "ro")) == 2
    await hub.tell("ro", an_indicator("198.51.0.0/16", valid_until=moment(2 * DAY_US / 1e6)))
    assert await within(hub, "198.51.100.7") == [("network", "198.51.0.0/16")]
    hub.clock.us += 5 * DAY_US
    await hub.settle()
    assert await within(hub, "198.51.100.7") == []  # it has ended, though not longer ago than the grace
    await hub.tell("ro", an_indicator("198.48.0.0/12"))
    await hub.withdraw("ro", an_indicator("198.48.0.0/12")["id"])
    assert await within(hub, "198.51.100.7") == []


async def test_of_very_many_urls_some_are_named_and_that_there_are_more(hub: Hub) -> None:
    await hub.tell("it", *(url(f"http://c2.example/a{no}", tlp="amber") for no in range(60)))
    await hub.tell("ro", *(url(f"http://c2.example/g{no}") for no in range(MOST_NEAR + 5)))
    found = await answer(hub, "c2.example")
    assert (len(found["within"]), found["more_within"]) == (MOST_NEAR, ["url"])
    assert not [one for one in found["within"] if "/a" in one["value"]]
    assert (await answer(hub, "a.example"))["more_within"] == []


async def test_a_thing_has_its_description_references_and_what_relationships_link_it_with(hub: Hub) -> None:
    reference = {"source_name": "report", "url": "https://portal.example/1"}
    said = an_indicator(description="A beacon.", name="beacon", external_references=[reference])
    campaign = an_object("campaign", "c", name="Winter")
    links = [
        an_object("relationship", kind, relationship_type="indicates", source_ref=said["id"], target_ref=target["id"])
        for kind, target in (("m", malware(name="Loader")), ("c", campaign))
    ]
    await hub.tell("ro", said, malware(name="Loader"), campaign, *links)
    (thing,) = (await answer(hub, "198.51.100.7"))["things"]
    (view,) = thing["views"]
    assert (view["name"], view["description"], view["references"]) == ("beacon", "A beacon.", [reference])
    expected = [("to", "indicates", "campaign", "Winter"), ("to", "indicates", "malware", "Loader")]
    told = [(one["direction"], one["relationship"], one["type"], one["name"]) for one in view["linked"]]
    assert told == expected
    (thing,) = (await answer(hub, malware()["id"]))["things"]
    assert [(one["direction"], one["id"]) for one in thing["views"][0]["linked"]] == [("from", view["id"])]
    uses = {"source_ref": campaign["id"], "target_ref": malware()["id"]}
    await hub.tell("ro", an_object("relationship", "u", relationship_type="uses", **uses))
    (thing,) = (await answer(hub, campaign["id"]))["things"]
    assert [(one["relationship"], one["name"]) for one in thing["views"][0]["linked"]] == [
        ("indicates", "beacon"), ("uses", "Loader"),
    ]  # fmt: skip


async def test_a_relationship_that_one_may_not_see_links_nothing(hub: Hub) -> None:
    said = an_indicator()
    ends = {"source_ref": said["id"], "target_ref": malware()["id"]}
    await hub.tell("ro", said, malware())
    before = await answer(hub, "198.51.100.7")
    await hub.tell(
        "it",
        an_indicator(tlp="amber"),
        an_object("relationship", "r", tlp="amber", relationship_type="indicates", **ends),
    )
    assert await answer(hub, "198.51.100.7") == before
    (thing,) = (await answer(hub, "198.51.100.7", "ro"))["things"]
    assert [len(one["linked"]) for one in thing["views"]] == [0, 1]


async def test_of_very_many_relationships_some_are_named_and_that_there_are_more(hub: Hub) -> None:
    said, families = an_indicator(), [malware(f"m{no}") for no in range(MOST_LINKED + 3)]
    links = [
        an_object("relationship", one["id"], relationship_type="indicates", source_ref=said["id"], target_ref=one["id"])
        for one in families
    ]
    await hub.tell("ro", said, *families, *links)
    (thing,) = (await answer(hub, "198.51.100.7"))["things"]
    assert (len(thing["views"][0]["linked"]), thing["views"][0]["more_linked"]) == (MOST_LINKED, True)
