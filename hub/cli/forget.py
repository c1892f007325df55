"""``ctihub forget``: erases a value from all that the hub keeps, and refuses it when it comes again."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hub.cli import show
from hub.cli.admin import AsJson, ConfigFile, configured
from hub.cli.client import say
from hub.model.errors import NotFound, Refused, WrongUsage
from hub.model.forgettings import Request
from hub.model.times import DAY_US, stix_time

if TYPE_CHECKING:
    from hub.config import Config
    from hub.forgetting import Eraser
    from hub.model.claims import Claim
    from hub.model.forgettings import Erasable, Forgetting

T = TypeVar("T")

MANY = 1_000
"""More contributions than this are erased only with ``--all``: somebody may have named too little of a value."""

MOST_NOTICE = 90
"""In days: the longest time that the GDPR gives for erasing, a month and two more for hard cases (article 12.3)."""

What = Annotated[
    str | None,
    typer.Argument(
        help="An address, a mail address, a name, any other text; a pattern; or a STIX id. - reads it from standard"
        " input, so that no history of a shell has it.",
        metavar="[VALUE|ID]",
        show_default=False,
    ),
]  # fmt: skip
Reason = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", help="Why; it must not repeat the value.", show_default=False),
]
Case = Annotated[
    str | None, typer.Option("--case", metavar="REF", help="The reference of your case.", show_default=False)
]
Notice = Annotated[
    int,
    typer.Option(
        "--notice",
        metavar="DAYS",
        min=0,
        help=f"Keep the closing versions for TAXII clients this long, at most {MOST_NOTICE} days.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would be erased, and do nothing.")]
All = Annotated[bool, typer.Option("--all", help=f"Erase more than {MANY:,} contributions, too.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what was interrupted.")]
Lift = Annotated[
    int | None,
    typer.Option(
        "--lift",
        metavar="NO",
        help="Let what a request has erased come again, also for other requests of the same value.",
    ),
]
COLUMNS = ("no", "at", "who", "reason", "case", "state", "claims", "versions", "records")
CLAIMS = ("id", "centre", "type", "named")


def command(
    what: What = None,
    reason: Reason = None,
    case: Case = None,
    notice: Notice = 0,
    dry_run: DryRun = False,
    all_: All = False,
    resume: Resume = False,
    lift: Lift = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Erase a value, and every object that says it: contributions, versions, receipts, held and rejected objects, logs.

    Members are told by a withdrawal. The hub keeps keyed digests, so that the value is refused when it comes again.
    Without arguments: list the requests. Ends with 1 if nothing of that was there; it is refused all the same.
    """
    if what == "-":
        what = sys.stdin.readline().strip()
    if what is None:
        _without_value(config, reason, resume=resume, lift=lift, as_json=as_json)
        return
    if resume or lift is not None:
        raise WrongUsage("forget.which", "Name a value, or --resume, or --lift NO.", "ctihub forget --help")
    if dry_run:
        rows = _with_eraser(config, lambda eraser: _would_erase(eraser, what))
        show.listing(rows, CLAIMS, as_json=as_json, nothing="No contribution says it.")
        return
    if notice > MOST_NOTICE:
        says = f"Closing versions can stay {MOST_NOTICE} days at most: until then they say what is to be erased."
        raise WrongUsage("forget.notice", says, f"--notice 7, or up to {MOST_NOTICE}")
    if not reason:
        raise WrongUsage("forget.reason", "Why is not said.", "ctihub forget VALUE --reason TEXT")
    request = Request(_who(), reason, case)
    done = _with_eraser(config, lambda eraser: _forget(eraser, what, request, notice * DAY_US, all_=all_))
    then = ["ctihub verify"] if done.done_us else ["# the rest follows when the closing versions have been shown"]
    show.one(row_of(done), as_json=as_json, done=f"{done.counts.total:,} pieces were erased", then=then)
    if not done.counts.total:
        says = "Nothing of that was there; it is refused when it comes."
        raise NotFound("forget.not-there", says, f"ctihub forget --lift {done.no} allows it again.")


def _without_value(config: ConfigFile, reason: str | None, *, resume: bool, lift: int | None, as_json: bool) -> None:
    if reason is not None:
        raise WrongUsage("forget.what", "What to erase is not said.", "ctihub forget VALUE --reason TEXT")
    if lift is not None:
        found = _with_eraser(config, lambda eraser: eraser.lift(lift))
    elif resume:
        found = _with_eraser(config, lambda eraser: eraser.resume())
    else:
        found = list(_with_eraser(config, lambda eraser: eraser.requests()))
    show.listing([row_of(one) for one in found], COLUMNS, as_json=as_json, nothing="There is nothing.")


async def _forget(eraser: Eraser, said: str, request: Request, notice_us: int, *, all_: bool) -> Forgetting:
    from hub.cli.opened import saying_that_it_waits

    what = await eraser.look_up(said)
    if any(what.is_said_in(text) or text in what.ids for text in (request.reason, request.case or "")):
        raise WrongUsage("forget.repeated", "The reason or the case repeats the value.", "Say it without the value.")
    count = len(await eraser.claims(what))
    if count > MANY and not all_:
        raise Refused("forget.many", f"{count:,} contributions say it.", "Look with --dry-run; then add --all.")
    with saying_that_it_waits():
        no = await eraser.remember(what, request, notice_us=notice_us)
    say(f"Request {no}: from now on it is refused. If this is interrupted, ctihub forget --resume continues.")
    return await eraser.run(no)


async def _would_erase(eraser: Eraser, said: str) -> list[show.JsonRow]:
    what = await eraser.look_up(said)
    names = await eraser.names()
    return [_row_of_claim(claim, what, names) for claim in await eraser.claims(what)]


def _row_of_claim(claim: Claim, what: Erasable, names: dict[int, str]) -> show.JsonRow:
    named = claim.thing in what.things or claim.id in what.ids
    return {"id": claim.id, "centre": names.get(claim.source), "type": claim.type, "named": named}


def _who() -> str:
    """Who gives the command, as far as the machine knows."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _with_eraser(file: ConfigFile, work: Callable[[Eraser], Awaitable[T]]) -> T:
    import asyncio

    return asyncio.run(_run(configured(file), work))


async def _run(config: Config, work: Callable[[Eraser], Awaitable[T]]) -> T:
    from hub.app import opened_by_clock, require_store
    from hub.core.step import StepSettings
    from hub.forgetting import Eraser

    require_store(config)
    async with opened_by_clock(config) as (store, log, _, clock):
        settings = StepSettings(limits=config.limits, rules_url=f"{config.url}/rules/")
        return await work(Eraser(store, log, settings, clock.change_us))


def row_of(request: Forgetting) -> show.JsonRow:
    """Returns a request as a JSON row."""
    said = request.request
    return {
        "no": request.no,
        "at": stix_time(request.at_us),
        "who": said.who,
        "reason": said.reason,
        "case": said.case,
        "state": _state(request),
        **asdict(request.counts),
    }


def _state(request: Forgetting) -> str:
    if request.lifted_us is not None:
        return "lifted"
    if request.done_us is not None:
        return "done"
    return "closing versions are left" if request.is_waiting else "not finished"
