"""``ctihub serve``: runs the hub, or one role of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import address
from hub.cli.admin import ConfigFile
from hub.cli.client import say
from hub.role import Role


def command(
    role: Annotated[
        Role, typer.Option("--role", help="all: everything in one process; or one part of a scaled hub.")
    ] = Role.ALL,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Instead of HTTP_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=0, max=65_535, help="Instead of HTTP_PORT.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="Instead of DATA_DIR.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front of the hub handles TLS: allow any address.")
    ] = False,
) -> None:
    """Run the hub until Ctrl-C. Every role answers /healthz, /readyz and /metrics on HTTP_HOST:HTTP_PORT."""
    from hub.config import ensure_private, load_config

    overrides = {"http_host": host, "http_port": port, "data_dir": data_dir, "behind_proxy": behind_proxy or None}
    options = load_config(config, overrides=overrides, warn=lambda text: say(f"Warning: {text}"))
    ensure_private(options)

    from hub import serving, telemetry, warning_lists
    from hub.worker_process import run

    if role in (Role.ALL, Role.WORKER):
        warning_lists.ensure_known(options.held_lists, options.data_dir)
    telemetry.configure(options.log_level, options.log_format)

    def started(url: str, here: str | None) -> None:
        address.keep(options.data_dir, here)
        _say_where(url)

    with address.removed_at_the_end(options.data_dir):
        run(serving.serve(options, role, started=started))


def _say_where(url: str) -> None:
    """Print the address, on a terminal only."""
    if sys.stderr.isatty():
        say(f"ctihub is at {url} - Ctrl-C ends it.")
