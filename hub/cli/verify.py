"""``ctihub verify``: whether the hub shows what follows from the claims."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.admin import AsJson, ConfigFile, configured
from hub.cli.client import print_json, printable, say

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model.verification import Difference
    from hub.verifying import Verification

CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", metavar="NAME", help="Only this collection [all].", show_default=False),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes", metavar="N", min=0, help="Processes beside this one [one per processor, fewer for a small hub].",
        show_default=False,
    ),
]  # fmt: skip


def command(
    collection: CollectionOption = None,
    processes: Processes = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Compute every view again from the claims and compare; check logs, references, counts of uses and receipts.

    Works on a running hub: everything is read as of one moment. Exit code 1 if anything differs; `ctihub rebuild`
    repairs it.
    """
    import asyncio

    began = time.monotonic()
    report = asyncio.run(_verified(configured(config), collection, processes, as_json=as_json))
    return tell(report, time.monotonic() - began, as_json=as_json)


async def _verified(config: Config, collection: str | None, processes: int | None, *, as_json: bool) -> Verification:
    from hub.verifying import opened_store, verified

    async with opened_store(config) as store:
        with VerifyProgress("verify", quiet=as_json) as shown:
            return await verified(config, store, collection, processes=processes, tell=shown.tell)


class VerifyProgress:
    """The progress on stderr: a bar with rate and time left on a terminal, lines elsewhere."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        from connectors.sdk.progress import shown

        self._progress = shown(what, quiet=quiet, kind="command")
        self._things = 0

    def __enter__(self) -> VerifyProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()

    def tell(self, things: int, share: float) -> None:
        """Show how many things are done, and the share of the claims."""
        self._progress.advance(max(things - self._things, 0), 0, share)  # another pass begins again
        self._things = things


def tell(report: Verification, took_s: float, *, as_json: bool) -> int:
    """Print a report; returns the exit code."""
    found = report.found.total()
    if as_json:
        print_json(row_of(report, took_s))
        return 1 if found else 0
    print_differences(report)
    rate = f"{report.things:,} things in {took_s:,.1f} s ({report.things / max(took_s, 1e-3):,.0f}/s)"
    print(f"{rate}: " + (f"{found:,} differences. `ctihub rebuild` repairs them." if found else "nothing differs."))
    return 1 if found else 0


def row_of(report: Verification, took_s: float) -> dict[str, Any]:
    """A report as JSON."""
    return {
        "collections": sorted(report.names[no] for no in report.scope.nos),
        "not_verified": list(report.scope.filling),
        "things": report.things,
        "seconds": round(took_s, 3),
        "found": report.found.total(),
        "by_part": {str(part): number for part, number in sorted(report.found.items())},
        "differences": [_row(report, one) for one in report.differences],
    }


def print_differences(report: Verification) -> None:
    """Print the differences of a report, a line each."""
    if report.scope.filling:
        say(f"Not verified, as they are being filled: {', '.join(report.scope.filling)}.")
    for one in report.differences:
        print(printable(_line(_row(report, one))))
    if (more := report.found.total() - len(report.differences)) > 0:
        print(f"… and {more:,} more.")


def _row(report: Verification, one: Difference) -> Mapping[str, Any]:
    return {
        "part": str(one.part),
        "collection": None if one.collection is None else report.names.get(one.collection, str(one.collection)),
        "centre": None if one.source is None else report.sources.get(one.source, str(one.source)),
        "id": one.object_id or None,
        "thing": None if one.thing is None else one.thing.hex(),
        "seq": one.seq,
        "message": one.says,
    }


def _line(row: Mapping[str, Any]) -> str:
    where: Sequence[str] = [str(row[name]) for name in ("collection", "centre", "id") if row[name]]
    number = f" row {row['seq']:,}" if row["seq"] is not None and row["part"] in ("row", "log") else ""
    return f"{row['part']:9} {' '.join(where)}{number}: {row['message']}"
