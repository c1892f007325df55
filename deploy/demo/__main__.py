"""``make demo``: a hub, three centres that push real threat information, a member that follows live, and a summary."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.sdk import catalogue
from connectors.sdk.checkpoints import CheckpointFile
from connectors.sdk.client import HubClient
from connectors.sdk.http import HttpPublisher
from connectors.sdk.runner import Runner
from connectors.sdk.stream import Follower
from connectors.sdk.verdicts import Verdicts, collect
from deploy.demo.hub import WITHIN_S, DemoFailed, Hub, ensure_free, free_port
from deploy.demo.show import Screen, said_at_the_end
from hub.app import opened
from hub.registry.centres import Terms

HERE = Path(__file__).parent / "data"
FOLDER = Path("ctihub-demo")
QUIET_S = 1.0
"""After this time without changes the member is regarded as up to date."""


@dataclass(slots=True)
class Centre:
    """One of the three centres, its connector, and the progress."""

    name: str
    identity: str
    country: str
    default_tlp: str
    connector: str
    settings: dict[str, Any]
    token: str = ""
    published: int = 0
    verdicts: Verdicts = field(default_factory=Verdicts)


CENTRES = (
    Centre("ro", "identity--3c477b21-79c0-4b0c-a9d0-21cb55d9f9e3", "RO", "green", "stix-file", {}),
    Centre("it", "identity--d448c758-7f31-4381-aa8d-18f17b1568d9", "IT", "clear", "csv", {}),
    Centre("pl", "identity--a6c96dac-3964-4e8e-aa43-a8ba85d1b1c1", "PL", "green", "taxii", {}),
)


def main() -> int:
    """Run the demo; returns the exit code."""
    said = argparse.ArgumentParser(prog="make demo")
    said.add_argument("--port", type=int, default=8480)
    said.add_argument("--once", action="store_true", help="end after the table")
    said.add_argument("--kafka", action="store_true", help="on Kafka and PostgreSQL, started for this")
    options = said.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for a background process
    try:
        run(options.port, once=options.once, kafka=options.kafka)
    except DemoFailed as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


def run(port: int, *, once: bool, kafka: bool) -> None:
    """Run the whole demo; ends everything that it has started."""
    ensure_free(port)
    empty(FOLDER)
    screen = Screen(kafka=kafka)
    with contextlib.ExitStack() as stack:
        environment: dict[str, str] = {}
        if kafka:
            from deploy.demo.servers import kafka_and_postgres

            environment = stack.enter_context(kafka_and_postgres(FOLDER.resolve(), screen.step))
        screen.step("starting the hub")
        hub = Hub(FOLDER / "hub", port, environment)
        partner = Hub(FOLDER / "partner", free_port(), {})
        credentials = asyncio.run(register(hub))
        partner_token = asyncio.run(register_partner(partner))
        stack.enter_context(hub.running())
        stack.enter_context(partner.running())
        with HubClient(partner.url, partner_token["partner"]) as client:
            feed(client, ("mvt/candiru.json", "mvt/operation_triangulation.json"))
        sources(partner.url, partner_token["reader"])
        publish_and_follow(hub, credentials, screen)
        document = describe(hub, credentials)
        value = summary(hub, document, credentials, screen)
        screen.say(said_at_the_end(hub.url, document, value))
        if not once:
            screen.step(f"serving at {hub.url} until Ctrl-C")
            hub.wait()


def empty(folder: Path) -> None:
    """Make the folder empty. Raises DemoFailed if it is not the demo's."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "demo.json").exists() and not (folder / "hub").exists():
            raise DemoFailed(f"{folder} is not this demo's; move it away")
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


# ---------------------------------------------------------------- participants


async def register(hub: Hub) -> dict[str, str]:
    """Register the three centres, a member and an operator; returns their tokens by name."""
    tokens: dict[str, str] = {}
    async with opened(hub.config) as (_, _, registry):
        for centre in CENTRES:
            terms = Terms(country=centre.country, default_tlp=centre.default_tlp)
            added = await registry.centres.add(centre.name, terms, identity=centre.identity)
            tokens[centre.name] = centre.token = str(added.token)
        tokens["soc"] = str((await registry.members.add("soc", accredited_by="ro")).token)
        tokens["watch"] = str((await registry.operators.add("watch")).token)
    return tokens


async def register_partner(hub: Hub) -> dict[str, str]:
    """On the partner's hub, register a centre that publishes, and Poland's centre as a reader; returns the tokens."""
    async with opened(hub.config) as (_, _, registry):
        partner = await registry.centres.add("partner", Terms(country="FR", default_tlp="amber"))
        reader = await registry.centres.add("pl", Terms(country="PL"))
        return {"partner": str(partner.token), "reader": str(reader.token)}


def feed(client: HubClient, names: tuple[str, ...]) -> None:
    """Push whole files, and wait until they are processed."""
    for name in names:
        objects = json.loads((HERE / name).read_text())["objects"]
        accepted = client.push([json.dumps(obj).encode() for obj in objects])
        client.completed(accepted.status_url, within_s=WITHIN_S)


def sources(partner_url: str, partner_token: str) -> None:
    """Prepare the sources of the centres' connectors."""
    ours = FOLDER / "ro-feeds"
    ours.mkdir()
    for name in ("amnesty/pegasus.json.gz", "own/findings.ndjson", "own/mistakes.ndjson"):
        shutil.copy(HERE / name, ours)
    CENTRES[0].settings = {"path": str(ours)}
    CENTRES[1].settings = {
        "path": str(HERE / "maltrail" / "apt_pegasus.txt"), "mapping": "list", "centre": "it", "tlp": "clear",
        "confidence": 60, "since": "2026-08-23T00:00:00Z",
    }  # fmt: skip
    CENTRES[2].settings = {
        "url": f"{partner_url}/taxii2/", "collections": ["network"], "user": "pl", "password": partner_token,
        "types": ["indicator", "malware", "relationship"],
    }  # fmt: skip


