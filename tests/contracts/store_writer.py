"""A process that works on a store until it is killed: ``python -m tests.contracts.store_writer ADDRESS NAME``.

After each committed step it prints the position reached, so that whoever killed it knows what must be there.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from hub.model.errors import TryAgain
from hub.model.words import Topic, TopicPartition
from hub.store.sql import SqlStore
from hub.store.sqlite import open_sqlite
from tests.contracts.store_values import START_US, count_up

LOGS = (1, 2)
MOST_PER_STEP = 40
NAMES = [f"claim {number}" for number in range(60)]
"""All writers count up the same claims."""


async def open_store(address: dict[str, str]) -> SqlStore:
    """The store at an address: ``{"path": …}`` is a file, ``{"url": …}`` a database of PostgreSQL."""
    if "path" in address:
        return await open_sqlite(Path(address["path"]), now_us=START_US)
    from hub.store.postgres import open_postgres

    return await open_postgres(address["url"], now_us=START_US)


async def write_for_ever(store: SqlStore, name: str) -> None:
    at = TopicPartition(Topic(f"intake.{name}"), 0)
    while True:
        try:
            names = random.sample(NAMES, random.randint(1, MOST_PER_STEP))
            print(await count_up(store, names, LOGS, at), flush=True)
        except TryAgain as error:
            print(error, file=sys.stderr)
            await asyncio.sleep(0.05)


async def main(address: str, name: str) -> None:
    await write_for_ever(await open_store(json.loads(address)), name)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
