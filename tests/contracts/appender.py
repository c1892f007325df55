"""A process that appends numbers until it is killed: ``python -m tests.contracts.appender ADDRESS TOPIC FIRST``.

After each acknowledged append it prints the next number, so that whoever killed it knows what must be there.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from hub.log.embedded import EmbeddedLog
from hub.log.port import EventLog, Record, Topic

MOST_PER_APPEND = 50


async def open_log(address: dict[str, str]) -> EventLog:
    """The log at an address: ``{"path": …}`` is an embedded one, anything else holds the options of a Kafka."""
    if "path" in address:
        return await EmbeddedLog.open(Path(address["path"]))
    from hub.log.kafka import KafkaLog  # only here: the embedded log needs no Kafka library

    return await KafkaLog.open(**address)


async def append_for_ever(log: EventLog, topic: Topic, number: int) -> None:
    while True:
        count = random.randint(1, MOST_PER_APPEND)
        await log.append(topic, [Record(None, b"%d" % value) for value in range(number, number + count)])
        number += count
        print(number, flush=True)


async def main(address: str, topic: str, first: str) -> None:
    await append_for_ever(await open_log(json.loads(address)), Topic(topic), int(first))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
