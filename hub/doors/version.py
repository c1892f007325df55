"""The version of the hub."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("ctihub")
    except PackageNotFoundError:
        return "0"


VERSION = _installed()
"""The version of the installed distribution; ``0`` in a source tree that is not installed."""
