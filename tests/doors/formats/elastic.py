"""Documents of the Elastic Common Schema, checked with its fields (``tests/data/exports/ecs-fields.json``)."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

SCHEMA = json.loads((Path(__file__).parents[2] / "data/exports/ecs-fields.json").read_text("utf-8"))
FIELDS: dict[str, Any] = SCHEMA["fields"]
_VALUES = {
    "ipv4-addr": ["ip"],
    "ipv6-addr": ["ip"],
    "domain-name": ["url.domain"],
    "url": ["url.full", "url.original"],
    "email-addr": ["email.address"],
    "file:name": ["file.name"],
}


def read(content: bytes) -> list[Any]:
    *lines, rest = content.split(b"\n")
    assert rest == b""
    return [_said(dict(_flat(json.loads(line)))) for line in lines]


def _flat(document: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a document by their whole names."""
    for name, said in document.items():
        if isinstance(said, dict) and f"{at}{name}" != "labels":
            yield from _flat(said, f"{at}{name}.")
        else:
            yield f"{at}{name}", said


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    for name, said in fields.items():
        assert_valid(name, said)
    assert fields["ecs.version"] == SCHEMA["version"]
    assert (fields["event.kind"], fields["event.category"], fields["event.type"]) == (
        "enrichment", ["threat"], ["indicator"],
    )  # fmt: skip
    indicator = {name.removeprefix("threat.indicator."): said for name, said in fields.items() if "indicator." in name}
    common = {"name", "type", "confidence", "modified_at", "provider", "marking.tlp", "marking.tlp_version"}
    values = {name: said for name, said in indicator.items() if name not in common}
    assert set(values.values()) == {indicator["name"]}
    return {"values": values, "tags": fields.get("tags", []), "id": fields["labels"]["stix_id"]}


def assert_valid(name: str, said: Any) -> None:
    """Fail for a field that the schema does not have, and for a value that Elasticsearch would not index there."""
    row = FIELDS[name]
    assert isinstance(said, list) == row.get("array", False), name
    for one in said if isinstance(said, list) else [said]:
        assert "expected" not in row or one in row["expected"], (name, one)
        match row["type"]:
            case "ip":
                ipaddress.ip_address(one)
            case "date":
                datetime.fromisoformat(one)
            case "object":
                assert all(isinstance(text, str) and "." not in key for key, text in one.items())
            case kind:
                assert kind in ("keyword", "wildcard")
                assert isinstance(one, str)


def says(entry: Entry) -> dict[str, Any]:
    names = _VALUES.get(entry.type, [f"file.hash.{entry.type.replace('-', '')}"])
    return {"values": dict.fromkeys(names, entry.value), "tags": list(entry.labels), "id": entry.id}


READER = Reader(read, says)
