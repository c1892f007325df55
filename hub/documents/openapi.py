"""``schemas/openapi.json``: the HTTP interface, from its routes and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.doors import openapi
from hub.doors.context import Doors
from hub.doors.http import make_app, openapi_document
from hub.doors.settings import DoorSettings

PATH = Path(__file__).parents[2] / "schemas" / "openapi.json"


def document_bytes() -> bytes:
    """Returns the document. It depends only on the routes and models, so no port is used."""
    nothing: Any = None
    app = make_app(Doors(store=nothing, log=nothing, access=nothing, key=b"", settings=DoorSettings()))
    return openapi.dumps(openapi_document(app))
