"""Which version of the hub this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def hub_version() -> str:
    """The version of the installed distribution; ``0`` in a bare source tree."""
    try:
        return version("ctihub")
    except PackageNotFoundError:
        return "0"
