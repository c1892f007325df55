"""``ctihub group``: manages groups, the named sets of principals by list or by rule, each with a marking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing, show
from hub.cli.admin import AsJson, ConfigFile, NameArgument, administer
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.registry.groups import GroupEntry

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Groups: sets of principals, by list or by rule.")

Group = Annotated[
    str,
    typer.Argument(
        help="The group's name.", metavar="GROUP", show_default=False, autocompletion=completing.registered("group")
    ),
]
Names = Annotated[
    list[str],
    typer.Argument(
        help="Centres and members.",
        metavar="NAME…",
        show_default=False,
        autocompletion=completing.registered("centre", "member"),
    ),
]

COLUMNS = ("name", "id", "rules", "members")


@app.command()
def add(
    name: NameArgument,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="country=RO", help="Who belongs to it: country=RO, sector=energy; repeatable."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Create a group. Several values of one attribute are alternatives; different attributes must all match."""
    entry = administer(config, lambda registry: registry.groups.add(name, rule or []))
    then = [
        f"ctihub group join {name} MEMBER",
        f"ctihub collection add {name} --tlp amber --group {name}",
        "# Centres put its id among the object_marking_refs of what is for it alone.",
    ]
    show.one(row_of(entry), as_json=as_json, done=f"{name} is a group", then=then)


@app.command()
def join(group: Group, name: Names, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Add centres and members to a group."""
    show.one(row_of(administer(config, lambda registry: registry.groups.join(group, name))), as_json=as_json)


@app.command()
def leave(group: Group, name: Names, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Remove centres and members from a group."""
    show.one(row_of(administer(config, lambda registry: registry.groups.leave(group, name))), as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All groups."""
    rows = [row_of(entry) for entry in administer(config, lambda registry: registry.groups.all())]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="No group.")


@app.command("show")
def show_(group: Group, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One group: who is in it, and its marking."""
    show.one(row_of(administer(config, lambda registry: registry.groups.find(group))), as_json=as_json)


@app.command()
def remove(group: Group, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Remove a group. Objects with its marking are hidden from everyone."""
    administer(config, lambda registry: registry.groups.remove(group))
    show.one({"name": group}, as_json=as_json, done=f"{group} is removed")


def row_of(entry: GroupEntry) -> show.JsonRow:
    """Returns a group as a JSON row; for ``public`` with the known principals."""
    group = entry.group.group
    return {
        "name": group.name,
        "id": group.marking,
        "rules": [str(rule) for rule in entry.group.rules],
        "members": list(entry.members),
        "created": stix_time(group.created_us),
    }
