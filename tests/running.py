"""The real thing from outside: ``ctihub serve`` as a process of its own, and what a script would do to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from connectors.sdk.client import HubClient
from connectors.sdk.stream import Follower
from hub.app import opened
from hub.config import load_config
from hub.registry.centres import Terms
from tests.servers.ports import free_ports
from tests.waiting import LONG_S, WITHIN_S, wait_until


@dataclass
class RunningHub:
    """A hub in a folder, started, killed and started again."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = self.port or free_ports(1)[0]
        self.environment.setdefault("CTIHUB_HELD_LISTS", "none")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def options(self) -> Any:
        """Its configuration, as its own process reads it."""
        told = {name.removeprefix("CTIHUB_").lower(): value for name, value in self.environment.items()}
        return load_config(overrides={**told, "data_dir": self.folder, "http_port": self.port})

    def register(self, centres: Sequence[str], member: str = "soc", **terms: Any) -> None:
        """Centres, a member, an operator; their tokens stand in ``tokens``."""

        async def work() -> None:
            async with opened(self.options()) as (_, _, registry):
                for name in centres:
                    added = await registry.centres.add(name, Terms(**{"country": "RO", **terms}))
                    self.tokens[name] = str(added.token)
                self.tokens[member] = str((await registry.members.add(member, accredited_by=centres[0])).token)
                self.tokens["watch"] = str((await registry.operators.add("watch")).token)

        asyncio.run(work())

    def start(self, *args: str) -> None:
        """Start it and wait until it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub.cli", "serve", "--data-dir", self.folder, "--port", str(self.port), *args],
                env={**environment, "CTIHUB_LOG_FORMAT": "json", **self.environment}, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self.ready, what=f"the hub is ready; see {self.folder / 'hub.log'}")

    def ready(self) -> bool:
        """Whether it says so."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "hub.log").read_text()[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            return fetch(f"{self.url}/readyz").status_code == 200
        return False

    def kill(self) -> None:
        """kill -9 of the process that was started; what hangs on it must end by itself."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WITHIN_S)

    def stop(self) -> None:
        """End it in peace."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WITHIN_S)
            log = (self.folder / "hub.log").read_text()
            assert "batch.halved" not in log, f"a worker met what nobody foresaw: see {self.folder / 'hub.log'}"

    @contextlib.contextmanager
    def running(self, *args: str) -> Iterator[RunningHub]:
        """Run it for a block."""
        self.start(*args)
        try:
            yield self
        finally:
            self.stop()

    def client(self, name: str, *, patience_s: float = WITHIN_S) -> HubClient:
        """A client of a principal that goes on trying while the hub is away."""
        return HubClient(self.url, self.tokens[name], patience_s=patience_s)

    def collection_id(self, name: str, reader: str) -> str:
        """The TAXII id of a collection."""
        with self.client(reader) as client:
            return next(one.id for one in client.collections() if one.name == name)

    def pulled(self, name: str, reader: str, *, versions: str = "all", page: int = 1000) -> list[dict[str, Any]]:
        """What an unmodified TAXII client gets."""
        from taxii2client.v21 import Collection, as_pages

        url = f"{self.url}/taxii2/root/collections/{self.collection_id(name, reader)}/"
        with contextlib.closing(Collection(url, user=reader, password=self.tokens[reader])) as collection:
            pages = as_pages(collection.get_objects, per_request=page, version=versions)
            return [obj for found in pages for obj in found.get("objects", ())]

    def streamed(self, name: str, reader: str, until: Callable[[int], bool]) -> list[tuple[int, dict[str, Any] | str]]:
        """What a subscriber sees from the start on, until ``until`` holds of how much it is: (seq, object or id)."""
        found: list[tuple[int, dict[str, Any] | str]] = []

        async def read() -> None:
            following = contextlib.aclosing(Follower(self.url, name, self.tokens[reader]).changes())
            async with asyncio.timeout(LONG_S), following as changes:
                async for change in changes:
                    found.append((change.seq, change.withdrawn or json.loads(change.object or b"{}")))
                    if until(len(found)):
                        return

        asyncio.run(read())
        return found

    def last_seq(self, name: str, reader: str) -> int:
        """The number of a collection's newest change."""
        with self.client(reader) as client:
            return next(one.last_seq for one in client.collections() if one.name == name)


def fetch(url: str, **more: Any) -> httpx.Response:
    """GET over plain HTTP. Reading this machine's certificate authorities first would take longer than the answer."""
    return httpx.get(url, timeout=WITHIN_S, trust_env=False, verify=False, **more)


def push_all(hub: RunningHub, centre: str, lines: Sequence[bytes], *, batch: int = 1000) -> dict[str, int]:
    """Push lines in batches, each until it is acknowledged; the sum of the receipts' counts."""
    counts = dict.fromkeys(("received", "accepted", "unchanged", "held", "rejected"), 0)
    with hub.client(centre, patience_s=LONG_S) as client:
        urls = [client.push(lines[i : i + batch]).status_url for i in range(0, len(lines), batch)]
        for url in urls:
            receipt = client.completed(url, within_s=LONG_S)
            for name in counts:
                counts[name] += getattr(receipt, name)
    return counts


def in_threads(*work: Callable[[], object]) -> None:
    """Run all at once; raise the first that failed."""
    failed: list[BaseException] = []

    def run(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            failed.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


__all__ = ["RunningHub", "fetch", "in_threads", "push_all", "time"]
