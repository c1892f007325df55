"""``ctihub connect``: run a connector."""

from __future__ import annotations

import hashlib
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

from hub.cli import completing
from hub.cli.client import (
    DEFAULT_URL,
    AsJson,
    Bootstrap,
    CaFile,
    KafkaProtocol,
    RetryMessages,
    TokenOption,
    Url,
    User,
    hub_client,
    kafka_broker,
    print_json,
    print_verdicts,
    say,
    speaking,
    verdicts_on,
)
from hub.cli.connector_settings import HelpfulCommand as HelpfulCommand
from hub.cli.connector_settings import list_connectors
from hub.cli.feeds import state_file
from hub.cli.problems import ShowAll
from hub.model.errors import WrongUsage

if TYPE_CHECKING:
    from connectors.sdk.client import HubClient
    from connectors.sdk.connector import Connector, LeftOut
    from connectors.sdk.errors import SourceFailed
    from connectors.sdk.publisher import Publisher
    from connectors.sdk.runner import RunReport
    from connectors.sdk.verdicts import Verdicts
    from hub.cli.run_metrics import RunMetrics


class Target(StrEnum):
    """Where a connector publishes to."""

    HTTP = "http"
    KAFKA = "kafka"
    STDOUT = "stdout"


Name = Annotated[str | None, typer.Argument(help="The connector; see --list.", autocompletion=completing.connectors)]
Settings = Annotated[
    list[str] | None,
    typer.Argument(help="Its settings.", metavar="[KEY=VALUE]…", autocompletion=completing.settings),
]
List = Annotated[bool, typer.Option("--list", help="Show the connectors; with a NAME, its settings.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML; KEY=VALUE takes precedence.")
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Where to store the checkpoint [in ~/.local/state/ctihub; with --to stdout, nowhere].",
    ),
]
Feed = Annotated[
    str | None,
    typer.Option("--feed", metavar="NAME", help="What ctihub withdraw --feed calls this feed [the connector's name]."),
]
Unlisted = Annotated[
    bool,
    typer.Option("--withdraw-unlisted", help="Withdraw softly what the source's complete lists have no more (files)."),
]
To = Annotated[Target, typer.Option("--to", help="The hub's push API, Kafka, or NDJSON on standard output.")]
Every = Annotated[
    float | None, typer.Option("--every", min=1, metavar="SECONDS", help="Repeat, this long after the end of each run.")
]
Patience = Annotated[
    float | None,
    typer.Option(
        "--patience",
        min=0,
        metavar="SECONDS",
        help="How long to retry while the hub or the source is unavailable [no limit; 300 for the source].",
    ),
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics", metavar="FILE", help="Write metrics for Prometheus' node exporter to this file after each run."
    ),
]


@dataclass(frozen=True, slots=True)
class _Where:
    """The target, and the centre that publishes."""

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
        """The name that a checkpoint is stored under: another hub or centre does not have the same objects."""
        if self.to is Target.HTTP:
            who = hashlib.sha256((self.token or "").encode()).hexdigest()[:8]
            return f"{self.url} {who}"
        return f"{self.bootstrap} {self.user}" if self.to is Target.KAFKA else "stdout"


@dataclass(frozen=True, slots=True)
class _Outlet:
    """The publisher of the objects, and the client for verdicts."""

    to: Target
    publisher: Publisher
    client: HubClient | None = None


def command(
    name: Name = None,
    settings: Settings = None,
    list_: List = False,
    config: Config = None,
    state: State = None,
    feed: Feed = None,
    withdraw_unlisted: Unlisted = False,
    to: To = Target.HTTP,
    every: Every = None,
    metrics: Metrics = None,
    show_all: ShowAll = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    token: TokenOption = None,
    ca_file: CaFile = None,
    patience: Patience = None,
    user: User = None,
    bootstrap: Bootstrap = None,
    protocol: KafkaProtocol = "SASL_SSL",
) -> None:
    """Run a connector: ctihub connect csv path=feed.csv mapping=urlhaus

    The next run continues after what the hub has acknowledged. Put a source's credentials into the environment, for
    example CTIHUB_TAXII_PASSWORD.
    """
    with speaking():
        if list_:
            list_connectors(name, as_json=as_json)
            return
        if not name:
            raise WrongUsage("connect.unnamed", "No connector is named.", "See ctihub connect --list.")
        told = _settings(settings or [], config)
        where = _Where(to, url, token, ca_file, patience, user, bootstrap, protocol)
        connector = _made(name, told, where)
        kept = state or _usual_state(feed or connector.name, told, where)
        run = _Run(connector, kept, _metrics(metrics, name), as_json, show_all, withdraw_unlisted)
        run.ensure_possible(to)
        _run(run, where, every=every)


