"""How ``ctihub explain`` prints explanations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hub.cli.client import printable

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.explanation import (
        ExplainedAbsence,
        ExplainedClaim,
        ExplainedThing,
        ExplainedVersion,
        ExplainedView,
        Explanation,
    )

_SHOWN_CHARS = 400
_RELATIONS = {"network": "networks", "name": "names", "url": "URLs"}


def print_thing(screen: Console, thing: ExplainedThing, reader: str | None) -> None:
    """Print one thing. ``reader``: who it is explained for, if not for the caller."""
    screen.print(Text(printable(thing.text), style="bold"), soft_wrap=True)
    screen.print(Text(thing.type if thing.key is None else f"{thing.type}, key {thing.key}", style="dim"))
    if thing.lacking is not None:
        _line(screen, f"{thing.lacking.message} [{thing.lacking.code}]")
    elif thing.then is not None:
        _print_version(screen, thing.then)
    else:
        for view in thing.views:
            _print_view(screen, view)
    if reader is not None:
        _print_absences(screen, thing.kept_out, reader)
    screen.print()


def print_within(screen: Console, explanation: Explanation) -> None:
    """Print what is shown around the value."""
    if not explanation.within:
        return
    _line(screen, "around it", style="cyan")
    rows = [
        (one.relation, one.value, one.collection, "-" if one.confidence is None else one.confidence, one.id)
        for one in explanation.within
    ]
    _print_table(screen, ("relation", "value", "collection", "confidence", "id"), rows)
    for relation in explanation.more_within:
        _line(screen, f"  There are more {_RELATIONS[relation]}.")


def _line(screen: Console, text: str, *, style: str = "") -> None:
    screen.print(Text(printable(text), style=style), soft_wrap=True)


def _print_table(screen: Console, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(*head, box=None, pad_edge=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    screen.print(table)


def _print_view(screen: Console, view: ExplainedView) -> None:
    head = f"{view.collection}: {view.state}"
    if view.id:
        head += f", {view.id}, change {view.seq}, version {view.version or '-'}"
    _line(screen, head, style="cyan")
    if view.confidence is not None:
        how = "" if view.how in ("", str(view.confidence)) else f" = {view.how}"
        _line(screen, f"  confidence {view.confidence}{how} (voices: {view.voices})")
    _print_text(screen, view)
    _print_claims(screen, view.claims)
    if view.feedback:
        _print_feedback(screen, view)
    for link in view.linked:
        arrow = "->" if link.direction == "to" else "<-"
        _line(screen, f"  {arrow} {link.relationship} {link.type} {link.name or ''} {link.id}")
    if view.more_linked:
        _line(screen, "  There are more relationships.")


def _print_text(screen: Console, view: ExplainedView) -> None:
    for said in (view.name, view.description):
        if said:
            _line(screen, "  " + (said if len(said) <= _SHOWN_CHARS else said[:_SHOWN_CHARS] + " …"))
    for reference in view.references:
        names = [str(reference[name]) for name in ("source_name", "external_id", "url") if reference.get(name)]
        _line(screen, "  reference: " + " ".join(names))


def _print_claims(screen: Console, claims: Iterable[ExplainedClaim]) -> None:
    rows = [
        (
            claim.centre,
            claim.level,
            "-" if claim.confidence is None else claim.confidence,
            claim.created or "-",
            claim.modified or "-",
            claim.state,
            claim.id or "",
        )
        for claim in claims
    ]
    _print_table(screen, ("centre", "TLP", "confidence", "created", "modified", "state", "id"), rows)


def _print_feedback(screen: Console, view: ExplainedView) -> None:
    rows = [
        (
            one.kind,
            one.source,
            one.level,
            "-" if one.count is None else one.count,
            one.last_seen or "-",
            one.modified or "-",
            one.text or "",
        )
        for one in view.feedback
    ]
    _print_table(screen, ("feedback", "from", "TLP", "count", "last seen", "modified", "text"), rows)


def _print_absences(screen: Console, absences: Sequence[ExplainedAbsence], reader: str) -> None:
    for absence in absences:
        _line(screen, f"{absence.collection}: not for {reader}: {absence.rule}", style="cyan")
        _line(screen, f"  {absence.message}")
        if absence.claims:
            rows = [(one.centre, one.rule, one.code or "", one.id) for one in absence.claims]
            _print_table(screen, ("centre", "rule", "code", "id"), rows)
        if absence.more_claims:
            _line(screen, f"  There are {absence.more_claims:,} more claims.")


def _print_version(screen: Console, version: ExplainedVersion) -> None:
    obj = version.object or {}
    head = f"{version.collection}: {version.state}, {obj.get('id', '-')}, change {version.seq} of {version.date_added}"
    _line(screen, head + (", as now" if version.is_current else ""), style="cyan")
    if version.confidence is not None:
        _line(screen, f"  confidence {version.confidence} (voices: {version.voices})")
    if version.sources:
        _print_table(screen, ("source", "first", "last"), [(one.name, one.first, one.last) for one in version.sources])
    if version.claims:
        _line(screen, "  its claims:" if version.is_current else "  claims that stand today and had arrived by then:")
        _print_claims(screen, version.claims)
    if not version.is_current:
        _line(screen, "  Claims that were replaced or withdrawn since are not kept.")
