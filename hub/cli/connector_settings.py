"""Shows the connectors and their settings, for ``ctihub connect --list`` and ``ctihub connect NAME --help``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from hub.cli.client import print_json, speaking

if TYPE_CHECKING:
    from connectors.sdk.connector import Connector


class HelpfulCommand(TyperCommand):
    """The command ``connect``, whose help also has the settings of the connector that is named before ``--help``."""

    _named: str | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click. The help is printed before the arguments are known, so the first word is looked at here."""
        self._named = args[0] if args and not args[0].startswith("-") else None
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """See click."""
        super().format_help(ctx, formatter)
        if self._named is not None and not ctx.resilient_parsing:
            with speaking():
                list_connectors(self._named, as_json=False)


def list_connectors(name: str | None, *, as_json: bool) -> None:
    """Print all connectors, or one with its settings. Raises WrongSettings if there is none of this name."""
    from connectors.sdk import catalogue

    names = [name] if name else catalogue.names()
    shown = [_described(catalogue.connector_class(one)) for one in names]
    if as_json:
        print_json(shown)
        return
    for one in shown:
        print(f"{one['name']:10} {one['summary']}")
        for line in setting_lines(one["settings"]) if name else ():
            print(f"  {line}")


def setting_lines(settings: list[dict[str, Any]]) -> Iterator[str]:
    """Yields each setting with its default and its meaning. ``settings``: as ``catalogue.describe`` returns them."""
    for setting in settings:
        default = "required" if setting["required"] else f"[{_default(setting['default'])}]"
        yield f"{setting['name']}  {default}  {setting['help']}"


def _described(kind: type[Connector[Any]]) -> dict[str, Any]:
    from connectors.sdk import catalogue

    return {"name": kind.name, "summary": kind.summary, "settings": catalogue.describe(kind)}


def _default(value: Any) -> str:
    return "none" if value in (None, [], {}) else str(value)
