"""What the tests of conformance ask, and how: a hub with content, every endpoint of TAXII 2.1, and the errors of each.

``docs/taxii-conformance.md`` names the tests. Source: TAXII 2.1, OASIS Standard of 10 June 2021.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import orjson

from tests.doors.hubs import Hub, addresses
from tests.story import an_indicator, an_object, malware

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"
ROOT = "/taxii2/root/"
COLLECTIONS = f"{ROOT}collections/"
FIRST, LAST = "x-taxii-date-added-first", "x-taxii-date-added-last"
NOWHERE = "7b0c6c55-6d3f-4d3c-9a53-0c1e3f1f6a11"
"""A UUID of version 4 that is the id of nothing."""
TIMESTAMP = re.compile(r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)\.\d{6}Z", re.ASCII)
"""Section 2: UTC, with ``Z`` and microseconds."""
UNVERSIONED = {
    "type": "ipv4-addr",
    "spec_version": "2.1",
    "id": "ipv4-addr--5853f6a4-638f-5b4e-9b0f-ded361ae3812",
    "value": "198.51.100.3",
    "object_marking_refs": an_indicator()["object_marking_refs"],
}
"""An observable, which has neither ``created`` nor ``modified``."""


@dataclass(frozen=True)
class Asked:
    """The endpoints of a hub's one collection and of one object in it."""

    collection: str
    objects: str
    manifest: str
    one: str
    """An object with three versions."""
    versions: str

    @property
    def of_content(self) -> tuple[str, str, str, str]:
        """The four whose answers carry dates."""
        return self.manifest, self.objects, self.one, self.versions

    @property
    def all(self) -> tuple[str, ...]:
        """Every endpoint that is read, but the status."""
        return "/taxii2/", ROOT, COLLECTIONS, self.collection, *self.of_content


class Full(NamedTuple):
    """A hub with content, and its endpoints."""

    hub: Hub
    asked: Asked


async def ask_for(hub: Hub, name: str = "community", stix_id: str = "indicator--x") -> Asked:
    """The endpoints of a collection by its name."""
    base = f"{COLLECTIONS}{(await hub.collection(name)).id}/"
    one = f"{base}objects/{stix_id}/"
    return Asked(base, f"{base}objects/", f"{base}manifest/", one, f"{one}versions/")


async def filled(hub: Hub) -> Asked:
    """Tell the hub objects of every kind, one of them in three versions, and one with a name beyond ASCII."""
    await hub.tell("ro", malware("mälwäre 悪 😀"), UNVERSIONED, *addresses(3))
    for no in range(3):
        await hub.tell("ro", an_indicator(confidence=10 + no, at=-3600 + no))
    asked = await ask_for(hub)
    body = (await hub.get(asked.objects + "?match[type]=indicator", "soc")).json()
    return await ask_for(hub, stix_id=body["objects"][-1]["id"])


async def shown(hub: Hub, url: str, query: str = "", who: str = "soc") -> list[Any]:
    """The objects, records or versions of one page."""
    answer = await hub.get(f"{url}?{query}", who)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return list(body.get("objects", body.get("versions", [])))


async def paged(hub: Hub, url: str, query: str = "", *, by_date: bool = False) -> list[Any]:
    """All objects, records or versions, by ``next`` or by the header, as section 3.5 says."""
    found: list[Any] = []
    more = ""
    while True:
        answer = await hub.get(f"{url}?{query}{more}", "soc")
        body = answer.json()
        found += body.get("objects", body.get("versions", []))
        if not body.get("more", False):
            return found
        more = f"&added_after={answer.headers[LAST]}" if by_date else f"&next={body['next']}"


async def intake_of(hub: Hub, who: str = "ro") -> dict[str, Any]:
    """The collection that somebody may write."""
    listed = (await hub.get(COLLECTIONS, who)).json()["collections"]
    [found] = [one for one in listed if one["can_write"]]
    return dict(found)


async def add(
    hub: Hub, *objects: Any, who: str | None = "ro", to: str = "", content: bytes = b"", **headers: str
) -> httpx.Response:
    """POST an envelope of objects, or ``content``, to the collection that can be written."""
    url = to or f"{COLLECTIONS}{(await intake_of(hub))['id']}/objects/"
    said = {"accept": TAXII, "content-type": TAXII, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return await hub.post(url, who, content=content or orjson.dumps({"objects": objects}), headers=said)


async def added(hub: Hub, *objects: Any, who: str = "ro") -> dict[str, Any]:
    """POST objects, and return the status when everything is done."""
    answer = await add(hub, *objects, who=who)
    assert answer.status_code == 202, answer.text
    await hub.settle()
    return dict((await hub.get(f"{ROOT}status/{answer.json()['id']}/", who)).json())


def resource(answer: httpx.Response) -> Any:
    """The body as I-JSON: UTF-8, and no name twice in an object."""
    return json.loads(answer.content.decode("utf-8"), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


def values_in(found: Any) -> Iterator[Any]:
    """A value, and all that are in it."""
    yield found
    inside = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for one in inside:
        yield from values_in(one)


__all__ = [
    "COLLECTIONS", "FIRST", "LAST", "NOWHERE", "ROOT", "STIX", "TAXII", "TIMESTAMP", "UNVERSIONED", "Asked", "Full",
    "add", "added", "an_indicator", "an_object", "ask_for", "filled", "intake_of", "malware", "paged", "resource",
    "shown", "values_in",
]  # fmt: skip
