"""The examples in the docstrings of the pattern engine are what it does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import hub.patterns

MODULES = [found.name for found in pkgutil.walk_packages(hub.patterns.__path__, "hub.patterns.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