def _made(name: str, told: dict[str, Any], where: _Where) -> Connector[Any]:
    """The connector with these settings, to which the centre's own name is added if they need it."""
    from connectors.sdk import catalogue

    connector = catalogue.make(name, told)
    if getattr(connector.settings, "centre", None) == "" and (centre := _own_name(where)):
        told["centre"] = centre
        connector = catalogue.make(name, told)
    return connector


def _usual_state(feed: str, told: Mapping[str, Any], where: _Where) -> Path | None:
    """Where the checkpoint is without ``--state``. Standard output has none: to look at a feed must not move it on."""
    return None if where.to is Target.STDOUT else state_file(feed, told, where.name)


def _own_name(where: _Where) -> str | None:
    """Returns the centre that publishes. It is part of the ids, so it must not be guessed and changed later."""
    if where.to is Target.STDOUT:
        say("No centre is set, so the ids will not be those of your objects at the hub; set centre=NAME.")
        return None
    if where.to is Target.KAFKA:
        return where.user
    with hub_client(where.url, where.token, ca_file=where.ca_file, patience_s=where.patience_s) as client:
        centres = client.status().centres
    if len(centres) != 1:
        raise WrongUsage(
            "centre.unknown",
            "The hub does not say which centre this token belongs to.",
            "Set centre=NAME, or use its token.",
        )
    return centres[0].centre


def _metrics(path: Path | None, connector: str) -> RunMetrics | None:
    if path is None:
        return None
    from hub.cli.run_metrics import RunMetrics

    if not path.parent.is_dir():
        raise WrongUsage("metrics.nowhere", f"There is no folder {path.parent} for --metrics.", "Create it first.")
    return RunMetrics(path, connector)


@dataclass(frozen=True, slots=True)
class _Run:
    """The connector of a run, with its checkpoint and metrics."""

    connector: Connector[Any]
    state: Path | None
    metrics: RunMetrics | None
    as_json: bool
    show_all: bool
    withdraw_unlisted: bool

    def ensure_possible(self, to: Target) -> None:
        """Raises WrongUsage for withdrawals without a hub."""
        if self.withdraw_unlisted and to is Target.STDOUT:
            raise WrongUsage("withdraw.nowhere", "--withdraw-unlisted needs a hub.", "Leave it out, or leave out --to.")

    def measure(self, report: RunReport, code: str) -> None:
        """Write the metrics of a run."""
        try:
            if self.metrics:
                self.metrics.write(report, self.connector.left_out(), code)
        except OSError as error:
            say(f"The metrics cannot be written: {error}.")


def _run(run: _Run, where: _Where, *, every: float | None) -> None:
    from connectors.sdk.errors import SourceFailed, TryLater

    retries = run.connector.notify = RetryMessages()
    if where.patience_s is not None:
        run.connector.patience_s = where.patience_s
    with _outlet(where, retries) as outlet:
        while True:
            try:
                _one_round(run, outlet, retries)
            except (SourceFailed, TryLater) as error:
                if every is None:
                    raise
                say(f"{error.code}: {error} Next try in {every:g} s.")
            if every is None:
                return
            time.sleep(every)


def _one_round(run: _Run, outlet: _Outlet, retries: RetryMessages) -> None:
    from connectors.sdk.checkpoints import CheckpointFile, NoCheckpoints
    from connectors.sdk.errors import ConnectorError
    from connectors.sdk.published import PublishedFile, published_beside
    from connectors.sdk.runner import Runner, RunReport

    report, code = RunReport(), "connector.broken"  # unless it is set below
    checkpoints = CheckpointFile(run.state, connector=run.connector.name) if run.state else NoCheckpoints()
    keeps_ids = outlet.to is not Target.STDOUT
    published = PublishedFile(published_beside(run.state)) if run.state and keeps_ids else None
    try:
        with retries.over(run.connector.name, quiet=run.as_json) as progress:
            runner = Runner(
                run.connector,
                outlet.publisher,
                checkpoints,
                published=published,
                withdraw_unlisted=run.withdraw_unlisted,
                progress=progress,
            )
            report = runner.report
            failure = runner.attempt()
        if failure := _print_round(run, report, outlet, retries, failure):
            raise failure
        code = ""
    except ConnectorError as error:
        code = error.code
        raise
    finally:
        run.measure(report, code)


