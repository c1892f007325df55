"""No test knows how fast the machine is: bounds have one place, and none of them is a number in a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until, wait_until

TESTS = Path(__file__).parent
WAITS = frozenset({"timeout", "wait", "join", "result", "exception"})
"""``asyncio.timeout(…)``, ``pytest.mark.timeout(…)``, ``process.wait(…)``, ``thread.join(…)``, ``future.result(…)``."""
BOUNDS = frozenset({"within_s", "timeout"})
"""``until(…, within_s=…)``, ``httpx.get(…, timeout=…)``."""
A_MOMENT_S = 1
"""What is cut short on purpose is cut within a second; nothing that must come gets as little."""


def bounds(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Line and seconds of every bound that is written as a number."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        is_wait = isinstance(call.func, ast.Attribute) and call.func.attr in WAITS
        told = [keyword.value for keyword in call.keywords if keyword.arg in BOUNDS]
        for value in [*(call.args[:1] if is_wait else ()), *told]:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                yield call.lineno, value.value


def test_no_bound_of_a_wait_is_a_number_in_a_test() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line} waits {seconds} s: leave the bound out, or take it from tests/waiting.py"
        for path in sorted(TESTS.rglob("*.py"))
        if not {"bench", "data"} & set(path.relative_to(TESTS).parts)
        for line, seconds in bounds(ast.parse(path.read_text("utf-8")))
        if seconds > A_MOMENT_S
    ]
    assert found == []


def test_bounds_are_found_however_they_are_written() -> None:
    text = (
        "asyncio.timeout(5)\nprocess.wait(20)\nuntil(there, within_s=3.0)\nfuture.result(2)\nget(url, timeout=9)\n"
        "until(there)\nevent.wait()\nfuture.result()\n"
    )
    assert [line for line, _ in bounds(ast.parse(text))] == [1, 2, 3, 4, 5]


async def test_a_wait_that_ends_in_vain_says_for_what() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: the tide \(last it gave 0\)"):
        await until(lambda: 0, within_s=0.01, what="the tide")
    with pytest.raises(AssertionError, match=r"the tide"):
        wait_until(lambda: 0, within_s=0.01, what="the tide")