# ---------------------------------------------------------------- publishing


def publish_and_follow(hub: Hub, tokens: dict[str, str], screen: Screen) -> None:
    """Three connectors push at once while a member follows ``community``; ends when there are no more changes."""
    member = Member(hub.url, tokens["soc"])
    following = threading.Thread(target=member.follow, daemon=True)
    following.start()
    failures: list[BaseException] = []
    pushing = [threading.Thread(target=_push, args=(hub, centre, failures), daemon=True) for centre in CENTRES]
    try:
        with screen.live(CENTRES, member):
            for thread in pushing:
                thread.start()
            while any(thread.is_alive() for thread in pushing) or member.idle_s < QUIET_S:
                time.sleep(0.05)
                hub.ensure_running()
                screen.refresh()
    finally:
        member.stop()
        following.join(5)
    if failures:
        raise DemoFailed(f"a connector failed: {failures[0]}")


def _push(hub: Hub, centre: Centre, failures: list[BaseException]) -> None:
    class Counted:
        def advance(self, objects: int, size_bytes: int, share: float | None) -> None:
            del size_bytes, share
            centre.published += objects

        def note(self, text: str) -> None:
            """The demo shows no notes."""

        def close(self) -> None:
            """Nothing to close."""

    try:
        connector = catalogue.make(centre.connector, centre.settings)
        with HubClient(hub.url, centre.token) as client:
            checkpoints = CheckpointFile(FOLDER / f"{centre.name}.checkpoint", connector=connector.name)
            runner = Runner(connector, HttpPublisher(client), checkpoints, progress=Counted(), batch_objects=200)
            report = runner.run()
            centre.verdicts = collect(client, report.receipts)
    except BaseException as error:  # noqa: BLE001 - the waiting thread reports it
        failures.append(error)


class Member:
    """Follows a collection live, and keeps the data for the display."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self.seen = 0
        self.merged = 0
        self.latest: list[dict[str, Any]] = []
        self._last_s = time.monotonic()
        self._stop = threading.Event()

    @property
    def idle_s(self) -> float:
        """Returns the seconds since the last change."""
        return time.monotonic() - self._last_s

    def follow(self) -> None:
        """Follow in a separate thread, until ``stop``."""
        asyncio.run(self._follow())

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            await asyncio.to_thread(self._stop.wait)
            reading.cancel()

    async def _read(self) -> None:
        async for change in Follower(self._url, "community", self._token).changes():
            self._last_s = time.monotonic()
            self.seen += 1
            if change.object is not None:
                obj = json.loads(change.object)
                self.merged += voices(obj) > 1
                self.latest = [*self.latest[-11:], obj]


def extension(obj: dict[str, Any]) -> dict[str, Any]:
    """Returns the extension ``ctihub`` of an object."""
    found = (value for value in (obj.get("extensions") or {}).values() if "sources" in value)
    return next(found, {})


def voices(obj: dict[str, Any]) -> int:
    """Returns the number of independent voices."""
    return int(extension(obj).get("voices", 0))


# ---------------------------------------------------------------- summary


def describe(hub: Hub, tokens: dict[str, str]) -> dict[str, Any]:
    """Returns ``demo.json``, for scripts."""
    with HubClient(hub.url, tokens["watch"]) as client:
        collections = [{"name": one.name, "id": one.id} for one in client.status().collections]
    document = {
        "url": hub.url,
        "taxii_url": f"{hub.url}/taxii2/",
        "collections": collections,
        "member": {"name": "soc", "token": tokens["soc"]},
        "centres": [{"name": centre.name, "token": centre.token} for centre in CENTRES],
        "operator": {"token": tokens["watch"]},
    }
    path = FOLDER / "demo.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2) + "\n")
    return document


def summary(hub: Hub, document: dict[str, Any], tokens: dict[str, str], screen: Screen) -> str:
    """Print what was accepted, merged and rejected; returns a merged value."""
    with HubClient(hub.url, tokens["watch"]) as client:
        status = client.status()
    shown, value = count_shown(hub, document, tokens)
    screen.table(CENTRES, shown, status)
    return value


def count_shown(hub: Hub, document: dict[str, Any], tokens: dict[str, str]) -> tuple[dict[str, tuple[int, int]], str]:
    """Pulls each collection with an unmodified TAXII client. Returns the number of objects and of those from several
    centres by collection, and one value of the latter, to explain.
    """
    from taxii2client.v21 import Collection, as_pages

    found: dict[str, tuple[int, int]] = {}
    value = ""
    ids = {one["name"]: one["id"] for one in document["collections"]}
    for name, reader in (("public", "soc"), ("community", "soc"), ("network", "ro")):
        url = f"{hub.url}/taxii2/root/collections/{ids[name]}/"
        shown = merged = 0
        for page in as_pages(Collection(url, user=reader, password=tokens[reader]).get_objects, per_request=1000):
            for obj in page.get("objects", ()):
                said = extension(obj)
                several = len(said.get("sources", ())) > 1
                shown, merged = shown + 1, merged + several
                if several and said.get("observables"):
                    value = value or str(said["observables"][0]["value"])
        found[name] = (shown, merged)
    return found, value


if __name__ == "__main__":
    sys.exit(main())
