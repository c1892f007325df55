"""Additions to FastAPI's OpenAPI document: raw bodies, and one format for all errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from hub.doors.problems import PROBLEM_JSON
from schemas.api import ProblemDetails

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What the caller must change.", "model": ProblemDetails},
    "5XX": {"description": "What may pass (503, with Retry-After), or what an operator must see to.",
            "model": ProblemDetails},
}  # fmt: skip
INTERFACE_VERSION = "1"
"""The version of ``/v1``. It changes when clients must change."""
STIX = {"type": "object", "description": "STIX 2.1 content; what it may hold is in docs/rules."}


def binary_body(media_types: Iterable[str], model: type[BaseModel] | None = None) -> dict[str, Any]:
    """Describes a request body that the handler reads itself."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"} if model else STIX
    return {"requestBody": {"required": True, "content": {media: {"schema": schema} for media in media_types}}}


def raw(
    media_type: str, description: str, schema: dict[str, Any] | None = None, *, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """Describes a response of stored bytes, without a pydantic model."""
    return {status: {"description": description, "content": {media_type: {"schema": schema or {"type": "string"}}}}}


def describe(app: FastAPI, *, extra_models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Returns the OpenAPI document of ``app``."""
    document = get_openapi(
        title="ctihub",
        version=INTERFACE_VERSION,
        summary="Merges and shares STIX threat information between national centres and their members.",
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    for model in extra_models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            schemas.setdefault(name, inner)
        schemas.setdefault(model.__name__, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operation in _operations(document):
        operation["responses"].pop("422", None)  # FastAPI's default; the hub answers with status 400
        _media_type_of_errors(operation)
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "name-and-token": {"type": "http", "scheme": "basic"},
    }
    document["security"] = [{"token": []}, {"name-and-token": []}]
    return document


def _operations(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def _media_type_of_errors(operation: dict[str, Any]) -> None:
    for status in ("4XX", "5XX"):
        content = operation["responses"].get(status, {}).get("content", {})
        if "application/json" in content:
            content[PROBLEM_JSON] = content.pop("application/json")


def dumps(document: dict[str, Any]) -> bytes:
    """Returns a document as formatted in ``schemas/``, with readable diffs."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
