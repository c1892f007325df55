"""Shared parts of the administration commands. They use the configured store, whether or not the hub is running."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hub.cli import address, completing, show
from hub.cli.client import AsJson, say
from hub.cli.overlap import OverlapCommand, OverlapOption, overlap_us

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model.principals import Principal, PrincipalKind
    from hub.registry.context import Added
    from hub.registry.service import Registry

__all__ = [
    "AsJson",
    "ConfigFile",
    "NameArgument",
    "administer",
    "configured",
    "hub_url",
    "principal_commands",
    "show_added",
]

T = TypeVar("T")

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="CTIHUB_CONFIG", help="The hub's configuration [ctihub.toml].",
        show_default=False,
    ),
]  # fmt: skip
NameArgument = Annotated[
    str,
    typer.Argument(
        help="Its name: small letters, digits, hyphens.", show_default=False, autocompletion=completing.registered()
    ),
]


def configured(file: Path | None) -> Config:
    """Returns the configuration; prints warnings about the environment to stderr."""
    from hub.config import load_config

    return load_config(file, warn=lambda text: say(f"Warning: {text}"))


def administer(file: Path | None, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Run one operation on the configured store and, if configured, the broker."""
    import asyncio

    return asyncio.run(_administer(configured(file), work))


async def _administer(config: Config, work: Callable[[Registry], Awaitable[T]]) -> T:
    from hub.cli.opened import opened_registry

    async with opened_registry(config) as registry:
        return await work(registry)


def show_added(added: Added[T], row: show.JsonRow, *, as_json: bool, done: str, then: list[str] | None = None) -> None:
    """Show something new with its token; then raise the error of the broker, if any."""
    show.one(row, as_json=as_json, done=done, token=added.token, then=then or [])
    if added.complaint is not None:
        raise added.complaint


async def last_use(registry: Registry, name: str) -> dict[str, str | None]:
    """Returns when any token of a principal was last used, for a row."""
    from hub.model.times import stix_time

    used = [entry.last_used_us for entry in await registry.tokens.all(name) if entry.last_used_us is not None]
    return {"last_used": stix_time(max(used)) if used else None}


def hub_url(file: Path | None) -> str:
    """Returns the address under which others reach the configured hub, or where it runs on this machine."""
    from hub.config import load_config

    config = load_config(file)
    return config.public_url or address.found_in(config.data_dir) or config.url


def principal_commands(app: typer.Typer, kind: str, row_of: Callable[[Registry, str], Awaitable[show.JsonRow]]) -> None:
    """Adds ``suspend``, ``resume`` and ``rotate``, which are the same for centres and members."""

    @app.command(help=f"Deny a {kind} all access until it is resumed.")
    def suspend(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
        async def work(registry: Registry) -> show.JsonRow:
            await registry.principals.suspend(name, _kind(kind))
            return await row_of(registry, name)

        row = administer(config, work)
        show.one(row, as_json=as_json, done=f"{name} is suspended", then=[f"ctihub {kind} resume {name}"])

    @app.command(help=f"Give a suspended {kind} access again, with the same token.")
    def resume(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
        async def work(registry: Registry) -> show.JsonRow:
            await registry.principals.resume(name, _kind(kind))
            return await row_of(registry, name)

        show.one(administer(config, work), as_json=as_json, done=f"{name} is back")

    says = f"Give a {kind} a new token; the old one stops working within a second, or with --overlap after that time."

    @app.command(cls=OverlapCommand, help=says)
    def rotate(
        name: NameArgument, overlap: OverlapOption = None, as_json: AsJson = False, config: ConfigFile = None
    ) -> None:
        overlap_ = overlap_us(overlap)

        async def work(registry: Registry) -> tuple[Added[Principal], show.JsonRow]:
            rotated = await registry.principals.rotate(name, _kind(kind), overlap_us=overlap_)
            return rotated, await row_of(registry, name)

        added, row = administer(config, work)
        show_added(added, row, as_json=as_json, done=f"{name} has a new token")


def _kind(kind: str) -> PrincipalKind:
    from hub.model.principals import PrincipalKind

    return PrincipalKind(kind)
