"""Finds records in the file of the embedded event log, and erases their content. Their positions stay."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hub.log.embedded_file import OFFSET_BITS, connect, decode_headers, encode_headers
from hub.log.port import INTAKE_PREFIX, SaysRecord, StoredRecord, Topic, TopicPartition
from hub.model.record_headers import erased_headers
from hub.model.times import from_us

_RECORDS = 200
"""Records that are read at once."""


def find(path: Path, says: SaysRecord) -> list[StoredRecord]:
    """Returns the records of all intake topics that ``says`` holds for."""
    with contextlib.closing(connect(path)) as db:
        topics = db.execute("SELECT id, name FROM topic WHERE name GLOB ? ORDER BY id", (INTAKE_PREFIX + "*",))
        return [
            record
            for number, name in topics.fetchall()
            for record in _records(db, number, Topic(name))
            if (record.key is not None or record.value is not None) and says(record)
        ]


def _records(db: sqlite3.Connection, number: int, topic: Topic) -> Iterator[StoredRecord]:
    first, after = number << OFFSET_BITS, (number << OFFSET_BITS) - 1
    query = "SELECT id, ms, key, value, headers FROM record WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
    while rows := db.execute(query, (after, first + (1 << OFFSET_BITS), _RECORDS)).fetchall():
        for row_id, ms, key, value, headers in rows:
            pairs = decode_headers(headers) if headers else ()
            yield StoredRecord(topic, 0, row_id - first, from_us(ms * 1000), key, value, pairs)
        after = rows[-1][0]


def erase(db: sqlite3.Connection, at: TopicPartition, offset: int) -> None:
    """Replace the content of a record by a note that it was erased; in an open transaction."""
    row = db.execute("SELECT id FROM topic WHERE name = ?", (at.topic,)).fetchone()
    row_id = offset if row is None else row[0] << OFFSET_BITS | offset
    found = None if row is None else db.execute("SELECT headers FROM record WHERE id = ?", (row_id,)).fetchone()
    if found is not None:
        kept = encode_headers(erased_headers(decode_headers(found[0]) if found[0] else ()))
        db.execute("UPDATE record SET key = NULL, value = NULL, headers = ? WHERE id = ?", (kept, row_id))
