"""Searches every byte that a hub has stored for a value, in every encoding in which it may be there."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


def spellings(value: str) -> set[bytes]:
    """The value as plain text, inside JSON once and twice, percent-encoded, in UTF-16, and in base64."""
    inside = json.dumps(value)[1:-1]
    texts = {value, inside, json.dumps(inside)[1:-1], quote(value, safe=""), quote(value), value.upper()}
    found = {one.encode() for one in texts} | {value.encode("utf-16-le"), value.encode("utf-16-be")}
    # the first bytes of a value may be in the middle of three that base64 encodes together
    return found | {base64.b64encode(value.encode()[skip:])[:-4] for skip in range(3)}


def traces_in(data: bytes, value: str) -> list[bytes]:
    """What of a value is in these bytes, with what is around it."""
    folded = data.lower()
    return [data[max(at - 60, 0) : at + 100] for one in spellings(value) if (at := folded.find(one.lower())) >= 0]


def traces_in_folder(folder: Path, value: str) -> list[str]:
    """What of a value is in the files below a folder, compressed ones included."""
    return [
        f"{path.name}: {found!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for data in (path.read_bytes(), *_decompressed(path))
        for found in traces_in(data, value)
    ]


def _decompressed(path: Path) -> Iterator[bytes]:
    """What is compressed in a file, as Kafka compresses the records of topics for members."""
    data = path.read_bytes()
    start = data.find(b"\x1f\x8b\x08")
    while start >= 0:
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(wbits=31).decompress(data[start:])
        start = data.find(b"\x1f\x8b\x08", start + 1)


async def traces_in_tables(conn: AsyncConnection, value: str) -> list[str]:
    """What of a value is in the tables of a PostgreSQL database, and in what its planner knows of their values."""
    names = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'"
    tables = [*(await conn.execute(text(names))).scalars(), "pg_catalog.pg_statistic"]
    found = []
    for table in tables:
        for row in await conn.execute(text(f"select cast(whole as text) from {table} as whole")):
            said = str(row[0]).encode()
            bytea = [bytes.fromhex(word) for word in _hexadecimal(str(row[0]))]
            found += [f"{table}: {one!r}" for data in (said, *bytea) for one in traces_in(data, value)]
    return found


def _hexadecimal(said: str) -> Iterator[str]:
    for part in said.replace("\\\\", "\\").split("\\x")[1:]:
        digits = "".join(char if char in "0123456789abcdef" else " " for char in part).split(" ")[0]
        yield digits[: len(digits) // 2 * 2]
