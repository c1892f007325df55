"""``ctihub version``: the version, and with ``--verbose`` what a report of an error needs."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.client import AsJson, print_json

_LIBRARIES = (
    "aiokafka", "aiosqlite", "asyncpg", "fastapi", "httpx", "orjson", "pydantic", "sqlalchemy", "starlette", "uvicorn",
)  # fmt: skip

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also Python, the system, SQLite, OpenSSL and the libraries.")
]


def command(verbose: Verbose = False, as_json: AsJson = False) -> None:
    """Print the version of ctihub."""
    from hub.cli import installed_version

    said = {"ctihub": installed_version(), **(_around() if verbose else {})}
    if as_json:
        print_json(said)
        return
    width = max(map(len, said))
    for name, value in said.items():
        print(f"{name:{width}} {value}")


def _around() -> dict[str, str]:
    import platform
    import sqlite3
    import ssl
    import sys
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of
    from pathlib import Path

    found = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "installed in": str(Path(__file__).parents[2]),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
    }
    for name in _LIBRARIES:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
