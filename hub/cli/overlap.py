"""The option ``--overlap`` of all commands that rotate a token. Its value may be left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

DEFAULT_OVERLAP = "24h"
_OPTION = "--overlap"
_DURATION = re.compile(r"[0-9]+[smhd]", re.ASCII)

OverlapOption = Annotated[
    str | None,
    typer.Option(
        _OPTION,
        metavar="[TIME]",
        help="How long the old token goes on working, such as 12h [24h].",
    ),
]


class OverlapCommand(TyperCommand):
    """A command whose option ``--overlap`` may stand without a value, which the library does not know."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        return super().parse_args(ctx, with_value(args))


def with_value(args: Sequence[str]) -> list[str]:
    """Returns the arguments with the default after an ``--overlap`` that no duration follows.

    >>> with_value(["soc", "--overlap"]), with_value(["--overlap", "2h", "soc"])
    (['soc', '--overlap', '24h'], ['--overlap', '2h', 'soc'])
    """
    found: list[str] = []
    for at, word in enumerate(args):
        found.append(word)
        following = args[at + 1] if at + 1 < len(args) else ""
        if word == _OPTION and _DURATION.fullmatch(following) is None:
            found.append(DEFAULT_OVERLAP)
    return found


def overlap_us(said: str | None) -> int:
    """Returns the overlap in microseconds; 0 without one. Raises WrongUsage."""
    from hub.registry import names

    return 0 if said is None else names.duration_us(said)
