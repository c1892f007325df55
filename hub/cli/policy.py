"""``ctihub policy``: shows and sets the values of the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing, show
from hub.cli.admin import AsJson, ConfigFile, administer

if TYPE_CHECKING:
    from hub.registry.settings import Setting

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The policy: how long claims count, and how long the hub keeps what it has.",
)

COLUMNS = ("key", "value", "default", "help")


@app.command("show")
def show_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All keys with their values. KIND stands for a kind of observable such as ipv4-addr, or for any."""
    rows = [row_of(each) for each in administer(config, lambda registry: registry.settings.all())]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="")


@app.command("set")
def set_(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", autocompletion=completing.policy_keys, help="See ctihub policy show.", show_default=False
        ),
    ],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="Such as 90d, or default for the default.", show_default=False)
    ],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Set a value. What depends on it is computed again in bounded steps, while the hub works."""
    before, after = administer(config, lambda registry: registry.settings.set(key, value))
    done = f"{key} is {after.value}" + (", as before" if after.value == before.value else f", it was {before.value}")
    show.one(row_of(after), as_json=as_json, done=done, then=_then(key) if after != before else [])


def _then(key: str) -> list[str]:
    from hub.model.policy_keys import Affects, find_key

    named = find_key(key)
    match None if named is None else named.key.affects:
        case Affects.INDICATORS:
            return ["# all indicators are computed again; how far that is:", "ctihub status"]
        case Affects.VERSIONS:
            return ["# superseded versions beyond that are deleted from now on; they do not come back"]
        case Affects.LATER | None:
            return []


def row_of(setting: Setting) -> show.JsonRow:
    """Returns a setting as a JSON row."""
    return {
        "key": setting.key,
        "value": setting.value,
        "default": setting.default,
        "is_set": setting.is_set,
        "help": setting.help,
    }
