"""The export formats, one module each. All modules of this folder are loaded; there is no list to maintain.

A module has the name of its format (with ``_`` for ``-`` and ``.``) and defines ``FORMAT``, so that names are unique.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

from hub.doors.export.format import Format

__all__ = ["FORMATS", "find", "module_name"]


def module_name(name: str) -> str:
    """Returns the module name of a format, here and in its tests.

    >>> module_name("stix.jsonl"), module_name("suricata-dataset")
    ('stix_jsonl', 'suricata_dataset')
    """
    return name.replace("-", "_").replace(".", "_")


def find(package: str, folders: list[str]) -> Mapping[str, Format]:
    """Returns the formats of a package, by name. Raises ImportError for a module that does not define its format."""
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
