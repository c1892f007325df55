"""A member of a group that reads nothing: ``python -m tests.contracts.company OPTIONS GROUP``, until it is ended.

Whoever joins an empty group waits for three seconds with Kafka's own settings, and each test of a contract begins with
one. A group with a member shares out at once.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer
from aiokafka.helpers import create_ssl_context


async def main(options: str, group: str) -> None:
    said = json.loads(options)
    tls = create_ssl_context(cafile=said.pop("ca_file"))
    consumer = AIOKafkaConsumer(
        **said, ssl_context=tls, group_id=group, heartbeat_interval_ms=50, metadata_max_age_ms=1_000
    )
    consumer.subscribe(pattern="^nothing$")
    await consumer.start()
    print("joined", flush=True)
    while True:
        await consumer.getmany(timeout_ms=1_000)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
