"""Every collection shows, and every receipt says, what an oracle computes from the whole history, which shares no code
with the hub.

Source: docs/semantics.md, sections 1 to 8 and 10.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given

from tests import oracle
from tests.promises.comparing import receipts_that_differ, what_differs_from_the_oracle
from tests.promises.histories import History
from tests.promises.scenes import a_dense_history, dense_histories
from tests.promises.telling import told
from tests.promises.test_histories import few


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(600166, id="a marking of a centre that becomes anonymous"),
        pytest.param(128988, id="a label twice beside a PAP"),
    ],
)
async def test_histories_that_have_differed_do_not_any_more(seed: int) -> None:
    await _is_as_the_oracle_says(a_dense_history(seed, dates=True))


@few(60)
@given(history=dense_histories(dates=True))
async def test_collections_and_receipts_are_what_the_oracle_computes(history: History) -> None:
    await _is_as_the_oracle_says(history)


async def _is_as_the_oracle_says(history: History) -> None:
    async with told(history, receipts=True) as telling:
        assert await what_differs_from_the_oracle(telling) == {}
        assert await receipts_that_differ(telling) == []


def test_the_oracle_shares_no_code_with_the_hub() -> None:
    """It may know the histories, and nothing else of the tests."""
    for path in Path(oracle.__file__).parent.glob("*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        of_ours = {name for name in imported if name.split(".")[0] in ("hub", "tests", "schemas", "connectors")}
        assert all(name.startswith("tests.oracle") or name == "tests.promises.histories" for name in of_ours), path
