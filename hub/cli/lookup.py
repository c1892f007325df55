"""``ctihub lookup``: what the hub knows of values, the verdict first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    CaFile,
    TokenOption,
    Url,
    console,
    hub_client,
    named_or_piped,
    print_json,
    printable,
)
from hub.model.errors import Refused, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.lookup import LookupAnswer

Values = Annotated[
    list[str], typer.Argument(help="Values in any spelling, or - for the lines of standard input.", metavar="VALUE…|-")
]
FailEmpty = Annotated[bool, typer.Option("--fail-empty", help="End with 1 when nothing was found.")]
_HEAD = ("verdict", "value", "kind", "confidence", "TLP", "collections", "sources", "around")
_STYLES = {"live": "bold red", "expired": "yellow", "withdrawn": "yellow", "around": "yellow", "related": "yellow"}


def command(
    values: Values,
    fail_empty: FailEmpty = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
) -> None:
    """Look values up: whether your collections show them as live, expired or withdrawn, and what is around them."""
    asked = named_or_piped(values)
    if not asked:
        raise WrongUsage("lookup.nothing", "There is no value to look up.", "Give values, or lines with -.")
    with hub_client(url, token, ca_file=ca_file, patience_s=5.0) as client:
        answers = list(client.look_up(asked))
    if as_json:
        print_json([one.model_dump(exclude_none=True) for one in answers])
    else:
        _print(answers)
    if fail_empty and not any(one.found or one.within or one.related for one in answers):
        raise Refused("lookup.empty", "The hub shows you nothing about any of these values.")


def verdict(one: LookupAnswer) -> str:
    """The most that is known of a value: the state of what is shown of it, else what is around it, else of its file."""
    if one.error is not None:
        return "no value"
    if one.found:
        return one.found[0].state
    return "around" if one.within else "related" if one.related else "unknown"


def _print(answers: Sequence[LookupAnswer]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEAD, box=None, pad_edge=False)
    for one in answers:
        said = verdict(one)
        cells = (Text(printable(cell)) for cell in _cells(one, said))
        table.add_row(Text(said, style=_STYLES.get(said, "dim")), *cells)
    console().print(table)


def _cells(one: LookupAnswer, said: str) -> tuple[str, ...]:
    if one.error is not None:
        return one.asked, one.error.message, "", "", "", "", ""
    best = [found for found in one.found if found.state == said]
    confidences = [found.confidence for found in best if found.confidence is not None]
    around = [f"{near.relation} {near.value}" for near in one.within]
    around += [f"{related.kind} {related.value}" for related in one.related]
    return (
        one.canonical or one.asked,
        one.kind or "",
        str(max(confidences)) if confidences else "-",
        _each(found.tlp or "" for found in best),
        _each(found.collection for found in best),
        _each(source.name for found in best for source in found.sources),
        _each(around) + (" …" if one.more else ""),
    )


def _each(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, texts)))
