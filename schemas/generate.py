"""Writes the documents in this folder from the models: ``make docs``. A test finds stale ones.

JSON Schema of the HTTP bodies, of rejections and of the hub's extension; AsyncAPI of the Kafka topics. The documents
that need more than models come from ``hub/documents/``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas import api
from schemas.api import Body, Rejection
from schemas.extension import CtihubExtension

HERE = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_STIX_OBJECT = {
    "type": "object",
    "required": ["type", "id"],
    "description": "A STIX 2.1 object.",
    "additionalProperties": True,
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}},
}


def documents() -> dict[str, bytes]:
    """Every document that needs the models alone, by file name."""
    return {
        "api.json": dumps(_bodies()),
        "rejection.json": dumps(_schema(Rejection)),
        "ctihub-extension.json": dumps(_schema(CtihubExtension)),
        "asyncapi.json": dumps(_asyncapi()),
    }


def dumps(document: dict[str, Any]) -> bytes:
    """A document as a file, so that differences can be read."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def models() -> list[type[Body]]:
    """The models of the HTTP interface, by name."""
    found = [one for one in vars(api).values() if isinstance(one, type) and issubclass(one, Body) and one is not Body]
    return sorted(found, key=lambda model: model.__name__)


def _bodies() -> dict[str, Any]:
    _, schema = models_json_schema([(model, "validation") for model in models()], ref_template="#/$defs/{model}")
    return {"$schema": DIALECT, "title": "Bodies of the ctihub HTTP interface", "$defs": schema["$defs"]}


def _schema(model: type[Body]) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema()}


def _asyncapi() -> dict[str, Any]:
    """The topics as AsyncAPI 3.0 has them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ctihub",
            "version": "1",
            "description": "Kafka topics of a ctihub. SCRAM user: the principal's name; password: its token.",
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/intake"}},
            "readRejections": {"action": "receive", "channel": {"$ref": "#/channels/rejected"}},
            "follow": {"action": "receive", "channel": {"$ref": "#/channels/collection"}},
        },
        "components": {
            "schemas": {
                "Rejection": Rejection.model_json_schema(ref_template="#/components/schemas/{model}"),
                "StixObject": _STIX_OBJECT,
            },
            "messages": _messages(),
        },
    }


def _channels() -> dict[str, Any]:
    return {
        "intake": _channel(
            "intake.{centre}",
            "centre",
            "What a centre publishes; only it writes. A null value keyed by a STIX id withdraws that contribution.",
            {"object": "StixObject", "withdrawal": "Withdrawal"},
        ),
        "rejected": _channel(
            "rejected.{centre}", "centre", "What was refused; only that centre reads.", {"rejection": "Rejection"}
        ),
        "collection": _channel(
            "collection.{name}",
            "name",
            "What a collection shows: one partition, compacted, exactly once for read_committed consumers.",
            {"object": "ShownObject", "tombstone": "Tombstone"},
        ),
    }


def _messages() -> dict[str, Any]:
    return {
        "StixObject": _message("StixObject", "One STIX object, or a bundle; no header is required.", "STIX id"),
        "Withdrawal": _message(None, "Withdraws what stands under the key.", "STIX id"),
        "Rejection": _message("Rejection", "Why an object was refused.", "STIX id, or none"),
        "ShownObject": _message("StixObject", "The object as the collection shows it.", "object id", seq=True),
        "Tombstone": _message(None, "The object has left the collection.", "object id", seq=True),
    }


def _channel(address: str, parameter: str, description: str, messages: dict[str, str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "parameters": {parameter: {"description": f"The {parameter}'s name: [a-z0-9][a-z0-9-]{{0,62}}"}},
        "messages": {name: {"$ref": f"#/components/messages/{message}"} for name, message in messages.items()},
    }


def _message(schema: str | None, summary: str, key: str, *, seq: bool = False) -> dict[str, Any]:
    headers = {
        "headers": {
            "type": "object",
            "properties": {"seq": {"type": "string", "description": "The change number; strictly increasing."}},
        }
    }
    return {
        "summary": summary,
        "payload": {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "null"},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
        **(headers if seq else {}),
    }


def main() -> None:
    """Write them all."""
    for name, content in documents().items():
        (HERE / name).write_bytes(content)


if __name__ == "__main__":
    main()
