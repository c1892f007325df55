"""The formats of exports: one module each, found by looking into this folder. There is no list of them to keep.

A module is called as its format is (``-`` and ``.`` become ``_``) and defines ``FORMAT``; no two formats can therefore
have one name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

from hub.doors.export.format import Format

__all__ = ["FORMATS", "find", "module_name"]


def module_name(name: str) -> str:
    """What the modules of a format are called, here and in its tests.

    >>> module_name("stix.jsonl"), module_name("suricata-dataset")
    ('stix_jsonl', 'suricata_dataset')
    """
    return name.replace("-", "_").replace(".", "_")


def find(package: str, folders: list[str]) -> Mapping[str, Format]:
    """The formats of a package, by name. Raises ImportError for a module that does not define its format."""
    names = sorted(found.name for found in pkgutil.iter_modules(folders))
    formats = [_format_of(import_module(f"{package}.{name}"), name) for name in names]
    return MappingProxyType({one.name: one for one in formats})


def _format_of(module: ModuleType, name: str) -> Format:
    found = getattr(module, "FORMAT", None)
    if not isinstance(found, Format):
        raise ImportError(f"{module.__name__} defines no FORMAT.")
    if module_name(found.name) != name:
        raise ImportError(f"The format {found.name!r} belongs in {module_name(found.name)}.py, not in {name}.py.")
    return found


FORMATS = find(__name__, __path__)
