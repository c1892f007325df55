"""``ctihub export``: writes a list of a collection in the format of a product."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self
from urllib.parse import quote, urlencode

import typer

from hub.cli import completing
from hub.cli.client import DEFAULT_URL, AsJson, CaFile, PatienceOption, TokenOption, Url, hub_client, print_json, say
from hub.model.errors import WrongUsage

Collection = Annotated[str, typer.Argument(help="The collection's name.", autocompletion=completing.readable)]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", "-f", metavar="FORMAT", help="One of docs/exports.md.", autocompletion=completing.export_formats
    ),
]
Types = Annotated[list[str] | None, typer.Option("--type", metavar="KIND", help="Only this kind; may be repeated.")]
MinConfidence = Annotated[int | None, typer.Option("--min-confidence", min=0, max=100, help="Only as sure as this.")]
Since = Annotated[str | None, typer.Option("--since", metavar="SEQ|TIME", help="Only what was added after it.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the best so many.")]
Collapse = Annotated[bool, typer.Option("--collapse", help="Leave out what other networks and names cover.")]
Defang = Annotated[bool, typer.Option("--defang", help="Write values that nobody can click, in formats for people.")]
FormatOptions = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="A parameter of the format, such as zone=.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Replaced only if the list has changed.")
]


def command(
    collection: Collection,
    format: FormatOption = "txt",
    types: Types = None,
    min_confidence: MinConfidence = None,
    since: Since = None,
    limit: Limit = None,
    collapse: Collapse = False,
    defang: Defang = False,
    options: FormatOptions = None,
    output: Output = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: PatienceOption = 60.0,
) -> None:
    """Write a list to stdout, or with -o to a file, which is replaced at once and only if the list has changed.

    Without a token, the collection public can be read. What the list left out is counted on stderr.
    """
    query = {
        "type": ",".join(types or ()) or None, "min_confidence": min_confidence, "since": since, "limit": limit,
        "collapse": "1" if collapse else None, "defang": "1" if defang else None, **_pairs(options or ()),
    }  # fmt: skip
    from hub.cli.new_content import NewContent

    _ensure_replaceable(output)
    with (
        NewContent(output) if output else _Stdout() as new,
        hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=patience) as client,
    ):
        headers = client.download(_path(collection, format, query), new.file)
        is_changed = new.put_in_place()
    _report(headers, is_changed, output, as_json)


class _Stdout:
    """What goes to stdout when it is complete. A context manager, as ``NewContent``."""

    def __enter__(self) -> Self:
        self.file: BinaryIO = tempfile.TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def put_in_place(self) -> bool:
        """Write it; returns True."""
        from connectors.sdk.output import write_out

        self.file.seek(0)
        while part := self.file.read(1 << 20):
            write_out(sys.stdout.buffer, part)
        return True


def _ensure_replaceable(output: Path | None) -> None:
    if output is None:
        return
    folder = Path(os.path.realpath(output)).parent
    if not folder.is_dir():
        raise WrongUsage("output.folder", f"There is no folder {folder}.", "Create it first.")
    if output.exists() and not output.is_file():  # /dev/null would be replaced by a file
        raise WrongUsage("output.kind", f"{output} is no file.", "Leave -o out to write to stdout.")


def _path(collection: str, format: str, query: Mapping[str, Any]) -> str:
    words = urlencode({name: value for name, value in query.items() if value is not None})
    path = f"/v1/collections/{quote(collection, safe='')}/export.{quote(format, safe='')}"
    return f"{path}?{words}" if words else path


def _pairs(said: list[str] | tuple[str, ...]) -> dict[str, str]:
    for one in said:
        if "=" not in one:
            raise WrongUsage(
                "option.invalid", f"--option takes NAME=VALUE, not {one!r}.", "For example zone=rpz.local."
            )
    return dict(one.split("=", 1) for one in said)


def _report(headers: Mapping[str, str], is_changed: bool, output: Path | None, as_json: bool) -> None:
    counts = {name: int(headers.get(f"x-ctihub-{name}", 0)) for name in ("lines", "skipped", "seq")}
    if as_json and output is not None:
        print_json({"file": str(output), "changed": is_changed, **counts})
        return
    left_out = f", {counts['skipped']:,} left out" if counts["skipped"] else ""
    where = "" if output is None else f" in {output}" if is_changed else f"; {output} has not changed"
    say(f"{counts['lines']:,} entries{left_out}{where}.")
