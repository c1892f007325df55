"""``ctihub token``: named tokens of a principal, such as one for each device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, administer, show_added
from hub.cli.overlap import OverlapCommand, OverlapOption, overlap_us
from hub.model.errors import WrongUsage
from hub.model.times import stix_time

if TYPE_CHECKING:
    from hub.model.tokens import TokenRights
    from hub.registry.named_tokens import TokenEntry

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tokens for devices: of a principal, by name.")

Owner = Annotated[str, typer.Argument(metavar="PRINCIPAL", help="The centre, member or operator that it belongs to.")]
TokenName = Annotated[str, typer.Argument(metavar="NAME", help="The token's name: small letters, digits, hyphens.")]
COLUMNS = ("user", "rights", "collections", "networks", "until", "state", "last_used", "prefix")


@app.command()
def add(
    principal: Owner,
    name: TokenName,
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", metavar="COLLECTION", help="Read only this one; repeatable [all]."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not push.")] = False,
    push_only: Annotated[bool, typer.Option("--push-only", help="It may push, and read what became of it.")] = False,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="CIDR", help="Valid only from there; repeatable [everywhere]."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Such as 2027-12-31 or 90d [no end].")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Give a principal one more token, for a device. It is shown only once."""
    rights = _rights(read_only, push_only)
    added = administer(
        config,
        lambda registry: registry.tokens.add(
            principal, name, rights=rights, collections=collection or [], networks=network or [], until=until
        ),
    )
    row = row_of(added.made)
    show_added(added, row, as_json=as_json, done=f"{row['user']} has a token", then=_notes(added.made))


@app.command("list")
def list_(
    principal: Annotated[str | None, typer.Argument(metavar="[PRINCIPAL]", help="Only its own [all].")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """All tokens with their scope, end and last use, each principal's own one first; never the tokens themselves."""
    rows = [row_of(entry) for entry in administer(config, lambda registry: registry.tokens.all(principal))]
    show.listing(rows, COLUMNS, as_json=as_json, nothing="No token yet: ctihub token add PRINCIPAL NAME")


@app.command(cls=OverlapCommand)
def rotate(
    principal: Owner,
    name: TokenName,
    overlap: OverlapOption = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Replace a named token. The old one stops working within a second, or with --overlap after that time."""
    overlap_ = overlap_us(overlap)
    added = administer(config, lambda registry: registry.tokens.rotate(principal, name, overlap_us=overlap_))
    row = row_of(added.made)
    show_added(added, row, as_json=as_json, done=f"{row['user']} has a new token", then=_notes(added.made))


@app.command()
def remove(principal: Owner, name: TokenName, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Remove a named token; it stops working within a second."""
    administer(config, lambda registry: registry.tokens.remove(principal, name))
    show.one({"name": name, "principal": principal}, as_json=as_json, done=f"{principal}.{name} is removed")


def _rights(read_only: bool, push_only: bool) -> TokenRights:
    from hub.model.tokens import TokenRights

    if read_only and push_only:
        raise WrongUsage("token.scope", "A token may do something.", "Give --read-only, --push-only or neither.")
    return TokenRights.READ if read_only else TokenRights.PUSH if push_only else TokenRights.BOTH


def _notes(entry: TokenEntry) -> list[str]:
    """What somebody should know who gives a token to a device."""
    token = entry.token
    notes = [f"# with Basic: user {token.full_name}, password the token"]
    if token.networks and not entry.on_kafka:
        notes.append("# not valid on Kafka: its grants know single addresses, but no networks")
    if len(token.digests) > 1 and (token.digests[1].ends_us or 0) > token.digests[0].created_us:
        notes.append("# on Kafka the new one alone is valid at once; connections that are open stay")
    return notes


def row_of(entry: TokenEntry) -> show.JsonRow:
    """Returns a token as a JSON row, without its secret."""
    from hub.model.principals import PrincipalKind
    from hub.model.tokens import TokenRights

    token, scope = entry.token, entry.token.scope
    newest = token.digests[0]
    refused_us, why = max(((use.refused_us or 0, use.why) for _, use in entry.uses), key=lambda each: each[0])
    older = [(digest, use) for digest, use in entry.uses[1:] if (digest.ends_us or 0) > newest.created_us]
    return {
        "name": token.name or token.principal,
        "id": None,
        "principal": token.principal,
        "user": token.full_name,
        "rights": str(TokenRights.READ if entry.kind is PrincipalKind.OPERATOR else scope.rights),
        "collections": None if scope.collections is None else sorted(scope.collections),
        "networks": [str(network) for network in token.networks],
        "until": _time(token.ends_us),
        "state": entry.state,
        "prefix": newest.prefix or None,
        "created": stix_time(token.created_us),
        "rotated": _time(newest.created_us if newest.created_us > token.created_us else None),
        "last_used": _time(entry.last_used_us),
        "last_refused": _time(refused_us or None),
        "why_refused": None if why is None else str(why),
        "older": [
            {"prefix": digest.prefix or None, "until": _time(digest.ends_us), "last_used": _time(use.used_us)}
            for digest, use in older
        ],
    }


def _time(us: int | None) -> str | None:
    return None if us is None else stix_time(us)
