"""``ctihub clock``: shows whether the hub trusts its clock, and repairs the effects of a wrong clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, configured
from hub.cli.client import say

if TYPE_CHECKING:
    from datetime import date

    from hub.config import Config
    from hub.model.clock import Doubt
    from hub.store.clock import PutBack

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The clock: whether the hub trusts it, and how to repair what a wrong clock has done.",
)

Today = Annotated[
    str,
    typer.Argument(
        metavar="YYYY-MM-DD", help="Today's date, from a calendar and not from this machine.", show_default=False
    ),
]


@app.command("show")
def show_(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show the clock, the latest time in the store, and whether they agree. Exit code 1 if they do not."""
    import asyncio

    row, doubt = asyncio.run(_shown(configured(config)))
    show.one(row, as_json=as_json, done="The hub trusts the clock" if doubt is None else "The clock is in doubt")
    if doubt is None:
        return 0
    say(f"{doubt.says} Nothing is processed or dated. {doubt.way_out}")
    return 1


@app.command()
def accept(today: Today, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Accept this machine's clock after a jump of more than a day.

    Give today's date: the command refuses if the clock shows another day. If the hub was only switched off, it simply
    continues. If the clock was wrong, dates in the store that are later than now are corrected. A collection that has
    shown such dates starts again under the same name with a new id, because its readers would ignore earlier dates.
    """
    import asyncio
    from dataclasses import asdict

    done = asyncio.run(_accepted(configured(config), _date(today)))
    row = asdict(done) | {"collections": list(done.collections)}
    show.one(row, as_json=as_json, done="The hub uses this clock", then=_then(done))


def _then(done: PutBack) -> list[str]:
    then = []
    if done.collections:
        then += ["# these collections start again with new ids; tell their TAXII readers:"]
        then += [f"ctihub collection show {name}" for name in done.collections]
    if done.modified_later:
        then += [
            f"# {done.modified_later:,} objects say themselves that they were modified later than now;",
            "# until then nothing newer replaces them: let their centres withdraw them and send them again",
        ]
    return then


def _date(said: str) -> date:
    from datetime import date

    from hub.model.errors import WrongUsage

    try:
        return date.fromisoformat(said)
    except ValueError:
        raise WrongUsage("clock.date", f"{said!r} is not a date.", "Write today's as YYYY-MM-DD.") from None


async def _shown(config: Config) -> tuple[show.JsonRow, Doubt | None]:
    from hub.app import open_store
    from hub.clock import Clock, wall_clock_us
    from hub.model.times import stix_time

    store = await open_store(config)
    try:
        doubt, witness = await Clock(store).look()
        seen = await store.stored_times()
    finally:
        await store.close()
    row = {
        "clock": stix_time(wall_clock_us()),
        "store": stix_time(seen.latest_us),
        "believed": doubt is None,
        "synchronised": witness.synchronised,
    }
    return row, doubt


async def _accepted(config: Config, today: date) -> PutBack:
    from hub.app import open_store
    from hub.clock import Clock, alive_now, wall_clock_us
    from hub.model.clock import JUMP_US
    from hub.model.errors import WrongUsage
    from hub.model.times import from_us

    now_us = wall_clock_us()
    here = from_us(now_us).date()
    if today not in (here, from_us(now_us).astimezone().date()):
        raise WrongUsage(
            "clock.other-day",
            f"The clock of this machine shows {here} (UTC), not {today}.",
            "Set it first (NTP, or date --set); if the store is right, the hub then continues.",
        )
    store = await open_store(config)
    try:
        doubt, witness = await Clock(store).look()
        behind = doubt is not None and not doubt.is_ahead
        done = await store.put_back(now_us, later_than_us=now_us if behind else now_us + JUMP_US)
        await store.mark_alive(witness.boot or "-", alive_now(witness, now_us))
    finally:
        await store.close()
    return done
