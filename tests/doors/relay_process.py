"""A relay in a process of its own, to be killed: ``python -m tests.doors.relay_process STORE KAFKA``, both JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from hub.doors.kafka import relay_of
from tests.contracts.store_writer import open_store


async def main(store: str, kafka: str) -> None:
    options = json.loads(kafka)
    relay = await relay_of(options.pop("bootstrap"), options, (await open_store(json.loads(store))).logs)
    print("started", flush=True)
    await relay.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
