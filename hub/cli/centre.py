"""``ctihub centre``: who publishes, under which terms and name."""

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
    from hub.model.policy import Widths
    from hub.registry.centres import CentreEntry
    from hub.registry.service import Registry

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Centres: who publishes.")

Country = Annotated[str, typer.Option("--country", metavar="RO", help="Two letters (ISO 3166-1).", show_default=False)]
Identity = Annotated[str | None, typer.Option("--identity", metavar="IDENTITY", help="Its STIX identity [a new one].")]
TlpMax = Annotated[
    str | None,
    typer.Option(
        "--tlp-max",
        metavar="LEVEL",
        autocompletion=completing.words(*completing.LEVELS),
        help="The strictest level that it may send [amber+strict].",
    ),
]
DefaultTlp = Annotated[
    str | None,
    typer.Option(
        "--default-tlp",
        metavar="LEVEL",
        autocompletion=completing.words(*completing.LEVELS),
        help="The level of its unmarked objects [amber].",
    ),
]
AmberTo = Annotated[
    list[str] | None,
    typer.Option(
        "--amber-to",
        metavar="GROUP",
        autocompletion=completing.registered("group"),
        help="A group that gets its amber objects [network]; repeatable.",
    ),
]
Trust = Annotated[int | None, typer.Option("--trust", metavar="0-100", help="How much weight its claims have [100].")]
NamingOption = Annotated[
    str | None,
    typer.Option(
        "--naming",
        metavar="named|alias|anonymous",
        autocompletion=completing.words("named", "alias", "anonymous"),
        help="How members see it [named].",
    ),
]
Alias = Annotated[str | None, typer.Option("--alias", metavar="TEXT", help="The name that --naming alias shows.")]
SpeaksFor = Annotated[
    list[str] | None,
    typer.Option(
        "--speaks-for", metavar="IDENTITY", help="An identity that it speaks for; repeatable; none removes all."
    ),
]
WidestShown = Annotated[
    str | None,
    typer.Option(
        "--widest-shown",
        metavar="/N[,/N]",
        help="Networks of IPv4, and of IPv6, wider than this are held [/8,/19].",
    ),
]
WidestBlocked = Annotated[
    str | None,
    typer.Option(
        "--widest-blocked",
        metavar="/N[,/N]",
        help="The widest networks that lists for blocking take on its word [/16,/29].",
    ),
]

COLUMNS = ("name", "country", "tlp_max", "default_tlp", "amber_to", "trust", "naming", "suspended")


@app.command()
def add(
    name: NameArgument,
    country: Country,
    identity: Identity = None,
    tlp_max: TlpMax = None,
    default_tlp: DefaultTlp = None,
    amber_to: AmberTo = None,
    trust: Trust = None,
    naming: NamingOption = None,
    alias: Alias = None,
    speaks_for: SpeaksFor = None,
    widest_shown: WidestShown = None,
    widest_blocked: WidestBlocked = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Register a centre. Its token is shown only once."""
    from hub.registry.centres import Terms

    terms = Terms(
        country, tlp_max, default_tlp, amber_to or None, trust, naming, alias, speaks_for or None,
        widest_shown=widest_shown, widest_blocked=widest_blocked,
    )  # fmt: skip
    added = administer(config, lambda registry: registry.centres.add(name, terms, identity=identity))
    then = [
        "# at the centre:",
        f"export CTIHUB_URL={hub_url(config)} CTIHUB_TOKEN={added.token}",
        "ctihub push bundle.json",
        *_notes(added.made),
    ]
    show_added(added, row_of(added.made), as_json=as_json, done=f"{name} may publish", then=then)


@app.command("set")
def set_(
    name: NameArgument,
    country: Annotated[str | None, typer.Option("--country", metavar="RO", help="Two letters (ISO 3166-1).")] = None,
    tlp_max: TlpMax = None,
    default_tlp: DefaultTlp = None,
    amber_to: AmberTo = None,
    trust: Trust = None,
    naming: NamingOption = None,
    alias: Alias = None,
    speaks_for: SpeaksFor = None,
    widest_shown: WidestShown = None,
    widest_blocked: WidestBlocked = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Change a centre's terms; other terms stay as they are. Everything it has sent is evaluated again."""
    from hub.registry.centres import Terms

    terms = Terms(
        country, tlp_max, default_tlp, amber_to or None, trust, naming, alias, speaks_for or None,
        widest_shown=widest_shown, widest_blocked=widest_blocked,
    )  # fmt: skip
    entry = administer(config, lambda registry: registry.centres.set(name, terms))
    show.one(row_of(entry), as_json=as_json, then=_notes(entry))


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """All centres."""
    entries = administer(config, lambda registry: registry.centres.all())
    rows = [row_of(entry) for entry in entries]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="No centre yet: ctihub centre add NAME --country RO")


@app.command("show")
def show_(name: NameArgument, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """One centre."""

    async def work(registry: Registry) -> show.JsonRow:
        return {**await _row(registry, name), **await last_use(registry, name)}

    show.one(administer(config, work), as_json=as_json)


async def _row(registry: Registry, name: str) -> show.JsonRow:
    return row_of(await registry.centres.find(name))


principal_commands(app, "centre", _row)


def row_of(entry: CentreEntry) -> show.JsonRow:
    """Returns a centre as a JSON row."""
    centre = entry.terms
    return {
        "name": centre.name,
        "id": centre.identity,
        "country": centre.country,
        "tlp_max": centre.ceiling.label,
        "default_tlp": centre.default_level.label,
        "amber_to": list(centre.amber_to),
        "trust": centre.trust,
        "naming": str(centre.naming),
        "alias": centre.alias,
        "speaks_for": sorted(centre.speaks_for),
        "widest_shown": _widths(centre.widest_shown),
        "widest_blocked": _widths(centre.widest_blocked),
        "suspended": centre.suspended,
        "created": stix_time(centre.created_us),
    }


def _widths(widest: Widths) -> str:
    return f"/{widest.ipv4},/{widest.ipv6}"


def _notes(entry: CentreEntry) -> list[str]:
    """Returns warnings about terms that the operator may not have intended."""
    centre = entry.terms
    if centre.default_level > centre.ceiling:
        return [
            f"# Note: what it leaves unmarked counts as {centre.default_level.label}, above its ceiling "
            f"{centre.ceiling.label}, and is refused; see --default-tlp."
        ]
    return []
