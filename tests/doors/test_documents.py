"""The documents in ``schemas/`` are what the models and the doors say now."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from hub.documents.openapi import PATH, document_bytes
from hub.model.extensions import VIEW_EXTENSION
from schemas import extension, generate
from tests.doors.hubs import Hub
from tests.story import an_indicator

SCHEMAS = Path(generate.__file__).parent


@pytest.mark.parametrize("name", sorted(generate.documents()))
def test_a_document_is_not_stale(name: str) -> None:
    assert (SCHEMAS / name).read_bytes() == generate.documents()[name], "run make docs"


def test_the_openapi_document_is_not_stale() -> None:
    assert PATH.read_bytes() == document_bytes(), "run make docs"


def test_every_route_is_in_the_docs() -> None:
    docs = "".join((SCHEMAS.parent / "docs" / name).read_text() for name in ("http.md", "taxii.md", "exports.md"))
    for path in json.loads(PATH.read_bytes())["paths"]:
        told = path.replace("{collection_id}", "{id}").replace("{object_id}", "{object-id}")
        shortened = told.replace("/taxii2/root/collections/{id}/", "…/", 1)
        assert told in docs or shortened in docs, path


def test_no_operation_has_two_parameters_of_one_name() -> None:
    for path, operations in json.loads(PATH.read_bytes())["paths"].items():
        for operation in operations.values():
            names = [one["name"] for one in operation.get("parameters", [])]
            assert len(names) == len(set(names)), path


@pytest.mark.parametrize("name", ["api.json", "rejection.json", "ctihub-extension.json"])
def test_the_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((SCHEMAS / name).read_bytes()))


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((SCHEMAS / "asyncapi.json").read_bytes())
    for found in json.dumps(document).split('"$ref": "#/')[1:]:
        at = document
        for part in found.split('"')[0].split("/"):
            at = at[part]
    assert set(document["channels"]) == {"intake", "rejected", "collection"}


async def test_what_the_hub_says_of_a_view_is_as_the_schema_has_it(hub: Hub) -> None:
    assert extension.EXTENSION_ID == VIEW_EXTENSION
    await hub.tell("ro", an_indicator(confidence=60), an_indicator("198.51.100.9", revoked=True))
    await hub.tell("it", an_indicator(confidence=50))
    schema = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "ctihub-extension.json").read_bytes()))
    objects = (await hub.get(await hub.objects_url("community"), "soc")).json()["objects"]
    said = [one["extensions"][VIEW_EXTENSION] for one in objects if one["type"] == "indicator"]
    assert said
    for one in said:
        schema.validate(one)


async def test_a_rejection_is_as_the_schema_has_it(hub: Hub) -> None:
    await hub.tell("ro", b"{oops")
    schema = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "rejection.json").read_bytes()))
    [rejection] = (await hub.get("/v1/rejections", "ro")).json()["rejections"]
    schema.validate(rejection)
