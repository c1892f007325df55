"""``ctihub explain``: shows where objects come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import completing
from hub.cli.client import DEFAULT_URL, AsJson, CaFile, TokenOption, Url, console, hub_client, print_json, printable
from hub.model.errors import NotFound

if TYPE_CHECKING:
    from schemas.explanation import Explanation

Asked = Annotated[str, typer.Argument(help="A STIX id, a value (198.51.100.7), or a pattern.", metavar="ID|VALUE")]
Reader = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="For operators: what this member or centre may see, and why not more.",
        show_default=False,
    ),
]  # fmt: skip
At = Annotated[
    int | None,
    typer.Option("--at", metavar="SEQ", min=1, help="As it stood at this change of --collection.", show_default=False),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="NAME",
        autocompletion=completing.readable,
        help="The collection of --at.",
        show_default=False,
    ),
]


def command(
    asked: Asked,
    reader: Reader = None,
    at: At = None,
    collection: CollectionOption = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Show where a thing comes from: the claims that you may see, how they were merged, and the versions."""
    with hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=5.0) as client:
        explanation = client.explain(asked, reader=reader, at=at, collection=collection)
    if as_json:
        print_json(explanation.model_dump())
        return
    if not explanation.things and not explanation.within:
        raise NotFound("explain.nothing", f"The hub shows you nothing about {printable(asked)}.")
    _print(explanation)


def _print(explanation: Explanation) -> None:
    from hub.cli.explained import print_thing, print_within

    screen = console()
    for thing in explanation.things:
        print_thing(screen, thing, explanation.reader)
    print_within(screen, explanation)
