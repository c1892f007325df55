"""A member's client with nothing but aiokafka: ``python -m tests.doors.plain_reader OPTIONS TOPIC COUNT``.

Codecs that need a library of their own cannot be imported here. Prints the keys of the first records.
"""

from __future__ import annotations

import asyncio
import json
import sys

ABSENT = ("cramjam", "lz4", "zstandard", "zstd", "snappy", "python_snappy")
for name in ABSENT:
    sys.modules[name] = None  # type: ignore[assignment] # an import of it raises ImportError

from aiokafka import AIOKafkaConsumer  # noqa: E402
from aiokafka.codec import has_lz4, has_snappy, has_zstd  # noqa: E402
from aiokafka.helpers import create_ssl_context  # noqa: E402


async def main(options: str, topic: str, count: str) -> None:
    assert (has_lz4(), has_snappy(), has_zstd()) == (False, False, False)
    said = json.loads(options)
    tls = create_ssl_context(cafile=said.pop("ca_file"))
    consumer = AIOKafkaConsumer(
        topic, **said, ssl_context=tls, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        for _ in range(int(count)):
            print((await consumer.getone()).key.decode(), flush=True)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
