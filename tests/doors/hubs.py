"""A whole hub in one process for the doors' tests: real log, store, registry, worker, application, driven by hand."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from hub.core.admission import Hold, no_hold
from hub.doors.context import Doors, ProcessReports
from hub.doors.http import make_app
from hub.doors.settings import DoorSettings
from hub.log.embedded import EmbeddedLog
from hub.log.port import Consumer, EventLog, Topic
from hub.model.times import stix_time
from hub.registry.centres import Terms
from hub.registry.service import Registry
from hub.store.postgres import open_postgres
from hub.store.sql import SqlStore
from hub.worker import Worker, WorkerSettings
from tests.stores import a_log, a_store
from tests.story import START_US, an_indicator
from tests.waiting import until

STIX = "application/stix+json"
NDJSON = "application/x-ndjson"
URL = "http://hub.example"
GREEN = ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]
"""The markings of an object at TLP:GREEN."""


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.us = START_US

    def __call__(self) -> int:
        return self.us

    def s(self) -> float:
        """The same, as a clock that measures."""
        return self.us / 1e6


@dataclass
class Hub:
    """See the head of this module."""

    store: SqlStore
    log: EmbeddedLog
    registry: Registry
    doors: Doors
    app: FastAPI
    http: httpx.AsyncClient
    worker: Worker
    consumer: Consumer
    clock: Clock
    tokens: dict[str, str] = field(default_factory=dict)

    async def centre(self, name: str = "ro", **terms: Any) -> str:
        """Register a centre; returns its token."""
        terms = {"country": "RO", "tlp_max": "amber+strict", **terms}
        added = await self.registry.centres.add(name, Terms(**terms))
        await self.log.create(Topic(f"intake.{name}"))
        self.tokens[name] = added.token
        return added.token

    async def member(self, name: str = "soc", by: str = "ro", **more: Any) -> str:
        """Register a member; returns its token."""
        self.tokens[name] = (await self.registry.members.add(name, accredited_by=by, **more)).token
        return self.tokens[name]

    async def operator(self, name: str = "ops") -> str:
        """Register an operator; returns its token."""
        self.tokens[name] = (await self.registry.operators.add(name)).token
        return self.tokens[name]

    def auth(self, who: str | None) -> dict[str, str]:
        """The header with which a principal authenticates."""
        return {} if who is None else {"authorization": f"Bearer {self.tokens[who]}"}

    async def get(self, path: str, who: str | None = None, **more: Any) -> httpx.Response:
        """GET as somebody."""
        headers = {**self.auth(who), **more.pop("headers", {})}
        return await self.http.get(path, headers=headers, **more)

    async def post(self, path: str, who: str | None = None, **more: Any) -> httpx.Response:
        """POST as somebody."""
        headers = {**self.auth(who), **more.pop("headers", {})}
        return await self.http.post(path, headers=headers, **more)

    async def push(self, who: str, *objects: Any) -> dict[str, Any]:
        """Push objects as NDJSON, in one piece; returns the 202 answer."""
        body = b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in objects)
        answer = await self.post("/v1/intake", who, content=body, headers={"content-type": NDJSON})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def settle(self) -> None:
        """Let the worker carry all that has been taken in."""
        while await self.worker.do_tasks():
            pass
        while True:
            batch = await self.consumer.take(limit=1_000, limit_bytes=1 << 22, wait_s=0)
            if not batch.records:
                return
            await self.worker.process(batch)
            assert self.worker.halved == 0, "the core or the store raised; the worker went on in parts"
            self.clock.us += 1_000_000

    async def tell(self, who: str, *objects: Any) -> dict[str, Any]:
        """Push, carry, and return the receipt."""
        taken = await self.push(who, *objects)
        await self.settle()
        return await self.receipt(who, taken["receipt"])

    async def withdraw(self, who: str, *ids: str, **how: bool) -> dict[str, Any]:
        """Withdraw, carry, and return the receipt. ``how``: ``soft`` or ``restore``."""
        answer = await self.post("/v1/withdrawals", who, json={"ids": list(ids), **how})
        assert answer.status_code == 202, answer.text
        await self.settle()
        return await self.receipt(who, answer.json()["receipt"])

    async def receipt(self, who: str, receipt: str) -> dict[str, Any]:
        """What became of a push."""
        answer = await self.get(f"/v1/receipts/{receipt}", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def collection(self, name: str) -> Any:
        """A collection as the registry has it."""
        return await self.registry.collections.find(name)

    async def objects_url(self, name: str) -> str:
        """Where TAXII has a collection's objects."""
        return f"/taxii2/root/collections/{(await self.collection(name)).id}/objects/"


@contextlib.asynccontextmanager
async def a_hub(
    folder: Path,
    *,
    database: str | None = None,
    hold: Hold = no_hold,
    process: ProcessReports | None = None,
    **settings: Any,
) -> AsyncIterator[Hub]:
    """A hub in this folder (and in this PostgreSQL database, where one is named), its application running in memory.

    ``hold`` is what waits for the operator; ``process`` and ``settings`` are the doors'.
    """
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        if database is None:
            store: SqlStore = await a_store(folder / "hub.db", now_us=clock.us)
        else:
            store = await open_postgres(database, now_us=clock.us)
        stack.push_async_callback(store.close)
        log = await a_log(folder / "log.db")
        stack.push_async_callback(log.close)
        ticking = iter(range(0, 1 << 40, 10))
        registry = Registry(store.registry, now_us=clock, monotonic_s=lambda: float(next(ticking)))
        settled = DoorSettings(**settings)
        doors = await doors_of(store, log, registry, settings=settled, process=process, now_us=clock, now_s=clock.s)
        app = make_app(doors)
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app=app)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=URL))
        consumer = log.consumer(store.positions)
        stack.push_async_callback(consumer.close)
        worker = Worker(consumer, store, WorkerSettings(hold=hold), clock)
        yield Hub(store, log, registry, doors, app, http, worker, consumer, clock)


async def doors_of(store: SqlStore, log: EventLog, registry: Registry, **more: Any) -> Doors:
    """The doors of a process on this store and log."""
    return Doors(store=store, log=log, access=registry.access, key=await store.key(), **more)


def basic(name: str, token: str) -> dict[str, str]:
    """Basic credentials."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def a_bundle(*objects: Mapping[str, Any]) -> bytes:
    """A bundle of objects."""
    return orjson.dumps(
        {"type": "bundle", "id": "bundle--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11", "objects": list(objects)}
    )


def lines(*objects: Any) -> bytes:
    """NDJSON of objects."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def addresses(count: int, *, start: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Indicators for so many addresses (of 2001:db8::/32)."""
    return [
        an_indicator(f"[ipv6-addr:value = '2001:db8::{no:x}']", f"address {no}", **more)
        for no in range(start + 1, start + count + 1)
    ]


def ids(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of objects."""
    return [one["id"] for one in objects]


__all__ = [
    "GREEN", "NDJSON", "STIX", "URL", "Hub", "a_bundle", "a_hub", "addresses", "an_indicator", "basic", "ids", "lines",
    "stix_time", "until",
]  # fmt: skip
