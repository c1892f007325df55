"""``ctihub status``: an overview of the hub."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hub.cli.client import DEFAULT_URL, AsJson, CaFile, TokenOption, Url, console, hub_client, print_json, printable
from hub.cli.tables import count_or_dash, text_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from schemas.api import CentreStatus, Status, TaskStatus


_TASKS = ("task", "claims done", "rate", "time left")
_INTAKE = ("from", "received", "accepted", "unchanged", "held", "rejected", "lag", "last received")


def command(as_json: AsJson = False, url: Url = DEFAULT_URL, token: TokenOption = None, ca_file: CaFile = None) -> None:
    """Show flow, lag, rejections, collections and doors, as far as you may see them."""
    with hub_client(url, token, needs_token=False, ca_file=ca_file, patience_s=5.0) as client:
        status = client.status()
    if as_json:
        print_json(status.model_dump())
        return
    from rich.text import Text

    screen = console()
    screen.print(Text(printable(f"ctihub {status.version} at {url}, {status.at}"), style="bold"))
    for table in _tables(status):
        screen.print(table)
    last = (f"{centre.centre}: last problem {centre.last_code}" for centre in status.centres if centre.last_code)
    for note in (*last, *status.notes):
        screen.print(Text(f"! {printable(note)}", style="yellow"))


def _tables(status: Status) -> Iterable[Table]:
    centres = [_centre_row(centre) for centre in status.centres]
    if status.flow:
        flow = status.flow
        lags = [centre.lag for centre in status.centres if centre.lag is not None]
        lag = sum(lags) if len(lags) == len(status.centres) else None
        counts = (flow.received, flow.accepted, flow.unchanged, flow.held, flow.rejected)
        centres.append(["all", *(f"{count:,}" for count in counts), count_or_dash(lag), ""])
    if centres:
        yield text_table("Intake", _INTAKE, centres)
    yield text_table(
        "Collections",
        ("name", "tlp", "group", "last change"),
        [[info.name, info.tlp, info.group, f"{info.last_seq:,}"] for info in status.collections],
    )
    if status.tasks:
        yield text_table("Changes being carried out", _TASKS, [_task_row(task) for task in status.tasks])
    if status.doors:
        rows = [[door.name, door.state, count_or_dash(door.readers), count_or_dash(door.lag)] for door in status.doors]
        yield text_table("Doors", ("name", "state", "readers", "lag"), rows)


def _centre_row(centre: CentreStatus) -> list[str]:
    flow = centre.flow
    counts = (flow.received, flow.accepted, flow.unchanged, flow.held, flow.rejected)
    name = f"{centre.centre} (suspended)" if centre.suspended else centre.centre
    return [name, *(f"{count:,}" for count in counts), count_or_dash(centre.lag), (centre.last_received or "-")[:19]]


def _task_row(task: TaskStatus) -> list[str]:
    of = f" of {task.total:,}" if task.total is not None else ""
    share = f" ({100 * task.done // task.total} %)" if task.total else ""
    rate = "-" if task.per_second is None else f"{task.per_second:,.0f}/s"
    left = "-" if task.seconds_left is None else str(timedelta(seconds=task.seconds_left))
    name = f"{task.task} {task.collection or task.centre or 'everything'}"
    return [name, f"{task.done:,}{of}{share}", rate, left]
