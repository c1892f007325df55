"""The command ``ctihub``: one module per command, imported when it is called, so that ``ctihub --help`` is fast.

A module has ``app`` (a Typer, for a command with sub-commands) or ``command`` (a function). Slow imports are inside
functions. ``hub/cli/errors.py`` handles errors.
"""

from __future__ import annotations

import gc
import importlib
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

RUN, REGISTRY, EXCHANGE, LOOK = "Run", "Who exists and who may", "Exchange", "Look into"


_YOUNG_OBJECTS = 10_000
"""The threshold of the garbage collector's first generation. Imports create many permanent objects: with the default
of 700, collections took a sixth of the start time of a command."""


class Command(NamedTuple):
    """The overview's entry for a command; the rest is in its module ``hub.cli.<name>``."""

    says: str
    panel: str


COMMANDS: dict[str, Command] = {
    "serve": Command("Run the hub, or one role of it.", RUN),
    "doctor": Command("Check a deployment and show what to fix.", RUN),
    "clock": Command("The clock: whether the hub trusts it, and how to repair what a wrong clock has done.", RUN),
    "verify": Command("Whether the hub shows what follows from the claims.", RUN),
    "rebuild": Command("Repair what verify finds, through new versions.", RUN),
    "centre": Command("Centres: who publishes.", REGISTRY),
    "member": Command("Members: who receives, and gives feedback.", REGISTRY),
    "group": Command("Groups: sets of principals, by list or by rule.", REGISTRY),
    "collection": Command("Collections: what is shown to whom.", REGISTRY),
    "operator": Command("Operators: who runs the hub.", REGISTRY),
    "token": Command("Tokens for devices: of a principal, by name.", REGISTRY),
    "policy": Command("The policy: how long claims count, and how long the hub keeps what it has.", REGISTRY),
    "held": Command("Objects that wait for an operator's decision.", REGISTRY),
    "breaker": Command("Mass withdrawals that wait for a confirmation.", REGISTRY),
    "forget": Command("Erase a value, such as a person's data, and refuse it when it comes again.", REGISTRY),
    "pin": Command("Decide whose an id is that several authors claim.", REGISTRY),
    "unpin": Command("Let the usual rule decide again whose an id is.", REGISTRY),
    "check": Command("Check files offline, before pushing.", EXCHANGE),
    "push": Command("Publish STIX, as a centre or a member.", EXCHANGE),
    "withdraw": Command("Withdraw contributions.", EXCHANGE),
    "receipt": Command("What has become of an earlier push.", EXCHANGE),
    "mine": Command("What you have published, and where it is shown.", EXCHANGE),
    "sighting": Command("Say that you have seen something.", EXCHANGE),
    "feedback": Command("Say whether something is a false positive, confirmed or outdated.", EXCHANGE),
    "connect": Command("Run a connector, which publishes what a source has.", EXCHANGE),
    "subscribe": Command("Follow a collection live.", EXCHANGE),
    "pull": Command("Fetch a collection over TAXII, incrementally.", EXCHANGE),
    "export": Command("Write a list in the format of a product.", EXCHANGE),
    "lookup": Command("What the hub knows of values.", LOOK),
    "changes": Command("What has changed in a collection.", LOOK),
    "webhook": Command("Have the changes of a collection posted to a URL.", EXCHANGE),
    "explain": Command("Why the hub shows what it shows.", LOOK),
    "deliveries": Command("What was fetched last, by whom, and who is behind.", LOOK),
    "status": Command("One screen: flow, lag, rejections, doors.", LOOK),
    "version": Command("The version, and with --verbose what it runs on.", LOOK),
    "completion": Command("The script with which a shell completes commands and names.", LOOK),
    "help": Command("The help of a command.", LOOK),
}


class Lazy(TyperGroup):
    """A group that has the names and summaries of its commands, and imports only the command that is called."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**said)
        self.commands = {
            name: TyperCommand(name=name, help=command.says, rich_help_panel=command.panel)
            for name, command in COMMANDS.items()
        }

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Returns the names in the order of ``COMMANDS``."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Returns the real command instead of its overview entry."""
        if args and args[0] in COMMANDS:
            command = load_command(args[0])
            show_brackets(command)
            return args[0], command, args[1:]
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Any:
    """Imports and returns the command of this name."""
    module = importlib.import_module(f"hub.cli.{name}")
    sub_commands = getattr(module, "app", None)
    if sub_commands is None:
        sub_commands = typer.Typer(add_completion=False)
        sub_commands.command(name=name, cls=getattr(module, "HelpfulCommand", None))(module.command)
    command = get_command(sub_commands)
    command.name = name
    return command


# What rich would interpret as markup and remove from the help: "[amber]", but not "[100]".
_MARKUP = re.compile(r"(?<!\\)\[(?=[a-z#/@][^\[]*?\])")


def show_brackets(command: Any) -> None:
    """Escape brackets, mostly around defaults, in the help of a command and its sub-commands."""
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = _MARKUP.sub(r"\\[", parameter.help)
    for each in getattr(command, "commands", {}).values():
        show_brackets(each)


app = typer.Typer(
    cls=Lazy,
    no_args_is_help=True,
    help="Share threat information between centres and their members.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ctihub {installed_version()}")
        raise typer.Exit


def installed_version() -> str:
    """Returns the version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ctihub")
    except PackageNotFoundError:
        return "0+unknown"


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works with every command.")
    ] = False,
) -> None:
    pass


def main(said: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code: 0 done, 1 failed, 2 wrong usage."""
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
    sys.exit(run(sys.argv[1:] if said is None else said))


def run(said: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    from hub.cli.errors import border

    before, rest = _split(said)
    args = [each for each in before if each != "--debug"] + rest
    return border(
        lambda: get_command(app).main(args, prog_name="ctihub", standalone_mode=False), debug="--debug" in before
    )


def _split(said: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the arguments before ``--``, which may be options, and the others."""
    words = list(said)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at:]
