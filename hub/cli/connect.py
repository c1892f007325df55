"""``ctihub connect``: run a connector."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    CaFile,
    Token,
    Url,
    hub_client,
    print_json,
    print_verdicts,
    require_token,
    say,
    speaking,
)
from hub.model.errors import WrongUsage

if TYPE_CHECKING:
    from connectors.sdk.client import HubClient
    from connectors.sdk.connector import Connector
    from connectors.sdk.publisher import Publisher
    from connectors.sdk.runner import RunReport


class Target(StrEnum):
    """Where a connector publishes to."""

    HTTP = "http"
    KAFKA = "kafka"
    STDOUT = "stdout"


Name = Annotated[str | None, typer.Argument(help="The connector; see --list.")]
Settings = Annotated[list[str] | None, typer.Argument(help="Its settings.", metavar="[KEY=VALUE]…")]
List = Annotated[bool, typer.Option("--list", help="Show the connectors; with a NAME, its settings.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML; KEY=VALUE beats it.")]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", help="Where the checkpoint is [in ~/.local/state/ctihub]."),
]
To = Annotated[Target, typer.Option("--to", help="The hub's push API, Kafka, or NDJSON on standard output.")]
Every = Annotated[
    float | None, typer.Option("--every", min=1, metavar="SECONDS", help="Run again and again, so long after each run.")
]
Patience = Annotated[
    float | None,
    typer.Option("--patience", min=0, metavar="SECONDS", help="How long to try while the hub is away [for ever]."),
]
User = Annotated[str | None, typer.Option("--user", help="Your centre's name.", rich_help_panel="Kafka")]
Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", envvar="CTIHUB_KAFKA_BOOTSTRAP", help="host:port,…", rich_help_panel="Kafka"),
]
Protocol_ = Annotated[
    str, typer.Option("--protocol", help="SASL_SSL, SASL_PLAINTEXT or PLAINTEXT.", rich_help_panel="Kafka")
]


@dataclass(frozen=True, slots=True)
class _Where:
    """Where to publish, and as whom."""

    to: Target
    url: str
    token: str | None
    ca_file: str | None
    patience_s: float | None
    user: str | None
    bootstrap: str | None
    protocol: str

    @property
    def name(self) -> str:
        """What a checkpoint belongs to: another hub, or another centre, has not got what this one has."""
        if self.to is Target.HTTP:
            who = hashlib.sha256((self.token or "").encode()).hexdigest()[:8]
            return f"{self.url} {who}"
        return f"{self.bootstrap} {self.user}" if self.to is Target.KAFKA else "stdout"


def command(
    name: Name = None,
    settings: Settings = None,
    list_: List = False,
    config: Config = None,
    state: State = None,
    to: To = Target.HTTP,
    every: Every = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    ca_file: CaFile = None,
    patience: Patience = None,
    user: User = None,
    bootstrap: Bootstrap = None,
    protocol: Protocol_ = "SASL_SSL",
) -> None:
    """Run a connector: ctihub connect csv path=feed.csv mapping=urlhaus

    What was acknowledged is remembered, and the next run goes on there. Credentials of a source belong into the
    environment, such as CTIHUB_TAXII_PASSWORD.
    """
    with speaking():
        if list_:
            _list(name, as_json=as_json)
            return
        if not name:
            raise WrongUsage("connect.unnamed", "No connector is named.", "See ctihub connect --list.")
        from connectors.sdk import catalogue

        told = _settings(settings or [], config)
        connector = catalogue.make(name, told)
        where = _Where(to, url, token, ca_file, patience, user, bootstrap, protocol)
        state = state or _default_state(connector, told, where)
        _run(connector, where, state, every=every, as_json=as_json)


def _run(connector: Connector[Any], where: _Where, state: Path, *, every: float | None, as_json: bool) -> None:
    from connectors.sdk.errors import SourceFailed, TryLater

    with _publisher(where) as (publisher, client):
        while True:
            try:
                _one_round(connector, publisher, client, state, as_json=as_json)
            except (SourceFailed, TryLater) as error:
                if every is None:
                    raise
                say(f"{error} Next try in {every:g} s.")
            if every is None:
                return
            time.sleep(every)


def _one_round(
    connector: Connector[Any], publisher: Publisher, client: HubClient | None, state: Path, *, as_json: bool
) -> None:
    from connectors.sdk.checkpoints import CheckpointFile
    from connectors.sdk.progress import shown
    from connectors.sdk.runner import Runner

    progress = shown(connector.name, quiet=as_json)
    runner = Runner(connector, publisher, CheckpointFile(state, connector=connector.name), progress=progress)
    try:
        report = runner.run()
    finally:
        progress.close()
    _print_round(connector, report, (publisher, client), as_json=as_json)


def _print_round(
    connector: Connector[Any], report: RunReport, through: tuple[Publisher, HubClient | None], *, as_json: bool
) -> None:
    from connectors.sdk.publisher import LinesPublisher
    from connectors.sdk.verdicts import collect

    publisher, client = through
    for reason, count in connector.left_out().items():
        say(f"left out: {count:,}, {reason}")
    if client:
        verdicts = collect(client, report.receipts)
        verdicts.add_too_large(publisher.too_large)
        print_verdicts(verdicts, as_json=as_json)
        return
    if publisher.too_large:
        say(f"left out: {len(publisher.too_large):,}, too large for where they should go")
    sent = report.objects - len(publisher.too_large)
    publisher.too_large.clear()
    if as_json and not isinstance(publisher, LinesPublisher):
        print_json({"sent": sent})
    else:
        say(f"sent {sent:,}")


@contextmanager
def _publisher(where: _Where) -> Iterator[tuple[Publisher, HubClient | None]]:
    """The publisher that was asked for, never one that merely happens to be configured; and who knows the verdicts."""
    if where.to is Target.STDOUT:
        from connectors.sdk.publisher import LinesPublisher

        yield LinesPublisher(sys.stdout.buffer), None
    elif where.to is Target.KAFKA:
        with _kafka(where) as publisher:
            yield publisher, None
    else:
        from connectors.sdk.http import HttpPublisher

        with hub_client(where.url, where.token, ca_file=where.ca_file, patience_s=where.patience_s) as client:
            yield HttpPublisher(client), client


def _kafka(where: _Where) -> Any:
    from connectors.sdk.kafka import Broker, KafkaPublisher

    if not where.user or not where.bootstrap:
        raise WrongUsage("kafka.unnamed", "Kafka needs --user and --bootstrap.", "The user is your centre's name.")
    if where.protocol not in ("SASL_SSL", "SASL_PLAINTEXT", "PLAINTEXT"):
        raise WrongUsage("kafka.protocol", f"There is no protocol {where.protocol}.", "Say SASL_SSL, or leave it out.")
    password = where.token if where.protocol == "PLAINTEXT" else require_token(where.token)
    broker = Broker(where.bootstrap, where.user, password, where.ca_file, where.protocol)  # type: ignore[arg-type] # checked above
    return KafkaPublisher(broker, patience_s=where.patience_s, notify=say)


def _settings(pairs: list[str], config: Path | None) -> dict[str, Any]:
    """Settings from TOML, overlaid by ``key=value`` words; a key said several times is a list."""
    told = _from_toml(config) if config else {}
    said: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise WrongUsage("setting.invalid", f"{pair!r} is not a setting.", "Write KEY=VALUE.")
        said.setdefault(key.strip().replace("-", "_"), []).append(value)
    return {**told, **{key: values[0] if len(values) == 1 else values for key, values in said.items()}}


def _from_toml(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongUsage("config.unreadable", f"{config} cannot be read: {error}.", "It should be TOML.") from error


def _default_state(connector: Connector[Any], told: Mapping[str, Any], where: _Where) -> Path:
    """A checkpoint of its own for each connector, setting and hub, so that two feeds never share one."""
    public = {key: value for key, value in told.items() if key not in ("password", "token")}
    name = json.dumps([public, where.name, str(Path.cwd())], sort_keys=True, default=str)
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "ctihub" / f"{connector.name}-{digest}.json"


def _list(name: str | None, *, as_json: bool) -> None:
    from connectors.sdk import catalogue

    names = [name] if name else catalogue.names()
    kinds = [catalogue.connector_class(one) for one in names]
    shown = [_described(kind) for kind in kinds]
    if as_json:
        print_json(shown)
        return
    for one in shown:
        print(f"{one['name']:10} {one['summary']}")
        for setting in one["settings"] if name else []:
            default = "required" if setting["required"] else f"[{_default(setting['default'])}]"
            print(f"  {setting['name']}  {default}  {setting['help']}")


def _described(kind: type[Connector[Any]]) -> dict[str, Any]:
    from connectors.sdk import catalogue

    return {"name": kind.name, "summary": kind.summary, "settings": catalogue.describe(kind)}


def _default(value: Any) -> str:
    return "none" if value in (None, [], {}) else str(value)
