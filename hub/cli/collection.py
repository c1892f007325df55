"""``ctihub collection``: manages collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing, show
from hub.cli.admin import AsJson, ConfigFile, NameArgument, administer, hub_url

if TYPE_CHECKING:
    from hub.model.policy import Collection

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Collections: what is shown to whom.")

COLUMNS = ("name", "id", "tlp", "group", "types", "kinds", "min_confidence", "alert")

Alert = Annotated[
    bool, typer.Option("--alert", help="An alert lane: its changes go first through relay, streams and webhooks.")
]

Tlp = Annotated[
    str,
    typer.Option(
        "--tlp",
        metavar="LEVEL",
        autocompletion=completing.words(*completing.LEVELS),
        help="The strictest level in it: clear … red.",
        show_default=False,
    ),
]
Readers = Annotated[
    str,
    typer.Option(
        "--group",
        metavar="GROUP",
        autocompletion=completing.registered("group"),
        help="Who reads it.",
        show_default=False,
    ),
]


@app.command()
def add(
    name: NameArgument,
    tlp: Tlp,
    group: Readers,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="indicator",
            help="Only these STIX types; repeatable. With --kind alone: indicators, and observables of these kinds.",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="ipv4-addr", help="Only these kinds of observable; repeatable."),
    ] = None,
    min_confidence: Annotated[
        int,
        typer.Option(
            "--min-confidence",
            metavar="0-100",
            help="Only indicators with at least this confidence; other types are not affected.",
        ),
    ] = 0,
    alert: Alert = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Create a collection. The hub fills it with the objects that it already has."""
    made = administer(
        config,
        lambda registry: registry.collections.add(
            name, tlp=tlp, group=group, types=type_ or [], kinds=kind or [], min_confidence=min_confidence, alert=alert
        ),
    )
    show.one(row_of(made), as_json=as_json, done=f"{name} is a collection", then=_next(made, hub_url(config)))


def _next(made: Collection, url: str) -> list[str]:
    """Returns what to do with a new collection."""
    return [
        f"# {_filter(made)}",
        "# for its readers:",
        f"ctihub subscribe {made.name}",
        f"# or TAXII: {url}/taxii2/",
    ]


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All collections."""
    rows = [row_of(each) for each in administer(config, lambda registry: registry.collections.all())]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="No collection: ctihub collection add NAME --tlp … --group …")


@app.command("show")
def show_(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One collection."""
    show.one(row_of(administer(config, lambda registry: registry.collections.find(name))), as_json=as_json)


@app.command("set")
def set_(
    name: NameArgument,
    alert: Annotated[bool, typer.Option("--alert/--no-alert", help="Whether it is an alert lane.", show_default=False)],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make a collection an alert lane, or make it none. Readers keep their place: what it shows stays the same."""
    made = administer(config, lambda registry: registry.collections.set_alert(name, alert))
    says = f"{name} is an alert lane" if alert else f"{name} is no alert lane"
    show.one(row_of(made), as_json=as_json, done=says)


@app.command()
def remove(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Remove a collection from every door. A later one of the same name starts from change 1."""
    administer(config, lambda registry: registry.collections.remove(name))
    show.one({"name": name}, as_json=as_json, done=f"{name} is removed")


def _filter(collection: Collection) -> str:
    """Returns a description of the collection's filter."""
    types = sorted(collection.types)
    says = f"it shows {', '.join(types) if types else 'every type'}"
    if collection.kinds:
        says += f"; of indicators and observables only those about {', '.join(sorted(collection.kinds))}"
    if collection.min_confidence:
        says += f"; of indicators only those with a confidence of {collection.min_confidence} at least"
        if not types:
            says += " (--type indicator leaves out what has none)"
    return says


def row_of(collection: Collection) -> show.JsonRow:
    """Returns a collection as a JSON row."""
    return {
        "name": collection.name,
        "id": collection.id,
        "tlp": collection.audience.level.label,
        "group": collection.audience.group,
        "types": sorted(collection.types),
        "kinds": sorted(collection.kinds),
        "min_confidence": collection.min_confidence,
        "alert": collection.alert,
    }
