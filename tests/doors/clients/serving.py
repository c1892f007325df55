"""A hub that listens with TLS under a certificate of a private authority, and the work that centres do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from taxii2client.v21 import Collection, Server

from tests.doors.hubs import Hub, a_hub, addresses, ids
from tests.doors.sockets import served
from tests.doors.streams import read_stream
from tests.servers.certificates import Authority
from tests.story import an_indicator, an_object
from tests.waiting import WITHIN_S

TAXII = "application/taxii+json;version=2.1"
LAST = "x-taxii-date-added-last"


@dataclass
class Serving:
    """A hub with the centres ``ro`` and ``it`` and the member ``soc``, on a free port of the loopback."""

    hub: Hub
    url: str
    ca_file: Path
    http: httpx.AsyncClient

    @property
    def discovery_url(self) -> str:
        """What users of TAXII clients paste."""
        return f"{self.url}/taxii2/"

    @property
    def root_url(self) -> str:
        """The API root that discovery names."""
        return f"{self.url}/taxii2/root/"

    async def objects_url(self, name: str = "community") -> str:
        """Where a collection's objects are."""
        return self.url + await self.hub.objects_url(name)

    def login(self, who: str = "soc") -> dict[str, Any]:
        """How the Python clients are told who asks, and whose certificates to trust."""
        return {"user": who, "password": self.hub.tokens[who], "verify": str(self.ca_file)}

    async def collection(self, name: str = "community", who: str = "soc") -> Collection:
        """taxii2-client's view of a collection, found as its users find one."""

        def find() -> Collection:
            server = Server(self.discovery_url, **self.login(who))
            [found] = [one for one in server.default.collections if one.title == name]
            return found

        return await asyncio.to_thread(find)

    async def send(self, method: str, url: str, headers: dict[str, str], content: bytes = b"") -> httpx.Response:
        """Send exactly these headers, with Host and what the body needs: none of httpx's own belong to a product."""
        return await self.http.send(httpx.Request(method, url, headers=headers, content=content))


@contextlib.asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Serving]:
    """Serve until the end of the block."""
    authority = Authority.make(folder)
    tls = authority.server_context(folder)
    trusted = ssl.create_default_context(cafile=str(authority.ca_file))
    async with (
        a_hub(folder, **settings) as hub,
        served(hub.app, tls=tls) as port,
        httpx.AsyncClient(verify=trusted, trust_env=False, timeout=WITHIN_S) as http,
    ):
        await hub.centre("ro", country="RO")
        await hub.centre("it", country="IT")
        await hub.member("soc")
        yield Serving(hub, f"https://127.0.0.1:{port}", authority.ca_file, http)


@contextlib.asynccontextmanager
async def working(hub: Hub) -> AsyncIterator[None]:
    """The worker carries what is pushed until the end of the block, as in a hub that runs."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.worker.run(stop))
        try:
            yield
        finally:
            stop.set()


async def fill(hub: Hub) -> None:
    """Two centres, overlap, versions, withdrawals, every kind of view: 66 objects in several batches."""
    malware = an_object("malware", "m", name="m", is_family=False)
    indicator = an_indicator(confidence=60)
    indicates = an_object(
        "relationship", "r", relationship_type="indicates", source_ref=indicator["id"], target_ref=malware["id"]
    )
    await hub.tell("ro", malware, indicator, indicates, *addresses(60))
    await hub.tell("it", *addresses(30, confidence=50), an_indicator(confidence=50))
    await hub.withdraw("ro", *ids(addresses(45)))


async def shown(hub: Hub, collection: str = "community", who: str = "soc") -> dict[str, dict[str, Any] | None]:
    """What the live stream ends with, by id: the newest version of each object, or None where it is withdrawn."""
    events = await read_stream(hub, collection, who)
    return {event.data["id"]: event.data if event.name == "object" else None for event in events}
