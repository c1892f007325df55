"""``ctihub operator``: who runs the hub over the network. On the hub's machine no token is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, NameArgument, administer, hub_url, show_added
from hub.cli.overlap import OverlapCommand, OverlapOption, overlap_us
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.model.principals import Principal

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Operators: who runs the hub.")


@app.command()
def add(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Register an operator. Its token is shown only once."""
    added = administer(config, lambda registry: registry.operators.add(name))
    then = [f"export CTIHUB_URL={hub_url(config)} CTIHUB_TOKEN={added.token}", "ctihub status"]
    show_added(added, row_of(added.made), as_json=as_json, done=f"{name} is an operator", then=then)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All operators."""
    rows = [row_of(each) for each in administer(config, lambda registry: registry.operators.all())]
    show.listing(rows, ("name", "created"), as_json=as_json, nothing="No operator yet: ctihub operator add NAME")


@app.command(cls=OverlapCommand)
def rotate(
    name: NameArgument, overlap: OverlapOption = None, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """Give an operator a new token; the old one stops working within a second, or with --overlap after that time."""
    from hub.model.principals import PrincipalKind

    kind, overlap_ = PrincipalKind.OPERATOR, overlap_us(overlap)
    added = administer(config, lambda registry: registry.principals.rotate(name, kind, overlap_us=overlap_))
    show_added(added, row_of(added.made), as_json=as_json, done=f"{name} has a new token")


@app.command()
def remove(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Remove an operator."""
    administer(config, lambda registry: registry.operators.remove(name))
    show.one({"name": name}, as_json=as_json, done=f"{name} is removed")


def row_of(principal: Principal) -> show.JsonRow:
    """Returns an operator as a JSON row; it has no STIX identity."""
    return {"name": principal.name, "id": None, "created": stix_time(principal.created_us)}
