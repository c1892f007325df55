"""Doors are kept apart by an import contract, which must name them all."""

from __future__ import annotations

import pkgutil
import tomllib
from importlib import import_module
from pathlib import Path

from hub import doors

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))


def test_every_door_is_named_in_the_contract_that_keeps_doors_apart() -> None:
    (contract,) = (
        each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["name"] == "Doors do not know one another"
    )
    modules = [f"hub.doors.{found.name}" for found in pkgutil.iter_modules(doors.__path__)]
    with_routes = {name for name in modules if hasattr(import_module(name), "routes")}
    assert len(with_routes) >= 9
    assert with_routes <= set(contract["modules"])
