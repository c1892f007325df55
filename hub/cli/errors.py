"""Turns exceptions into one sentence with what to do, and an exit code.

0 done, 1 failed, 2 wrong usage. Only this module defines exit codes. A traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from hub.model.errors import HubError, WrongUsage

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def border(command: Callable[[], Any], *, debug: bool) -> int:
    """Run a command and handle all its exceptions. Returns the exit code, which a command may return itself."""
    try:
        code = command()
    except BrokenPipeError:
        _silence_stdout()
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost handler
        if debug:
            traceback.print_exc()
        sentence = says(error)
        if sentence:
            print(f"Error: {sentence}", file=sys.stderr)
        return exit_code(error)
    return code if isinstance(code, int) else DONE


def exit_code(error: Exception) -> int:
    """Returns the exit code of an exception."""
    match error:
        case WrongUsage():
            return WRONG_USAGE
        case HubError():
            return FAILED
        case typer.TyperException():  # includes click's usage errors, with 2
            return int(getattr(error, "exit_code", FAILED))
        case _:
            return FAILED


def says(error: Exception) -> str:
    """Returns one sentence for an exception, with what to do."""
    match error:
        case typer.Abort():
            return "Given up."
        case typer.TyperException():
            return _usage(error)
        case _ if (said := getattr(error, "says", None)) is not None:  # errors of the hub and of connectors
            return _printable(f"{said} {getattr(error, 'way_out', '')}".strip())
        case OSError() if error.strerror:
            about = f"{error.filename}: " if error.filename else ""
            return _printable(f"{about}{error.strerror}.")
        case _:
            first = str(error).strip().partition("\n")[0]
            return _printable(
                f"This should not have happened: {type(error).__name__}: {first}. "
                "Run it again with --debug, and report what it shows."
            )


def _usage(error: Exception) -> str:
    """Returns click's message and where help is; nothing if click has printed the help."""
    message = getattr(error, "format_message", lambda: str(error))().strip()
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)
        return ""
    path = context.command_path if context is not None else "ctihub"
    sentence = message if message.endswith((".", "?", "!")) else f"{message}."
    return _printable(f"{sentence.replace('?.', '?')} See {path} --help.")


def _printable(text: str) -> str:
    """Returns text that is safe for a terminal: received text must not move the cursor or change colours."""
    return "".join(each if each.isprintable() else " " if each in "\n\t" else "\ufffd" for each in text)


def _silence_stdout() -> None:
    """The reader of stdout has gone; avoids another error of Python at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
