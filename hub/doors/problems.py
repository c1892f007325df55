"""Translates the hub's errors to HTTP: RFC 9457 problem details, on TAXII paths TAXII error resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.doors.methods import allowed
from hub.model.errors import (
    Broken,
    HubError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    TryAgain,
    WrongType,
)
from schemas.api import ProblemDetails

PROBLEM_JSON = "application/problem+json"
TAXII_JSON = "application/taxii+json;version=2.1"
"""The media type of every TAXII response: taxii2-client refuses any other spelling."""
CHALLENGE = 'Basic realm="ctihub", charset="UTF-8", Bearer realm="ctihub"'

_log = structlog.get_logger()

_STATUS_OF_KIND: tuple[tuple[type[HubError], int], ...] = (
    (NotAuthenticated, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (TooLarge, 413),
    (WrongType, 415),
    (Refused, 400),
    (TooMany, 429),
    (TryAgain, 503),
    (Broken, 500),
)
_STATUS_OF_CODE = {
    "http.not-acceptable": 406,
    "http.method": 405,
    "push.stalled": 408,
    "http.head-stalled": 408,
    "http.uri-too-long": 414,
    "http.head-too-large": 431,
}
"""Codes for which HTTP has a more specific status than their class."""
_STATUS_OF_CODE_IN_TAXII = {"bundle.too-large": 422}
"""TAXII 2.1, section 4.2.1: a 413 means that a body is longer than ``max_content_length``, and nothing else."""


def status_of(error: HubError) -> int:
    """Returns the HTTP status of an error."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in _STATUS_OF_KIND if isinstance(error, kind)), 500)


def respond(error: HubError, path: str) -> Response:
    """Returns an error as the response to a request for ``path``."""
    status = status_of(error)
    headers = _headers(error)
    if is_taxii(path):
        status = _STATUS_OF_CODE_IN_TAXII.get(error.code, status)
        return Response(_taxii(error, status), status, headers, TAXII_JSON)
    body = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.says,
        code=error.code,
        way_out=error.way_out or None,
    )
    return Response(body.model_dump_json(), status, headers, PROBLEM_JSON)


def is_taxii(path: str) -> bool:
    """Returns whether errors on this path are TAXII error resources."""
    return path.startswith(("/taxii2/", "/root/")) or path in ("/taxii2", "/root")


def _headers(error: HubError) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    match error:
        case NotAuthenticated():
            headers["www-authenticate"] = CHALLENGE
        case TryAgain(retry_after_s=seconds):
            headers["retry-after"] = str(max(1, int(seconds)))
        case WrongType():
            headers["accept-encoding"] = "gzip, zstd, identity"  # RFC 9110, section 12.5.3: accepted codings
        case _:
            pass
    return headers


def _taxii(error: HubError, status: int) -> bytes:
    """TAXII 2.1, section 3.6.1."""
    return orjson.dumps(
        {
            "title": HTTPStatus(status).phrase,
            "description": str(error),
            "error_code": error.code,
            "http_status": str(status),
        }
    )


def install(app: FastAPI) -> None:
    """Install handlers for all errors that requests of ``app`` can raise."""
    handlers: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        HubError: _on_hub_error,
        HTTPException: _on_http_error,
        RequestValidationError: _on_wrong_parameter,
        ClientDisconnect: _on_disconnect,
        Exception: _on_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _on_hub_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HubError):
        raise error
    if isinstance(error, Broken):
        _log.error("request.broken", code=error.code, way_out=error.way_out)
    return respond(error, request.url.path)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Handles errors of the router: unknown path, wrong method."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _on_other_method(request)
    return respond(
        NotFound("http.path", "There is nothing under this path.", "See /v1/openapi.json."), request.url.path
    )


def _is_taxii_1(request: Request) -> bool:
    """Returns whether a request is one of TAXII 1.x, which is XML over POST to any path."""
    return is_taxii(request.url.path) and (
        "x-taxii-content-type" in request.headers or "xml" in request.headers.get("content-type", "")
    )


def _on_other_method(request: Request) -> Response:
    """Answers OPTIONS, for which no path has a handler of its own, and refuses other methods that a path lacks."""
    methods = ", ".join(allowed(request, request.app.routes))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": methods})
    says = Refused("http.method", f"{request.method} is not possible here.", f"Use {methods}.")
    if _is_taxii_1(request):
        says = Refused("http.method", "This is TAXII 2.1; TAXII 1 is not available.", "Use a TAXII 2.1 client.")
    answer = respond(says, request.url.path)
    answer.headers["allow"] = methods
    return answer


async def _on_wrong_parameter(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return respond(Refused("http.parameter", f"The parameter {where} is invalid: {first['msg']}."), request.url.path)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=400)  # the client has gone


async def _on_bug(request: Request, error: Exception) -> Response:
    """Starlette raises the error again after this, so that the server logs the traceback."""
    del error
    says = Broken("hub.broken", "The hub failed at this request.", "Its operator finds the reason in its log.")
    return respond(says, request.url.path)
