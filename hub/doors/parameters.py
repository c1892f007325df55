"""Refuses query parameters that a route of ``/v1`` does not have, and single ones that are given twice.

A parameter that is ignored is worse than an error: with a misspelt ``min_confidence`` a firewall would get the whole
list. Every route is checked in one place, against its own declaration: no door can forget it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.model.errors import Refused

BELOW = "/v1/"
TAKES = "x-takes"
"""A word of OpenAPI documents, at a path parameter: for each of its values, the query parameters that are for some of
its values only."""
_SHOWN_CHARACTERS = 60
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class DeclaredParameters:
    """The names of a route's query parameters."""

    names: frozenset[str]
    repeatable: frozenset[str]
    """Those that may be given several times."""
    choice: str = ""
    """The path parameter whose value says which of them there are, if there is one."""
    takes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each of its values, those that are for some of its values only."""

    def at(self, path: Mapping[str, str]) -> DeclaredParameters:
        """Returns those that there are with these path parameters: all, if the route knows no such value."""
        taken = self.takes.get(path.get(self.choice, ""))
        if taken is None:
            return self
        optional = frozenset[str]().union(*self.takes.values())
        return DeclaredParameters(self.names - optional | taken, self.repeatable)

    def check(self, query: QueryParams) -> None:
        """Raises Refused for the first unknown or repeated parameter."""
        seen: set[str] = set()
        for name, _ in query.multi_items():
            if name not in self.names:
                raise Refused("parameter.unknown", f"There is no parameter {_shown(name)}.", self._way_out(name))
            if name in seen and name not in self.repeatable:
                raise Refused("parameter.repeated", f"The parameter {name} is given twice.", "Give it once.")
            seen.add(name)

    def _way_out(self, name: str) -> str:
        if not self.names:
            return "This path takes no parameters."
        there = f"This path takes {', '.join(sorted(self.names))}."
        near = difflib.get_close_matches(name[:_SHOWN_CHARACTERS].lower(), sorted(self.names), n=1, cutoff=_ALIKE)
        return f"Did you mean {near[0]}? {there}" if near else there


def refuse_unknown_parameters(routes: Iterable[BaseRoute]) -> None:
    """Makes all routes of ``/v1`` among these refuse what they do not declare."""
    for route in routes:
        if isinstance(route, APIRoute) and route.path.startswith(BELOW):
            route.app = _Checked(route.app, declared_by(route))


def declared_by(route: APIRoute) -> DeclaredParameters:
    """Returns the parameters that a route declares: in its handler, or only in OpenAPI (``openapi_extra``)."""
    fields = [field for field in get_flat_params(route.dependant) if isinstance(field.field_info, params.Query)]
    names = {field.alias for field in fields}
    repeatable = {field.alias for field in fields if _takes_several(field.field_info.annotation)}
    choice, takes = "", dict[str, frozenset[str]]()
    for one in (route.openapi_extra or {}).get("parameters", ()):
        if TAKES in one:
            choice, takes = one["name"], {value: frozenset(some) for value, some in one[TAKES].items()}
        if one["in"] == "query":
            names.add(one["name"])
            if one.get("schema", {}).get("type") == "array":
                repeatable.add(one["name"])
    return DeclaredParameters(frozenset(names), frozenset(repeatable), choice, takes)


class _Checked:
    """A route's application behind the check of its parameters."""

    def __init__(self, app: ASGIApp, declared: DeclaredParameters) -> None:
        self._app = app
        self._declared = declared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["query_string"]:
            self._declared.at(scope["path_params"]).check(QueryParams(scope["query_string"]))
        await self._app(scope, receive, send)


def _takes_several(annotation: Any) -> bool:
    """Returns whether a parameter of this type is a list, or a list or nothing."""
    kinds = (annotation, *get_args(annotation))
    return any((get_origin(kind) or kind) in (list, tuple, set, frozenset) for kind in kinds)


def _shown(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= _SHOWN_CHARACTERS else repr(name[:_SHOWN_CHARACTERS])
