"""``ctihub doctor``: checks a deployment and shows what to fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.admin import AsJson, ConfigFile
from hub.cli.client import print_json, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.doctoring import Finding

Fix = Annotated[bool, typer.Option("--fix", help="Update the broker's topics and grants to match the registry.")]

_MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "bold red")}


def command(fix: Fix = False, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Check the configuration, the data folder, the store, the log, the clock, TLS, the port, and the broker's grants.

    Exit code 1 if something must be fixed.
    """
    import asyncio

    findings = asyncio.run(_findings(fix, config))
    if as_json:
        print_json([_row(each) for each in findings])
    else:
        _print(findings)
    return 1 if any(each.health == "bad" for each in findings) else 0


async def _findings(fix: bool, config: ConfigFile) -> Sequence[Finding]:
    from hub.cli.doctoring import Finding, Health, examined, good
    from hub.config import load_config

    odd: list[str] = []
    options = load_config(config, warn=odd.append)
    findings = [Finding("configuration", Health.NOTE, each, "See docs/configuration.md.") for each in odd]
    findings = findings or [good("configuration", "Every option is known and fits the others.")]
    return [*findings, *[each async for each in examined(options, fix=fix)]]


def _row(finding: Finding) -> dict[str, str]:
    return {
        "name": finding.name,
        "state": str(finding.health),
        "message": finding.says,
        "way_out": finding.way_out,
    }


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for each in findings:
        mark, style = _MARKS[each.health]
        console.print(
            Text.assemble((f"{mark} ", style), (f"{each.name:14}", "cyan"), printable(each.says)), soft_wrap=True
        )
        if each.way_out:
            console.print(Text(f"                → {printable(each.way_out)}", style="bold"), soft_wrap=True)