def _print_round(
    run: _Run, report: RunReport, outlet: _Outlet, retries: RetryMessages, failure: SourceFailed | None
) -> SourceFailed | None:
    """Print the result of a run; returns the failure, if any."""
    publisher, left_out = outlet.publisher, run.connector.left_out()
    if not run.as_json:
        _say_what_else(report, left_out)
    if outlet.client:
        everything = run.as_json or run.show_all
        verdicts = verdicts_on(outlet.client, publisher, report, retries, quiet=run.as_json, all_problems=everything)
        failure = failure or _all_refused(verdicts)
        if run.as_json:
            print_json({**verdicts.as_json(), **_as_json(report, left_out, failure)})
        else:
            print_verdicts(verdicts, as_json=False, show_all=run.show_all)
        return failure
    if publisher.too_large:
        say(f"left out: {len(publisher.too_large):,}, too large for their target")
    sent = report.objects - len(publisher.too_large)
    publisher.too_large.clear()
    if run.as_json and outlet.to is not Target.STDOUT:
        print_json({"sent": sent, **_as_json(report, left_out, failure)})
    else:
        say(f"sent {sent:,}")
    return failure


def _say_what_else(report: RunReport, left_out: Mapping[str, LeftOut]) -> None:
    for reason, one in left_out.items():
        say(f"left out: {one.count:,}, {reason}" + (f" (first: {one.first})" if one.first else ""))
    if report.withdrawn:
        say(f"withdrawn: {report.withdrawn:,} that the source lists no more")
    for warning in report.warnings:
        say(f"warning  {warning.code}: {warning.says}")


def _as_json(report: RunReport, left_out: Mapping[str, LeftOut], failure: SourceFailed | None) -> dict[str, Any]:
    return {
        "left_out": [{"reason": why, "count": one.count, "first": one.first} for why, one in left_out.items()],
        "withdrawn": report.withdrawn,
        "warnings": [{"code": one.code, "message": one.says} for one in report.warnings],
        "failed": {"code": failure.code, "message": failure.says, "way_out": failure.way_out} if failure else None,
    }


def _all_refused(verdicts: Verdicts) -> SourceFailed | None:
    """Returns a failure if the hub has refused all objects of the source."""
    from connectors.sdk.errors import SourceFailed

    if not verdicts.received or verdicts.rejected < verdicts.received:
        return None
    says = f"The hub refused all {verdicts.received:,} objects that the source gave."
    return SourceFailed("source.all-refused", says, "Each code has a page in docs/rules that says what is wrong.")


@contextmanager
def _outlet(where: _Where, retries: RetryMessages) -> Iterator[_Outlet]:
    """Gives the publisher of the option ``--to``, never another one that is only configured."""
    if where.to is Target.STDOUT:
        from connectors.sdk.publisher import LinesPublisher

        yield _Outlet(where.to, LinesPublisher(sys.stdout.buffer))
    elif where.to is Target.KAFKA:
        broker = kafka_broker(where.bootstrap, where.user, where.token, where.ca_file, where.protocol)
        from connectors.sdk.kafka import KafkaPublisher

        with KafkaPublisher(broker, patience_s=where.patience_s, notify=retries) as publisher:
            yield _Outlet(where.to, publisher)
    else:
        from connectors.sdk.http import HttpPublisher

        with hub_client(
            where.url, where.token, ca_file=where.ca_file, patience_s=where.patience_s, notify=retries
        ) as client:
            yield _Outlet(where.to, HttpPublisher(client), client)


def _settings(pairs: list[str], config: Path | None) -> dict[str, Any]:
    """Returns settings from TOML, overridden by ``key=value`` arguments; a repeated key is a list."""
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
