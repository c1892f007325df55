"""``ctihub breaker``: sources that took back more within an hour than policy allows, and what is decided about that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing, show
from hub.cli.admin import AsJson, ConfigFile, administer
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.registry.breakers import OpenTrip

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Mass withdrawals that wait for a confirmation.")

Name = Annotated[
    str,
    typer.Argument(
        help="The centre or member.",
        metavar="CENTRE",
        show_default=False,
        autocompletion=completing.registered("centre", "member"),
    ),
]
COLUMNS = ("centre", "tripped", "held")


@app.command("show")
def show_(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Only this centre or member.",
            metavar="[CENTRE]",
            show_default=False,
            autocompletion=completing.registered("centre", "member"),
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the breakers that have tripped, and how much each holds."""
    found = administer(config, lambda registry: registry.breakers.trips(name))
    show.listing([row_of(each) for each in found], COLUMNS, as_json=as_json, nothing="No breaker has tripped.")


@app.command()
def confirm(name: Name, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Carry out what a breaker holds. Ask a person of the centre first, and not through the API."""
    count = administer(config, lambda registry: registry.breakers.confirm(name))
    done = f"{count:,} withdrawals of {name} are confirmed"
    show.one({"centre": name, "confirmed": count}, as_json=as_json, done=done, then=["ctihub status"])


@app.command()
def refuse(name: Name, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Drop what a breaker holds: the claims stay as they are."""
    count = administer(config, lambda registry: registry.breakers.refuse(name))
    done = f"{count:,} withdrawals of {name} are dropped"
    then = ["# if its token was stolen:", f"ctihub centre rotate {name}"]
    show.one({"centre": name, "refused": count}, as_json=as_json, done=done, then=then)


def row_of(trip: OpenTrip) -> show.JsonRow:
    """Returns a breaker that has tripped as a JSON row."""
    return {"centre": trip.source, "tripped": stix_time(trip.tripped_us), "held": trip.waiting}
