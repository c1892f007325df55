"""Lists for SIEMs whose pages describe TAXII as well: Elastic's documents and Splunk's lookups, from a hub."""

from __future__ import annotations

import csv
import io

import pytest

from tests.doors.formats import elastic
from tests.doors.hubs import Hub
from tests.story import an_indicator

PATTERNS = (
    "[ipv4-addr:value = '198.51.100.7']",
    "[ipv4-addr:value ISSUBSET '203.0.113.0/24']",
    "[domain-name:value = 'c2.example']",
    "[url:value = 'http://c2.example/a']",
    f"[file:hashes.'SHA-256' = '{'ab' * 32}']",
)


async def tell(hub: Hub) -> None:
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear", confidence=65) for pattern in PATTERNS))


async def test_elastic_gets_documents_that_its_schema_knows(hub: Hub) -> None:
    await tell(hub)
    answer = await hub.get("/v1/collections/public/export.elastic", None)
    documents = elastic.read(answer.content)
    assert {value for one in documents for value in one["values"].items()} == {
        ("ip", "198.51.100.7"), ("url.domain", "c2.example"), ("url.full", "http://c2.example/a"),
        ("url.original", "http://c2.example/a"), ("file.hash.sha256", "ab" * 32),
    }  # fmt: skip
    assert answer.headers["x-ctihub-skipped"] == "1", "the type ip has no networks"
    again = await hub.get("/v1/collections/public/export.elastic?type=url", None)
    assert again.content in answer.content, "a document is the same in every list"


@pytest.mark.parametrize(
    ("kinds", "head"),
    [
        ("ipv4-addr,ipv6-addr", "description,ip,weight"),
        ("domain-name", "description,domain,weight"),
        ("url", "description,http_referrer,http_user_agent,url,weight"),
        ("md5,sha-1,sha-256,file:name", "description,file_hash,file_name,weight"),
        ("email-addr", "description,src_user,subject,weight"),
    ],
)
async def test_splunk_gets_the_columns_of_the_lookup_of_a_kind(hub: Hub, kinds: str, head: str) -> None:
    await tell(hub)
    answer = await hub.get(f"/v1/collections/public/export.splunk?type={kinds}", None)
    columns, *rows = csv.reader(io.StringIO(answer.text))
    assert ",".join(columns) == head
    wanted = {"ipv4-addr,ipv6-addr": 2, "email-addr": 0}.get(kinds, 1)
    assert len(rows) == wanted
    assert all(row[-1] == "65" for row in rows)
