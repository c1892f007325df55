"""The store on SQLite keeps the port's promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.store import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "hub.db"

    async def address(self) -> dict[str, str]:
        return {"path": str(self.path)}
