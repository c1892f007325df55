"""``ctihub check``: checks files offline, before pushing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.admin import ConfigFile, configured
from hub.cli.client import AsJson, print_json, printable, speaking
from hub.cli.problems import ProblemLine, ProblemsByCode, ShowAll, where_of

if TYPE_CHECKING:
    from connectors.sdk.places import ObjectPlace
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

_COLOURS = {"rejected": "red", "held": "magenta", "accepted": "yellow"}


@dataclass(slots=True)
class Report:
    """The results: all problems as rows for ``--json``, otherwise by code."""

    as_json: bool
    problems: ProblemsByCode
    checked: int = 0
    refused: int = 0
    held: int = 0
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, place: ObjectPlace | None, stix_id: str | None, problems: Sequence[Problem]) -> None:
        """Count one object and its problems."""
        index = self.checked
        self.checked += 1
        self.refused += any(problem.state == "rejected" for problem in problems)
        self.held += any(problem.state == "held" for problem in problems)
        for problem in problems:
            if self.as_json:
                self.rows.append(_row(index, place, stix_id, problem))
            else:
                where = f"{where_of(place, index, stix_id)} {problem.at}".rstrip()
                self.problems.add(ProblemLine(str(problem.state), str(problem.code), where, problem.says))


def command(
    files: Files,
    name: OwnNames = None,
    unnamed: Unnamed = False,
    lists: Lists = True,
    show_all: ShowAll = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show what a hub would reject, hold or change. Nothing is sent; exit code 1 if something would be rejected.

    Rules that need the hub are not checked: your ceiling, others' identities, older versions.
    """
    settings = configured(config)
    judge = _judge(settings, Own(tuple(name or ()), unnamed=unnamed), lists=lists)
    report = Report(as_json, ProblemsByCode(keep_all=show_all))
    with speaking():
        for place, value in _objects(files, settings.limits):
            report.add(place, *judge(value))
    if as_json:
        counts = {"checked": report.checked, "refused": report.refused, "held": report.held}
        print_json({**counts, "problems": report.rows})
    else:
        _print(report)
    return 1 if report.refused else 0


def _objects(files: Sequence[str], limits: Limits) -> Iterator[tuple[ObjectPlace | None, bytes]]:
    """Yields the objects, and where each stands, as the hub receives them from ``ctihub push``, which sends NDJSON."""
    from connectors.sdk.publisher import as_line
    from connectors.stix_file.inputs import Inputs
    from hub.intake.body import objects_on

    for item in Inputs.named(files).items({}):
        yield from ((item.place, value) for value in objects_on(as_line(item.body), limits))


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


def _row(index: int, place: ObjectPlace | None, stix_id: str | None, problem: Problem) -> Mapping[str, Any]:
    """Returns a problem as in a receipt, with the pointer and the place."""
    return {
        "index": index,
        "id": stix_id,
        "state": str(problem.state),
        "code": str(problem.code),
        "at": problem.at,
        "message": problem.says,
        **({"place": place.as_json()} if place else {}),
    }


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in report.problems.lines():
        head = Text.assemble((f"{line.word:9}", _COLOURS[line.first.state]), (printable(line.code), "bold"))
        console.print(Text.assemble(head, f"  {printable(line.example)}"), soft_wrap=True)
    verdict = f"{report.refused:,} would be refused" if report.refused else "none would be refused"
    verdict += f", {report.held:,} held for the operator" if report.held else ""
    style = "bold red" if report.refused else "bold green"
    console.print(Text(f"{report.checked:,} checked, {verdict}.", style=style))
