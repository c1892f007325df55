"""Generates ``docs/commands.md`` from the commands: ``make docs``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.cli import COMMANDS, load_command

_HEAD = """# Commands

Generated from the commands by `make docs`.

Every command takes `--help` (`-h`) and `--debug` (show the traceback of an error). `ctihub --version` (`-V`) prints
the version. `eval "$(ctihub completion bash)"` lets the shell complete commands, names and values.
Exit codes: 0 done, 1 failed, 2 wrong usage. An error is one sentence on standard error, with what to do about it.
Standard output has data only.
"""


def pages() -> str:
    """Returns the documentation of all commands, in the order of ``ctihub --help``."""
    parts = [_HEAD]
    panel = ""
    for name, said in COMMANDS.items():
        if said.panel != panel:
            panel = said.panel
            parts.append(f"## {panel}\n")
        parts.extend(_described(f"ctihub {name}", load_command(name), deep=3))
    return "\n".join(parts)


def _described(path: str, command: Any, *, deep: int) -> Iterator[str]:
    inside = getattr(command, "commands", None)
    yield f"{'#' * deep} `{path}{'' if inside else _arguments(command)}`\n"
    if help_text := _text(command.help):
        yield f"{help_text}\n"
    rows = [_option(each) for each in command.params if each.param_type_name == "option" and not each.hidden]
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"
    for name, each in (inside or {}).items():
        yield from _described(f"{path} {name}", each, deep=deep + 1)


def _arguments(command: Any) -> str:
    return "".join(
        f" {each.metavar or each.name.upper()}" for each in command.params if each.param_type_name == "argument"
    )


def _option(option: Any) -> str:
    names = ", ".join(f"`{each}`" for each in (*option.opts, *option.secondary_opts))
    metavar = "" if option.is_flag else f" {_text(option.metavar or option.name.upper())}"
    notes = [_text(option.help)]
    if isinstance(option.default, str | int | float) and not isinstance(option.default, bool):
        notes.append(f"[{option.default}]")
    if option.envvar:
        notes.append(f"Also `{option.envvar}`.")
    return f"| {names}{metavar} | {' '.join(filter(None, notes))} |"


def _text(said: str | None) -> str:
    return " ".join((said or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    print(pages(), end="")
