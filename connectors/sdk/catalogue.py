"""The available connectors: the built-in ones, and those of other distributions.

A distribution adds connectors with the entry point group ``ctihub.connectors``: name → the connector's class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_origin

from pydantic import ValidationError

from connectors.sdk.connector import Connector, ConnectorSettings
from connectors.sdk.errors import WrongSettings

ENTRY_POINTS = "ctihub.connectors"
_BUILT_IN = {
    "csv": "connectors.csv:CsvConnector",
    "stix-file": "connectors.stix_file:StixFileConnector",
    "taxii": "connectors.taxii:TaxiiConnector",
}


def names() -> list[str]:
    """Returns the names of all connectors."""
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def connector_class(name: str) -> type[Connector[Any]]:
    """Returns the connector called ``name``. Raises WrongSettings with the nearest name."""
    wanted = name.strip().lower().replace("_", "-")
    for point in entry_points(group=ENTRY_POINTS, name=wanted):
        return _checked(point.load(), wanted)
    if wanted not in _BUILT_IN:
        near = difflib.get_close_matches(wanted, names(), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names())}."
        raise WrongSettings("connector.unknown", f"No connector is called {name}.", hint)
    module, _, attribute = _BUILT_IN[wanted].partition(":")
    return _checked(getattr(import_module(module), attribute), wanted)


def _checked(found: Any, name: str) -> type[Connector[Any]]:
    if not (isinstance(found, type) and issubclass(found, Connector)):
        raise WrongSettings("connector.invalid", f"What is installed as the connector {name} is none.")
    return found


def make(name: str, settings: Mapping[str, Any]) -> Connector[Any]:
    """Returns a connector with its settings; converts text values. Raises WrongSettings."""
    kind = connector_class(name)
    known = kind.Settings.model_fields
    for key in settings:
        if key not in known:
            raise WrongSettings(
                "setting.unknown", f"The connector {kind.name} has no setting {key!r}.", _nearest(key, known)
            )
    try:
        return kind(kind.Settings(**{key: _as_field(known[key].annotation, value) for key, value in settings.items()}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            says = f"The connector {kind.name} needs {where}=…."
        else:
            says = f"The connector {kind.name} cannot take {where or 'its settings'}: {told}."
        raise WrongSettings("setting.invalid", says, f"See ctihub connect --list {kind.name}.") from error


def _as_field(annotation: Any, value: Any) -> Any:
    """Converts a single text to a list if the setting is a list."""
    return [value] if isinstance(value, str) and get_origin(annotation) in (tuple, list) else value


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known)}."


def describe(kind: type[Connector[Any]]) -> list[dict[str, Any]]:
    """Returns a connector's settings as data: name, type, default (None: required), help."""
    settings: type[ConnectorSettings] = kind.Settings
    properties = settings.model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "required": field.is_required(),
            "default": None if field.is_required() else properties.get(name, {}).get("default"),
            "help": " ".join((field.description or "").split()),
        }
        for name, field in settings.model_fields.items()
    ]
