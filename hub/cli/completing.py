"""What the shell offers while a command is typed: names of the registry, of readable collections, of connectors.

A completion never prints anything else, never creates a store, and gives nothing where something fails or takes long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model.principals import RegistrySnapshot

WITHIN_S = 5.0
"""How long a completion may take; then it offers nothing."""
LEVELS = ("clear", "green", "amber", "amber+strict", "red")
_NEW = {"add"}
"""Commands whose argument is a new name."""

Completion = Callable[[typer.Context, str], list[str]]


def words(*known: str) -> Callable[[str], list[str]]:
    """Returns the completion of an option with these values."""

    def completion(incomplete: str) -> list[str]:
        return _beginning(known, incomplete)

    return completion


def registered(*kinds: str) -> Completion:
    """Returns the completion of names in the configured store. ``kinds``: ``centre``, ``member``, ``operator``,
    ``group``, ``collection``; without any, the kind is the command's.
    """

    def completion(context: typer.Context, incomplete: str) -> list[str]:
        if context.info_name in _NEW and not kinds:
            return []
        parent = context.parent.info_name if context.parent else None
        wanted = kinds or (parent or "",)
        return _beginning(_quietly(lambda: _names_in_store(wanted)), incomplete)

    return completion


def readable(context: typer.Context, incomplete: str) -> list[str]:
    """Completes collections that the caller may read at the hub."""
    said = {name: value for name, value in context.params.items() if name in ("url", "token", "ca_file") and value}
    return _beginning(_quietly(lambda: _names_at_hub(**said)), incomplete)


def connectors(incomplete: str) -> list[str]:
    """Completes the names of connectors."""
    from connectors.sdk import catalogue

    return _beginning(_quietly(catalogue.names), incomplete)


def settings(context: typer.Context, incomplete: str) -> list[str]:
    """Completes ``KEY=`` and ``KEY=VALUE`` of a connector. A shell may pass ``KEY``, ``=`` and ``VALUE`` as words."""
    name = context.params.get("name")
    before: list[str] = list(context.params.get("settings") or ())
    if not isinstance(name, str):
        return []
    if before[-1:] == ["="] and len(before) > 1:
        return _beginning(_quietly(lambda: _values(name, before[-2])), incomplete)
    if incomplete == "=" and before:
        return _quietly(lambda: _values(name, before[-1]))
    key, equals, value = incomplete.partition("=")
    if equals:
        return [f"{key}={found}" for found in _beginning(_quietly(lambda: _values(name, key)), value)]
    return _beginning(_quietly(lambda: [f"{known}=" for known in _keys(name)]), incomplete)


def commands(incomplete: str) -> list[str]:
    """Completes the names of commands."""
    from hub.cli import COMMANDS

    return _beginning(COMMANDS, incomplete)


def export_formats(incomplete: str) -> list[str]:
    """Completes the formats of exports."""

    def known() -> Iterable[str]:
        from hub.doors.export.formats import FORMATS

        return FORMATS

    return _beginning(_quietly(known), incomplete)


def policy_keys(incomplete: str) -> list[str]:
    """Completes what ``ctihub policy set`` takes."""
    from hub.model.policy_keys import KEYS

    return _beginning((key.name for key in KEYS), incomplete)


def _beginning(known: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in known if name.startswith(incomplete))


def _quietly(work: Callable[[], Iterable[str]]) -> list[str]:
    """Returns nothing where something fails: a message would stand in the middle of the line that is typed."""
    with contextlib.redirect_stderr(None):
        try:
            return list(work())
        except Exception:  # noqa: BLE001 - see above
            return []


def _names_in_store(kinds: Sequence[str]) -> list[str]:
    import asyncio

    from hub.config import load_config
    from hub.config_values import SqliteAt

    config = load_config()
    if isinstance(config.database, SqliteAt) and not config.database.path.is_file():
        return []
    snapshot = asyncio.run(_snapshot(config))
    of_kind: dict[str, Iterable[str]] = {"group": snapshot.groups, "collection": snapshot.collections}
    return [name for kind in kinds for name in of_kind.get(kind) or _principals(snapshot, kind)]


async def _snapshot(config: Config) -> RegistrySnapshot:
    import asyncio

    from hub.app import open_store

    async with asyncio.timeout(WITHIN_S):
        store = await open_store(config)
        try:
            async with store.registry.reading() as directory:
                return await directory.snapshot(None)
        finally:
            await store.close()


def _principals(snapshot: RegistrySnapshot, kind: str) -> list[str]:
    return [one.name for one in snapshot.principals.values() if one.kind.value == kind]


def _names_at_hub(url: str, token: str | None = None, ca_file: str | None = None) -> list[str]:
    from connectors.sdk.client import HubClient

    with HubClient(url, token, ca_file=ca_file, patience_s=0) as client:
        return [collection.name for collection in client.collections()]


def _keys(name: str) -> Iterable[str]:
    from connectors.sdk import catalogue

    return catalogue.connector_class(name).Settings.model_fields


def _values(name: str, key: str) -> list[str]:
    """The values of a setting that are known: those of its type, or the built-in mappings."""
    from connectors.sdk import catalogue

    if name == "csv" and key == "mapping":
        from connectors.csv.mapping import built_in

        return sorted(built_in())
    schema = catalogue.connector_class(name).Settings.model_json_schema()
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in _enumerated(schema, key)]


def _enumerated(schema: Mapping[str, Any], key: str) -> list[Any]:
    said = schema.get("properties", {}).get(key, {})
    for one in (said, *said.get("anyOf", ())):
        if "enum" in one:
            return list(one["enum"])
        if one.get("type") == "boolean":
            return [True, False]
    return []
