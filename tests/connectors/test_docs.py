"""What ``docs/connectors.md`` shows works, and what there is, it shows."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.csv.mapping import FeedMapping, IndicatorRule, Layout, LeaveOutRule, ValueRule, built_in
from connectors.sdk.catalogue import connector_class, names
from connectors.sdk.connector import Connector
from connectors.sdk.testing import ConnectorContract

TEXT = (Path(__file__).parent.parent.parent / "docs" / "connectors.md").read_text(encoding="utf-8")


def shown(language: str, containing: str) -> str:
    """The block of code that contains a text."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module that the page shows, imported from a file as an author's would be."""
    path = tmp_path_factory.mktemp("author") / "countdown_of_the_docs.py"
    path.write_text(shown("python", "class Countdown("))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


class TestTheConnectorThatIsShown(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _import(self, written: Any) -> None:
        self.written = written

    def connector(self, tmp_path: Path) -> Connector[Any]:
        one: Connector[Any] = self.written.Countdown(self.written.CountdownSettings())
        return one


def test_the_mapping_that_is_shown_is_right_and_names_every_word_there_is() -> None:
    said = tomllib.loads(shown("toml", "our-sandbox"))
    FeedMapping.model_validate(said, strict=False)
    text = shown("toml", "our-sandbox")
    for part in (Layout, ValueRule, LeaveOutRule, IndicatorRule):
        for word in set(part.model_fields) - {"quote", "kind", "columns", "reference_name", "recognised_by", "unless"}:
            assert re.search(rf"^{word} = ", text, flags=re.MULTILINE), f"{word} is not shown"


def test_every_connector_and_every_mapping_is_told_of() -> None:
    for name in names():
        assert f"\n## {name}\n" in TEXT
    for mapping in built_in():
        assert f"`{mapping}`" in TEXT


@pytest.mark.parametrize("name", names())
def test_every_connector_is_held_to_the_contract(name: str) -> None:
    suite = Path(__file__).parent / f"test_{name.replace('-', '_')}.py"
    assert suite.is_file(), f"write {suite.name} with a subclass of ConnectorContract"
    assert "(ConnectorContract):" in suite.read_text(encoding="utf-8")


def test_every_setting_of_a_server_is_told_of() -> None:
    for setting in connector_class("taxii").Settings.model_fields:
        assert f"`{setting}`" in TEXT, setting
