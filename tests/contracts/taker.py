"""A worker reduced to its loop: ``python -m tests.contracts.taker ADDRESS STORE`` takes batches and writes them down.

What it writes is fenced as in the real store: a batch that does not go on where the store stands is refused whole.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Collection
from pathlib import Path

from hub.log.port import Batch, Positions, Topic, TopicPartition
from hub.model.errors import TryAgain
from tests.contracts.appender import open_log
from tests.waiting import WITHIN_S

TABLES = """
CREATE TABLE IF NOT EXISTS position (topic TEXT, part INTEGER, next INTEGER, PRIMARY KEY (topic, part));
CREATE TABLE IF NOT EXISTS applied (n INTEGER PRIMARY KEY, topic TEXT, part INTEGER, place INTEGER, value BLOB);
CREATE TABLE IF NOT EXISTS stale (n INTEGER PRIMARY KEY);
"""


class FencedStore:
    """Positions and what was applied, in one SQLite file that all workers share."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, timeout=WITHIN_S)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.executescript(TABLES)

    async def positions(self, partitions: Collection[TopicPartition]) -> Positions:
        rows = self.db.execute("SELECT topic, part, next FROM position").fetchall()
        stored = {TopicPartition(Topic(topic), part): position for topic, part, position in rows}
        return {at: stored[at] for at in partitions if at in stored}

    def write(self, batch: Batch) -> bool:
        """Whether the batch went on where the store stands, and so was written."""
        self.db.execute("BEGIN IMMEDIATE")
        for (topic, part), start in batch.start.items():
            row = self.db.execute("SELECT next FROM position WHERE topic = ? AND part = ?", (topic, part)).fetchone()
            if row is not None and row[0] != start:
                self.db.execute("ROLLBACK")
                self.db.execute("INSERT INTO stale DEFAULT VALUES")
                return False
        ends = [(topic, part, position) for (topic, part), position in batch.end.items()]
        self.db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", ends)
        rows = [(record.topic, record.partition, record.offset, record.value) for record in batch.records]
        self.db.executemany("INSERT INTO applied (topic, part, place, value) VALUES (?, ?, ?, ?)", rows)
        self.db.execute("COMMIT")
        return True

    def applied(self) -> dict[str, list[int]]:
        """The numbers of each topic in the order in which they were applied."""
        found: dict[str, list[int]] = {}
        for topic, value in self.db.execute("SELECT topic, value FROM applied ORDER BY n"):
            found.setdefault(topic, []).append(int(value))
        return found


async def main(address: str, path: str) -> None:
    log = await open_log(json.loads(address))
    store = FencedStore(Path(path))
    consumer = log.consumer(store.positions)
    while True:
        try:
            batch = await consumer.take(limit=100, limit_bytes=1 << 20, wait_s=1)
        except TryAgain:
            await asyncio.sleep(0.1)
            continue
        if batch.records and not store.write(batch):
            await consumer.rewind()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
