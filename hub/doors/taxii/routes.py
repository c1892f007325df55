"""The paths of TAXII 2.1, each with and without a slash at the end: a redirect would lose credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.doors import metrics
from hub.doors.auth import ensure_pushes
from hub.doors.context import Doors
from hub.doors.openapi import binary_body, raw
from hub.doors.problems import TAXII_JSON
from hub.doors.taxii import cursor, resources
from hub.doors.taxii.pages import AskedPage, PageAnswers, WritePage
from hub.doors.taxii.query import TAKEN, Query, query_of, require_acceptable
from hub.doors.taxii.writing import TaxiiIntake
from hub.doors.validators import revalidated
from hub.model.errors import NotAllowed, NotFound, Refused
from hub.model.policy import Collection
from hub.model.principals import SOURCE_KINDS, Principal

DISCOVERY = "/taxii2/"
ROOT = "/taxii2/root/"
SHORT_ROOT = "/root/"
COLLECTIONS = f"{ROOT}collections/"
COLLECTION = COLLECTIONS + "{collection_id}/"
OBJECTS = f"{COLLECTION}objects/"
OBJECT = OBJECTS + "{object_id}/"
_LAST, _ALL = "last", "all"

Handler = TypeVar("Handler", bound=Callable[..., Any])


def routes(doors: Doors) -> APIRouter:
    """Everything under ``/taxii2/``, and under ``/root/`` once more what is below the API root."""
    router = APIRouter(tags=["taxii"], default_response_class=Response)
    taxii = _Taxii(doors)
    _add_services(router, doors, taxii)
    _add_contents(router, taxii)
    _add_writing(router, taxii)
    return router


def _add_services(router: APIRouter, doors: Doors, taxii: _Taxii) -> None:
    get = _at_all_paths(router, "GET")

    @get(DISCOVERY)
    async def discovery(request: Request) -> Response:
        """Discovery (section 4.1)."""
        await doors.gate.required(request)
        return _answer(resources.discovery(doors.base_url(request) + ROOT), revalidated(request))

    @get(ROOT)
    async def api_root(request: Request) -> Response:
        """API root (section 4.2)."""
        await doors.gate.required(request)
        return _answer(resources.api_root(doors.settings.intake.push_bytes), revalidated(request))

    @get(f"{ROOT}status/{{status_id}}/")
    async def status(request: Request, status_id: str) -> Response:
        """Status of your request (section 4.3)."""
        return await taxii.intake.status(request, await doors.gate.required(request), status_id)

    @get(COLLECTIONS)
    async def collections(request: Request) -> Response:
        """The collections that you may read, and the one to which you may add (section 5.1)."""
        found = await taxii.resources(await taxii.enter(request))
        body = orjson.dumps({"collections": list(found.values())}) if found else resources.EMPTY
        return _answer(body, revalidated(request))

    @get(COLLECTION)
    async def collection(request: Request, collection_id: str) -> Response:
        """One collection (section 5.2)."""
        found = (await taxii.resources(await taxii.enter(request))).get(collection_id)
        if found is None:
            raise _no_collection()
        return _answer(orjson.dumps(found), revalidated(request))


def _add_contents(router: APIRouter, taxii: _Taxii) -> None:
    get = _at_all_paths(router, "GET")

    @get(f"{COLLECTION}manifest/")
    async def manifest(request: Request, collection_id: str) -> Response:
        """The manifest of a collection (section 5.3)."""
        return await taxii.page(request, collection_id, None, _LAST, resources.manifest)

    @get(OBJECTS)
    async def objects(request: Request, collection_id: str) -> Response:
        """The objects of a collection (section 5.4)."""
        return await taxii.page(request, collection_id, None, _LAST, resources.envelope)

    @get(OBJECT)
    async def one_object(request: Request, collection_id: str, object_id: str) -> Response:
        """One object (section 5.6)."""
        return await taxii.page(request, collection_id, object_id, _LAST, resources.envelope)

    @get(f"{OBJECT}versions/")
    async def versions(request: Request, collection_id: str, object_id: str) -> Response:
        """The versions of one object (section 5.8)."""
        return await taxii.page(request, collection_id, object_id, _ALL, resources.versions)


def _add_writing(router: APIRouter, taxii: _Taxii) -> None:
    body = binary_body(TAKEN)

    @_at_all_paths(router, "POST", status_code=202, openapi_extra=body)(OBJECTS)
    async def add_objects(request: Request, collection_id: str) -> Response:
        """Add objects to the collection intake (section 5.5). All are durable when this answers."""
        return await taxii.intake.add(request, await taxii.writer(request, collection_id))

    @_at_all_paths(router, "DELETE")(OBJECT)
    async def delete_object(request: Request, collection_id: str, object_id: str) -> Response:
        """Withdraw what you have added to the collection intake (section 5.7)."""
        return await taxii.intake.delete(request, await taxii.writer(request, collection_id), object_id)


def _at_all_paths(router: APIRouter, method: str, **more: Any) -> Callable[[str], Callable[[Handler], Handler]]:
    """Adds a route with the slash, which is in the OpenAPI document, and without it; and again with the API root
    directly under the host, where clients look that keep only the last segment of its address (MISP).
    """

    def at(path: str) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            described = raw(TAXII_JSON, "A TAXII resource.", {"type": "object"}, status=more.get("status_code", 200))
            router.add_api_route(path, handler, methods=[method], responses=described, **more)
            paths = [path, SHORT_ROOT + path.removeprefix(ROOT)] if path.startswith(ROOT) else [path]
            for other in (*paths[1:], *(one.rstrip("/") for one in paths)):
                router.add_api_route(other, handler, methods=[method], include_in_schema=False)
            return handler

        return add

    return at


def _answer(body: bytes, headers: Mapping[str, str]) -> Response:
    return Response(body, 200, headers, TAXII_JSON)


def _no_collection() -> NotFound:
    return NotFound("taxii.collection", "There is no such collection for you.", f"See {COLLECTIONS}.")


class _Taxii:
    """The shared functions of the paths."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self.intake = TaxiiIntake(doors)
        self._pages = PageAnswers(doors)

    async def enter(self, request: Request) -> Principal:
        """Returns the principal; TAXII always needs credentials. Raises NotAuthenticated, Refused (406)."""
        principal = await self._doors.gate.required(request)
        require_acceptable(request.headers.getlist("accept"))
        return principal

    async def resources(self, principal: Principal) -> dict[str, Mapping[str, Any]]:
        """Returns the collections that a principal may read or write, by id, as section 5.2.1 describes them."""
        readable = await self._doors.gate.readable(principal)
        found: dict[str, Mapping[str, Any]] = {one.id: resources.collection(one) for one in readable}
        if self.intake.is_open_to(principal):
            found[self.intake.id] = self.intake.resource(readable)
        return found

    async def collection(self, request: Request, collection_id: str) -> Collection:
        """Returns a collection by id. Raises NotFound, also for one that the principal may not read."""
        principal = await self.enter(request)
        readable = await self._doors.gate.readable(principal)
        for one in readable:
            if one.id == collection_id:
                return one
        if collection_id == self.intake.id and self.intake.is_open_to(principal):
            raise self.intake.not_readable(readable)
        raise _no_collection()

    async def writer(self, request: Request, collection_id: str) -> Principal:
        """Returns the source that writes to a collection. Raises NotAllowed for one that can only be read, and for a
        token that only reads; NotFound for any other.
        """
        principal = await self._doors.gate.required(request)
        if principal.kind in SOURCE_KINDS and collection_id == self.intake.id:
            ensure_pushes(principal)
        is_source = self.intake.is_open_to(principal)
        if is_source and collection_id == self.intake.id:
            return principal
        if all(one.id != collection_id for one in await self._doors.gate.readable(principal)):
            raise _no_collection()
        way_out = f"Use the collection intake ({self.intake.id})." if is_source else ""
        raise NotAllowed("taxii.read-only", "This collection can only be read.", way_out)

    async def page(
        self, request: Request, collection_id: str, object_id: str | None, default: str, write: WritePage
    ) -> Response:
        """Returns a page of objects, manifests or versions, with the headers that clients need."""
        collection = await self.collection(request, collection_id)
        query = await self._query(request, collection, object_id)
        return await self._pages.answer(request, AskedPage(collection, query, object_id, default, write))

    async def _query(self, request: Request, collection: Collection, object_id: str | None) -> Query:
        """Returns the parsed request, with its cursor."""
        query = query_of(request.query_params, page_objects=self._doors.settings.page_objects)
        if said := request.query_params.get("next"):
            query = query.going_on(await self._cursor(request, said, collection))
        if object_id is not None:
            query = replace(query, ids=(object_id,), types=())
        return query

    async def _cursor(self, request: Request, said: str, collection: Collection) -> cursor.Cursor:
        try:
            found = cursor.decode(said, self._doors.key)
        except cursor.BadCursor:
            raise Refused("taxii.next", "next is not from this hub.", "Start without it.") from None
        if found.log != collection.no:
            metrics.FOREIGN_CURSORS.inc()
            raise Refused(
                "taxii.foreign-next",
                f"next belongs to {await self._name_of(request, found.log)}, not to {collection.name}.",
                "Start without it here.",
            )
        return found

    async def _name_of(self, request: Request, log: int) -> str:
        """Returns the name of a log's collection if the principal may read it, else a neutral phrase."""
        for one in await self._doors.gate.readable(await self._doors.gate.required(request)):
            if one.no == log:
                return f"the collection {one.name} ({one.id})"
        return "another collection"
