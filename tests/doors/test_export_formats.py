"""The formats of exports: what each writes, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.doors.export.routes import FORMATS
from tests.doors.entries import A_LIST

LISTS = Path(__file__).parents[1] / "data" / "exports"


@pytest.mark.parametrize("name", ["csv", "jsonl", "txt"])
def test_a_list_is_the_same_byte_for_byte(name: str) -> None:
    written = FORMATS[name].head + b"".join(map(FORMATS[name].write, A_LIST))
    assert written == (LISTS / f"list.{name}").read_bytes()
