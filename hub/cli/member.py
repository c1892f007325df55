"""``ctihub member``: who receives, and may report. A centre accredits each member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing, show
from hub.cli.admin import (
    AsJson,
    ConfigFile,
    NameArgument,
    administer,
    hub_url,
    last_use,
    principal_commands,
    show_added,
)
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.registry.members import MemberEntry
    from hub.registry.service import Registry

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Members: who receives, and may report.")

Country = Annotated[str | None, typer.Option("--country", metavar="RO", help="Two letters, for groups' rules.")]
Sector = Annotated[str | None, typer.Option("--sector", metavar="energy", help="Its sector, for groups' rules.")]

NamingOption = Annotated[
    str | None,
    typer.Option(
        "--naming",
        metavar="named|anonymous",
        autocompletion=completing.words("named", "anonymous"),
        help="How others see who made its reports [anonymous].",
    ),
]

COLUMNS = ("name", "accredited_by", "country", "sector", "groups", "naming", "suspended")

AccreditedBy = Annotated[
    str,
    typer.Option(
        "--accredited-by",
        metavar="CENTRE",
        autocompletion=completing.registered("centre"),
        help="The centre that vouches for it.",
        show_default=False,
    ),
]
JoinedGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        autocompletion=completing.registered("group"),
        help="A group to join; repeatable.",
    ),
]


@app.command()
def add(
    name: NameArgument,
    accredited_by: AccreditedBy,
    group: JoinedGroups = None,
    country: Country = None,
    sector: Sector = None,
    naming: NamingOption = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Register a member. Its token is shown only once."""
    added = administer(
        config,
        lambda registry: registry.members.add(
            name,
            accredited_by=accredited_by,
            groups=group or [],
            country=country,
            sector=sector,
            naming=naming or "anonymous",
        ),
    )
    then = [
        "# at the member:",
        f"export CTIHUB_URL={hub_url(config)} CTIHUB_TOKEN={added.token}",
        "ctihub subscribe community",
    ]
    show_added(added, row_of(added.made), as_json=as_json, done=f"{name} may read", then=then)


@app.command("set")
def set_(
    name: NameArgument,
    accredited_by: Annotated[
        str | None,
        typer.Option(
            "--accredited-by",
            metavar="CENTRE",
            autocompletion=completing.registered("centre"),
            help="The centre that vouches for it.",
        ),
    ] = None,
    country: Country = None,
    sector: Sector = None,
    naming: NamingOption = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Change a member; other properties stay as they are, and none removes the country or sector.

    Use ctihub group join and leave to change its groups.
    """
    entry = administer(
        config,
        lambda registry: registry.members.set(
            name, accredited_by=accredited_by, country=country, sector=sector, naming=naming
        ),
    )
    show.one(row_of(entry), as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All members."""
    rows = [row_of(entry) for entry in administer(config, lambda registry: registry.members.all())]
    nothing = "No member yet: ctihub member add NAME --accredited-by CENTRE"
    show.listing(rows, COLUMNS, as_json=as_json, nothing=nothing)


@app.command("show")
def show_(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One member."""

    async def work(registry: Registry) -> show.JsonRow:
        return {**await _row(registry, name), **await last_use(registry, name)}

    show.one(administer(config, work), as_json=as_json)


async def _row(registry: Registry, name: str) -> show.JsonRow:
    return row_of(await registry.members.find(name))


principal_commands(app, "member", _row)


def row_of(entry: MemberEntry) -> show.JsonRow:
    """Returns a member as a JSON row."""
    principal = entry.principal
    return {
        "name": principal.name,
        "id": principal.identity,
        "accredited_by": entry.accredited_by,
        "country": principal.country,
        "sector": principal.sector,
        "groups": list(entry.groups),
        "naming": str(entry.terms.naming),
        "suspended": principal.suspended,
        "created": stix_time(principal.created_us),
    }
