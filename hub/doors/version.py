"""Which version of the hub this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("ctihub")
    except PackageNotFoundError:
        return "0"


VERSION = _installed()
"""The version of the installed distribution, read once; ``0`` in a bare source tree."""
