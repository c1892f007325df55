"""The commands that pages for operators show work, in the order in which they show them."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.admin import Shell

DOCS = Path(__file__).parents[2] / "docs"
NOT_HERE = ("serve", "held", "breaker", "forget")
"""What needs a running hub, objects that wait, a breaker that has tripped, or something to be erased."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
"""What is an example on the page, and must be the date of the clock: ``clock accept`` refuses any other day."""


def _shown(page: str) -> list[list[str]]:
    blocks = (DOCS / page).read_text("utf-8").split("```sh\n")[1:]
    lines = [line for block in blocks for line in block.partition("```")[0].splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("ctihub ")]
    return [words for words in commands if words[0] not in NOT_HERE]


@pytest.mark.parametrize("page", ["operating.md", "tokens.md"])
def test_the_commands_that_the_page_shows_work(shell: Shell, page: str) -> None:
    shown = _shown(page)
    assert len(shown) >= 6
    for words in shown:
        answer = shell(*(f"{datetime.now(UTC):%Y-%m-%d}" if _DAY.fullmatch(word) else word for word in words))
        assert answer.code == 0, (words, answer)
