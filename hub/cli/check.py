"""``ctihub check``: checks files offline, before pushing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.admin import ConfigFile, configured
from hub.cli.client import AsJson, print_json, printable, speaking

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model.problems import Problem
    from hub.model.words import Limits

    Verdict = tuple[str | None, list[Problem]]

Files = Annotated[list[str], typer.Argument(help="Files, folders or patterns; - is standard input.", metavar="FILE…")]
OwnNames = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="TEXT",
        help="Warn where this text (your name, say) is in a text or a property's name; repeatable.",
    ),
]
Unnamed = Annotated[
    bool,
    typer.Option(
        "--unnamed", help="Warn of custom properties, which are shown even if you use an alias or are anonymous."
    ),
]
Lists = Annotated[
    bool, typer.Option("--lists/--no-lists", help="Check the warning lists too, which takes some seconds.")
]

_SHOWN = 200
"""How many problems are printed; ``--json`` prints all."""

_WORDS = {"rejected": ("rejected", "red"), "held": ("held", "magenta"), "accepted": ("warning", "yellow")}


@dataclass(slots=True)
class Report:
    """The results; keeps only as many rows as are printed."""

    keep: int | None
    checked: int = 0
    refused: int = 0
    held: int = 0
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    by_code: Counter[str] = field(default_factory=Counter)

    def add(self, index: int, stix_id: str | None, problems: Sequence[Problem]) -> None:
        """Count one object and its problems."""
        self.checked = index + 1
        self.refused += any(problem.state == "rejected" for problem in problems)
        self.held += any(problem.state == "held" for problem in problems)
        for problem in problems:
            self.by_code[problem.code] += 1
            if self.keep is None or len(self.rows) < self.keep:
                self.rows.append(_row(index, stix_id, problem))


def command(
    files: Files,
    name: OwnNames = None,
    unnamed: Unnamed = False,
    lists: Lists = True,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show what a hub would reject, hold or change. Nothing is sent; exit code 1 if something would be rejected.

    Rules that need the hub are not checked: your ceiling, others' identities, older versions.
    """
    settings = configured(config)
    judge = _judge(settings, Own(tuple(name or ()), unnamed=unnamed), lists=lists)
    report = Report(keep=None if as_json else _SHOWN)
    with speaking():
        for index, value in enumerate(_objects(files, settings.limits)):
            report.add(index, *judge(value))
    if as_json:
        counts = {"checked": report.checked, "refused": report.refused, "held": report.held}
        print_json({**counts, "problems": report.rows})
    else:
        _print(report)
    return 1 if report.refused else 0


def _objects(files: Sequence[str], limits: Limits) -> Iterator[bytes]:
    """Yields the objects as the hub receives them from ``ctihub push``, which sends NDJSON."""
    from connectors.sdk.publisher import as_line
    from connectors.stix_file.inputs import Inputs
    from hub.intake.body import objects_on

    for item in Inputs.named(files).items({}):
        yield from objects_on(as_line(item.body), limits)


def _judge(config: Config, own: Own, *, lists: bool) -> Callable[[bytes], Verdict]:
    """Returns a function that checks one object and returns its id and problems."""
    from hub.core.admission import no_hold
    from hub.core.hold import wide_network
    from hub.core.judge import judge
    from hub.model.policy import WIDEST_BLOCKED, WIDEST_SHOWN
    from hub.warning_lists import load_lists

    hold = load_lists(config.held_lists, config.data_dir)[0].holds if lists else no_hold
    limits = config.limits

    def judged(value: bytes) -> Verdict:
        found = judge(value, limits)
        match found:
            case tuple():
                problems = [found[0]]
            case list():
                problems = [warning for normal in found for warning in normal.warnings]
                hits = [hold(normal.obj, normal.observables, WIDEST_SHOWN) for normal in found]
                problems += [hit.problem for hit in hits if hit is not None]
                if lists:
                    wide = [wide_network(normal.obj, normal.observables, WIDEST_BLOCKED) for normal in found]
                    problems += [warning for warning in wide if warning is not None]
            case problem:
                problems = [problem]
        if not problems and not own:
            return None, []
        obj = _decoded(value)
        stix_id = obj.get("id")
        return (stix_id if isinstance(stix_id, str) else None), [*problems, *own.warnings(obj)]

    return judged


@dataclass(frozen=True, slots=True)
class Own:
    """Warnings for a centre that is shown under an alias or anonymously."""

    names: tuple[str, ...] = ()
    unnamed: bool = False

    def __bool__(self) -> bool:
        return bool(self.names) or self.unnamed

    def warnings(self, obj: Mapping[str, Any]) -> Iterator[Problem]:
        """Yields what could reveal the centre: its name in texts, and custom properties."""
        from hub.core.validate import custom_properties
        from hub.model.problems import Code, Problem

        for name in self.names:
            for at, text in _texts(obj, ""):
                if name.casefold() in text.casefold():
                    says = "This text holds a name that you asked to be warned of; the hub shows texts unchanged."
                    yield Problem(Code.TEXT_OWN_NAME, at, says)
        for name in custom_properties(dict(obj)) if self.unnamed else ():
            says = "STIX does not define this property: the hub shows its name and value unchanged."
            yield Problem(Code.TEXT_CUSTOM_NAME, f"/{_escaped(name)}", says)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _texts(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Yields every string in an object, including property names, with its JSON pointer."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield f"{at}/{_escaped(key)}", key
            yield from _texts(inside, f"{at}/{_escaped(key)}")
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _texts(inside, f"{at}/{number}")


def _decoded(value: bytes) -> Mapping[str, Any]:
    import json

    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _row(index: int, stix_id: str | None, problem: Problem) -> Mapping[str, Any]:
    """Returns a problem as in a receipt, with the pointer."""
    return {
        "index": index,
        "id": stix_id,
        "state": str(problem.state),
        "code": str(problem.code),
        "at": problem.at,
        "message": problem.says,
    }


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for row in report.rows:
        word, colour = _WORDS[row["state"]]
        where = printable(f"#{row['index']} {row['id'] or '(no id)'} {row['at']}")
        console.print(Text.assemble((f"{word:9}", colour), (f"{row['code']:28}", "bold"), where), soft_wrap=True)
        console.print(Text(f"         {printable(row['message'])}", style="dim"), soft_wrap=True)
    if (more := report.by_code.total() - len(report.rows)) > 0:
        console.print(f"… and {more:,} more; --json prints all.")
    for code, times in report.by_code.most_common():
        console.print(f"{times:8,}  {code}")
    verdict = f"{report.refused:,} would be refused" if report.refused else "none would be refused"
    verdict += f", {report.held:,} held for the operator" if report.held else ""
    style = "bold red" if report.refused else "bold green"
    console.print(Text(f"{report.checked:,} checked, {verdict}.", style=style))
